"""Errors for people: what went wrong, whether anything was changed, and what to do next."""

from dataclasses import dataclass

from flask_babel import gettext as _

from kernel.errors import Reason


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """The title of an error page and what it says."""

    title: str
    next: str


_UNREADABLE = frozenset(
    {
        Reason.REQUEST_MALFORMED,
        Reason.REQUEST_TOO_LARGE,
        Reason.REQUEST_METHOD,
        Reason.REQUEST_MEDIA_TYPE,
    }
)
_NOT_NOW = frozenset({Reason.STATE_UNAVAILABLE, Reason.POLICY_UNAVAILABLE})


def words_for(reason: Reason, *, too_old: bool) -> ErrorWords:
    """Return what a page says about a reason, in the reader's language."""
    if too_old:
        return ErrorWords(
            _("This page was open for too long"),
            _("Nothing was changed. Open the page again and send it once more."),
        )
    if reason in _UNREADABLE:
        return ErrorWords(
            _("We cannot read what was sent"),
            _("Nothing was changed. Go back, open the page again, and try once more."),
        )
    if reason in _NOT_NOW:
        return ErrorWords(
            _("This does not work right now"),
            _("Nothing was changed. Wait a minute and try again."),
        )
    if reason is Reason.LEDGER_UNAVAILABLE:  # a disk too slow for us may still have kept it
        return ErrorWords(
            _("This does not work right now"),
            _("We cannot say if it counted. Wait a minute, then look before you try again."),
        )
    return _named(reason)


def _named(reason: Reason) -> ErrorWords:
    named = {
        Reason.REQUEST_NOT_FOUND: ErrorWords(
            _("We cannot find this page"),
            _("Check the address. If you came by a link, go to the start page and look there."),
        ),
        Reason.SIGNIN_FAILED: ErrorWords(
            _("The sign-in did not work"),
            _("Start again from the start page."),
        ),
        Reason.SIGNIN_UNAVAILABLE: ErrorWords(
            _("You cannot sign in now"),
            _("The sign-in service does not answer. Try again in a few minutes."),
        ),
    }
    otherwise = ErrorWords(
        _("Something went wrong"),
        _("The fault is ours. Try again in a few minutes. If it stays, tell us the number below."),
    )
    return named.get(reason, otherwise)
