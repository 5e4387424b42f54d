"""Vault: the consents of a running country, read beside its server."""

from dataclasses import dataclass

from consent.model import Record
from consent.reading import Reading
from kernel.clock import SystemClock
from kernel.database import open_database
from kernel.names import ConsentId, RequestId
from tests.country import RunningCountry


@dataclass(frozen=True)
class Vault:
    """Reads what the ledger's effects wrote."""

    store: Reading

    def of_request(self, request: str) -> Record:
        """Return the record that a request asks for."""
        asked = self.store.request(RequestId(request))
        assert asked is not None
        return self._record(asked.subject_ref, asked.consent)

    def _record(self, ref, consent: ConsentId) -> Record:
        record = self.store.record(ref, consent)
        assert record is not None
        return record


def vault(country: RunningCountry) -> Vault:
    """Return the consents of a country."""
    url = country.country.settings["GATEWAY_DATABASE_URL"]
    return Vault(Reading(open_database(url), SystemClock()))
