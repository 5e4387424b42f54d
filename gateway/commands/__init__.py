"""Commands: what the operator, the counter and the auditor do from a shell."""
