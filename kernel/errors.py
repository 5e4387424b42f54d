"""Errors: the closed set of reasons for which an answer is refused, and the refusal itself."""

from enum import StrEnum

from kernel.names import ExchangeId


class Reason(StrEnum):
    """The public reason codes: stable, one page each."""

    REQUEST_MALFORMED = "request.malformed"
    REQUEST_TOO_LARGE = "request.too_large"
    REQUEST_NOT_FOUND = "request.not_found"
    REQUEST_METHOD = "request.method"
    REQUEST_MEDIA_TYPE = "request.media_type"
    TOKEN_MISSING = "token.missing"  # noqa: S105 - a reason code, not a secret
    TOKEN_INVALID = "token.invalid"  # noqa: S105 - a reason code, not a secret
    TOKEN_EXPIRED = "token.expired"  # noqa: S105 - a reason code, not a secret
    DPOP_MISSING = "dpop.missing"
    DPOP_INVALID = "dpop.invalid"
    DPOP_REPLAYED = "dpop.replayed"
    SCOPE_INSUFFICIENT = "scope.insufficient"
    CASE_REQUIRED = "case.required"
    USER_REQUIRED = "user.required"
    EXCHANGE_UNKNOWN = "exchange.unknown"
    AGREEMENT_UNKNOWN = "agreement.unknown"
    AGREEMENT_NOT_IN_FORCE = "agreement.not_in_force"
    SERVICE_NOT_AGREED = "service.not_agreed"
    FIELD_UNKNOWN = "field.unknown"
    FIELD_NOT_AGREED = "field.not_agreed"
    FIELD_NOT_CONSENTED = "field.not_consented"
    SUBJECT_MALFORMED = "subject.malformed"
    SUBJECT_NOT_RELEASED = "subject.not_released"
    POLICY_DENIED = "policy.denied"
    POLICY_UNAVAILABLE = "policy.unavailable"
    LEDGER_UNAVAILABLE = "ledger.unavailable"
    STATE_UNAVAILABLE = "state.unavailable"
    SOURCE_UNAVAILABLE = "source.unavailable"
    SOURCE_BAD_ANSWER = "source.bad_answer"
    SOURCE_TIMEOUT = "source.timeout"
    QUOTA_EXCEEDED = "quota.exceeded"
    SIGNIN_FAILED = "signin.failed"
    SIGNIN_UNAVAILABLE = "signin.unavailable"
    INTERNAL = "internal"


class Exact(StrEnum):
    """What lies behind `subject.not_released`: for the person and the officer, never the asker."""

    CONSENT_ABSENT = "consent.absent"
    CONSENT_REFUSED = "consent.refused"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_EXPIRED = "consent.expired"
    CONSENT_EXHAUSTED = "consent.exhausted"
    CONSENT_SUSPENDED = "consent.suspended"
    CONSENT_FIELD = "consent.field"
    SUBJECT_BLOCKED = "subject.blocked"
    SUBJECT_UNKNOWN = "subject.unknown"


class Refusal(Exception):
    """The answer is no, for a named reason; `detail` is plain words and never names a person."""

    def __init__(self, reason: Reason, detail: str, exact: Exact | None = None) -> None:
        """Keep the public reason, its words, and the exact reason that only the ledger learns."""
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail
        self.exact = exact
        self.exchange: ExchangeId | None = None
        self.retry_after: int | None = None
        """Seconds after which asking again may help (RFC 9110 §10.2.3), where that is known."""
        self.back: str | None = None
        """The page of ours where the person was, as far as that is known."""


def about_the_person(exact: Exact | None) -> Refusal:
    """Return the one refusal that every reason about a person looks like from outside; there is
    no exact one where it is about somebody else whom the answer names."""
    return Refusal(
        Reason.SUBJECT_NOT_RELEASED,
        "Nothing about this person can be released to you under this agreement now.",
        exact,
    )


class Outdated(Exception):
    """The control epoch moved on since the request was authenticated and decided."""
