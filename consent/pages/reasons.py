"""Reasons: every reason for which nothing was released, in plain words for the person."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _

from kernel.errors import Exact, Reason

ABOUT_YOU: Mapping[Exact, object] = {
    Exact.CONSENT_ABSENT: _("You had not agreed to this. Without your consent nothing is shared."),
    Exact.CONSENT_REFUSED: _("You had said no to this."),
    Exact.CONSENT_WITHDRAWN: _("Your consent had been stopped before."),
    Exact.CONSENT_EXPIRED: _("Your consent had ended by its date."),
    Exact.CONSENT_EXHAUSTED: _("Your consent had been used as often as you allowed."),
    Exact.CONSENT_SUSPENDED: _("You had paused your consent."),
    Exact.CONSENT_FIELD: _("They asked for a fact that you did not allow, and needed it."),
    Exact.SUBJECT_BLOCKED: _("Your data is locked. Nothing is shared while it is locked."),
    Exact.SUBJECT_UNKNOWN: _("The office that was asked has no record of you."),
}
"""What the asker never learns: it is told to the person alone."""

WHY: Mapping[Reason, object] = {
    Reason.REQUEST_MALFORMED: _("Their request could not be read."),
    Reason.REQUEST_TOO_LARGE: _("Their request was too large."),
    Reason.REQUEST_NOT_FOUND: _("They asked at an address that does not exist."),
    Reason.REQUEST_METHOD: _("They asked in a way that is not allowed."),
    Reason.REQUEST_MEDIA_TYPE: _("Their request was in a form that we do not read."),
    Reason.TOKEN_MISSING: _("They did not show who they are."),
    Reason.TOKEN_INVALID: _("They could not prove who they are."),
    Reason.TOKEN_EXPIRED: _("Their proof of who they are was too old."),
    Reason.DPOP_MISSING: _("They did not prove that the request came from them."),
    Reason.DPOP_INVALID: _("Their proof that the request came from them was wrong."),
    Reason.DPOP_REPLAYED: _("The same proof was sent twice. Somebody may have copied it."),
    Reason.SCOPE_INSUFFICIENT: _("They were not allowed to use this way of asking."),
    Reason.CASE_REQUIRED: _("They did not name the case for which they asked."),
    Reason.USER_REQUIRED: _("They did not name the person in their office who asked."),
    Reason.EXCHANGE_UNKNOWN: _("They spoke of an earlier request that is not theirs."),
    Reason.AGREEMENT_UNKNOWN: _("There is no agreement that lets them ask this."),
    Reason.AGREEMENT_NOT_IN_FORCE: _("The agreement under which they asked was not valid then."),
    Reason.SERVICE_NOT_AGREED: _("Their agreement does not let them ask this office."),
    Reason.FIELD_UNKNOWN: _("They asked for a fact that the office does not hold."),
    Reason.FIELD_NOT_AGREED: _("They asked for a fact that their agreement does not allow."),
    Reason.FIELD_NOT_CONSENTED: _("They asked for a fact that you did not allow."),
    Reason.SUBJECT_MALFORMED: _("They named a person by a number that cannot be right."),
    Reason.SUBJECT_NOT_RELEASED: _("Nothing about you could be released to them."),
    Reason.POLICY_DENIED: _("The rules do not allow this."),
    Reason.POLICY_UNAVAILABLE: _("The rules could not be checked just then, so we said no."),
    Reason.LEDGER_UNAVAILABLE: _("It could not be written down just then, so we said no."),
    Reason.STATE_UNAVAILABLE: _("A part of our service did not work just then, so we said no."),
    Reason.SOURCE_UNAVAILABLE: _("The office that was asked did not answer."),
    Reason.SOURCE_BAD_ANSWER: _("The answer of the office was not right, so it was thrown away."),
    Reason.SOURCE_TIMEOUT: _("The office that was asked took too long."),
    Reason.QUOTA_EXCEEDED: _("They had asked too often."),
    Reason.SIGNIN_FAILED: _("A sign-in did not work."),
    Reason.SIGNIN_UNAVAILABLE: _("The sign-in service did not work just then."),
    Reason.INTERNAL: _("Something was wrong on our side, so nothing was released."),
}
"""Every public reason."""

_UNKNOWN = _("The reason is not one that this page knows. Ask a privacy officer.")


def why(reason: str | None, exact: str | None) -> str:
    """Return why nothing was released: the exact reason where the entry names one."""
    if exact in {one.value for one in Exact}:
        return str(ABOUT_YOU[Exact(exact)])
    if reason in {one.value for one in Reason}:
        return str(WHY[Reason(reason)])
    return str(_UNKNOWN)
