"""States: the closed sets of consent: what a record is, means, and what can be done to it."""

from enum import StrEnum


class State(StrEnum):
    """The states that a record stores; what time or use does to it is derived, never stored."""

    REQUESTED = "ConsentRequested"
    DEFERRED = "ConsentRequestDeferred"
    GIVEN = "ConsentGiven"
    RENEWED = "RenewedConsentGiven"
    SUSPENDED = "ConsentSuspended"
    REFUSED = "ConsentRefused"
    WITHDRAWN = "ConsentWithdrawn"
    REVOKED = "ConsentRevoked"
    INVALIDATED = "ConsentInvalidated"


class Standing(StrEnum):
    """What a record means to its person now: the stored state, or what time made of it."""

    REQUESTED = "requested"
    REQUEST_EXPIRED = "request_expired"
    DEFERRED = "deferred"
    GIVEN = "given"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    NEEDS_RECONFIRMATION = "needs_reconfirmation"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"


class FindingState(StrEnum):
    """What a record means for one request at one moment: what the policies see."""

    NOT_APPLICABLE = "not_applicable"
    ABSENT = "absent"
    GIVEN = "given"
    RENEWED = "renewed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    SUSPENDED = "suspended"


class Kind(StrEnum):
    """What can be done about a consent."""

    REQUEST = "request"
    DEFER = "defer"
    GIVE = "give"
    REFUSE = "refuse"
    SUSPEND = "suspend"
    RESUME = "resume"
    NARROW = "narrow"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"
    INVALIDATE = "invalidate"


class RequestState(StrEnum):
    """How far a request for consent came: all that the agency learns."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
