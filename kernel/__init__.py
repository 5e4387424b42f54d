"""The ground floor: names, errors, canonical JSON, time, and the data of one ledger write."""
