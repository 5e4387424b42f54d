"""Names: the identifiers that cross the rooms of the house, and the person they speak of."""

from dataclasses import dataclass
from typing import NewType

AgencyId = NewType("AgencyId", str)
ClientId = NewType("ClientId", str)
AgreementId = NewType("AgreementId", str)
ServiceId = NewType("ServiceId", str)
"""`provider/service`, as in `population/residents`."""
Pointer = NewType("Pointer", str)
"""A JSON Pointer (RFC 6901) in which a segment `*` stands for every item of an array."""
ExchangeId = NewType("ExchangeId", str)
ConsentId = NewType("ConsentId", str)
RequestId = NewType("RequestId", str)
"""A request for consent, and the address under which the person finds it."""
ReceiptId = NewType("ReceiptId", str)
CaseId = NewType("CaseId", str)
"""An objection or a report of a person; not the agency's own `case`."""
Revision = NewType("Revision", str)
"""The digest (64 hex digits, SHA-256) of a policy bundle or of a parsed agreement."""
SubjectRef = NewType("SubjectRef", str)
"""The pseudonym by which the gateway's own tables know a person: 32 hex digits, keyed."""


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """A person as agencies name them; it has no `repr`, so no log or traceback shows it."""

    scheme: str
    value: str
