"""Wording: what states, events and answers are called on a page."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import lazy_gettext as _

from consent.model import Standing

GOOD, WAITING, ENDED, PLAIN = "good", "waiting", "ended", "plain"

_STANDINGS: Mapping[Standing, tuple[object, str]] = {
    Standing.REQUESTED: (_("Waits for you"), WAITING),
    Standing.REQUEST_EXPIRED: (_("Not answered"), ENDED),
    Standing.DEFERRED: (_("Put off"), WAITING),
    Standing.GIVEN: (_("Active"), GOOD),
    Standing.SUSPENDED: (_("Paused"), WAITING),
    Standing.EXPIRED: (_("Ended by time"), ENDED),
    Standing.EXHAUSTED: (_("Used up"), ENDED),
    Standing.NEEDS_RECONFIRMATION: (_("Needs a new yes"), WAITING),
    Standing.REFUSED: (_("You said no"), ENDED),
    Standing.WITHDRAWN: (_("Stopped"), ENDED),
    Standing.REVOKED: (_("Ended by an office"), ENDED),
    Standing.INVALIDATED: (_("Not valid"), ENDED),
}
_EVENTS: Mapping[str, object] = {
    "consent.requested": _("You were asked"),
    "consent.deferred": _("You put the question off"),
    "consent.given": _("You said yes"),
    "consent.renewed": _("You said yes again"),
    "consent.refused": _("You said no"),
    "consent.withdrawn": _("You stopped it"),
    "consent.suspended": _("You paused it"),
    "consent.resumed": _("You let it go on"),
    "consent.narrowed": _("You took facts away"),
    "consent.revoked": _("An office ended it"),
    "consent.invalidated": _("It was declared not valid"),
}
_METHODS: Mapping[str, object] = {
    "web": _("on these pages"),
    "counter": _("at an office counter"),
    "agency": _("by the office that asks"),
    "authority": _("by an authority"),
}
_ITSELF, _YES_OR_NO = _("The fact itself"), _("Only yes or no")
_ANSWERS: Mapping[str | None, object] = {
    "yes_no": _YES_OR_NO,
    "exists": _YES_OR_NO,
    "at_least_age": _YES_OR_NO,
    "band": _("Only a range"),
    "year": _("Only the year"),
    "mask": _("Only a part"),
}
_ABOUT: Mapping[str, object] = {
    "subject": "",
    "child": _("about your child"),
    "partner": _("about your partner"),
}
_SOMEBODY_ELSE = _("about somebody else")


@dataclass(frozen=True, slots=True)
class Tag:
    """A short word for a state or an entry, and how it looks: good, waiting, ended, plain."""

    text: str
    kind: str


def standing_tag(standing: Standing) -> Tag:
    """Return what a consent's standing is called."""
    text, kind = _STANDINGS[standing]
    return Tag(str(text), kind)


def event_words(type: str) -> str:
    """Return what happened, from the ledger's entry type."""
    return str(_EVENTS.get(type, type))


def method_words(method: str) -> str:
    """Return how a word reached us."""
    return str(_METHODS.get(method, method))


def answer_words(answer: str | None) -> str:
    """Return what travels of a fact."""
    return str(_ANSWERS.get(answer, _ITSELF))


def about_words(about: str) -> str:
    """Return whose fact it is; empty where it is the reader's own."""
    return str(_ABOUT.get(about, _SOMEBODY_ELSE))
