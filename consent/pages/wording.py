"""Wording: what states, events and answers are called on a page."""

from dataclasses import dataclass

from flask_babel import gettext as _

from consent.model import Standing

GOOD, WAITING, ENDED, PLAIN = "good", "waiting", "ended", "plain"


@dataclass(frozen=True, slots=True)
class Tag:
    """A word for a state, and the kind of its colour."""

    text: str
    kind: str


def standing_tag(standing: Standing) -> Tag:
    """Return what a consent's standing is called."""
    return {
        Standing.REQUESTED: Tag(_("Waits for you"), WAITING),
        Standing.REQUEST_EXPIRED: Tag(_("Not answered"), ENDED),
        Standing.DEFERRED: Tag(_("Put off"), WAITING),
        Standing.GIVEN: Tag(_("Active"), GOOD),
        Standing.SUSPENDED: Tag(_("Paused"), WAITING),
        Standing.EXPIRED: Tag(_("Ended by time"), ENDED),
        Standing.EXHAUSTED: Tag(_("Used up"), ENDED),
        Standing.NEEDS_RECONFIRMATION: Tag(_("Needs a new yes"), WAITING),
        Standing.REFUSED: Tag(_("You said no"), ENDED),
        Standing.WITHDRAWN: Tag(_("Stopped"), ENDED),
        Standing.REVOKED: Tag(_("Ended by an office"), ENDED),
        Standing.INVALIDATED: Tag(_("Not valid"), ENDED),
    }[standing]


def event_words(type: str) -> str:
    """Return what happened, from the ledger's entry type."""
    words: dict[str, str] = {
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
    return words.get(type, type)


def method_words(method: str) -> str:
    """Return how a word reached us."""
    words: dict[str, str] = {
        "web": _("on these pages"),
        "counter": _("at an office counter"),
        "agency": _("by the office that asks"),
        "authority": _("by an authority"),
    }
    return words.get(method, method)


def answer_words(answer: str | None) -> str:
    """Return what travels of a fact."""
    itself, yes_or_no = str(_("The fact itself")), _("Only yes or no")
    words: dict[str | None, str] = {
        "yes_no": yes_or_no,
        "exists": yes_or_no,
        "at_least_age": yes_or_no,
        "band": _("Only a range"),
        "year": _("Only the year"),
        "mask": _("Only a part"),
    }
    return words.get(answer, itself)


def about_words(about: str) -> str:
    """Return whose fact it is; empty where it is the reader's own."""
    words: dict[str, str] = {
        "subject": "",
        "child": _("about your child"),
        "partner": _("about your partner"),
    }
    return words.get(about, str(_("about somebody else")))
