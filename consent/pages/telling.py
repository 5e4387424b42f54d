"""Telling: what happened in an entry, in one plain sentence in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_babel import lazy_gettext as _
from flask_babel import ngettext

from consent.offer import Directory
from consent.pages.reasons import why
from consent.pages.seen import Seen
from consent.pages.wording import Tag
from kernel.entry import EntryType
from kernel.names import AgencyId, AgreementId

EXCHANGES = frozenset(
    {EntryType.EXCHANGE_DECISION, EntryType.EXCHANGE_RELEASE, EntryType.EXCHANGE_REFUSAL}
)
_FIRST_STRONG, _POP = "\u2068", "\u2069"

_CONSENT: Mapping[EntryType, object] = {
    EntryType.CONSENT_REQUESTED: _("%(who)s asked for your consent: %(what)s."),
    EntryType.CONSENT_DEFERRED: _("You put off your answer to %(who)s: %(what)s."),
    EntryType.CONSENT_GIVEN: _("You agreed that %(who)s may ask: %(what)s."),
    EntryType.CONSENT_RENEWED: _("You agreed again that %(who)s may ask: %(what)s."),
    EntryType.CONSENT_REFUSED: _("You said no to %(who)s: %(what)s."),
    EntryType.CONSENT_WITHDRAWN: _("You stopped %(who)s from asking: %(what)s."),
    EntryType.CONSENT_SUSPENDED: _("You paused your consent for %(who)s: %(what)s."),
    EntryType.CONSENT_RESUMED: _("You ended the pause for %(who)s: %(what)s."),
    EntryType.CONSENT_NARROWED: _("You now allow %(who)s less than before: %(what)s."),
    EntryType.CONSENT_REVOKED: _("An office ended your consent for %(who)s: %(what)s."),
    EntryType.CONSENT_INVALIDATED: _("Your consent for %(who)s is no longer valid: %(what)s."),
}
_OWN: Mapping[EntryType, object] = {
    EntryType.BLOCK_SET: _("You locked your data."),
    EntryType.BLOCK_LIFTED: _("You unlocked your data."),
    EntryType.CASE_OPENED: _("You wrote to the privacy officers."),
    EntryType.CASE_ANSWERED: _("A privacy officer answered you."),
    EntryType.ACCESS_VIEW: _("A privacy officer read your case."),
    EntryType.SUBJECT_ACCESS: _("You downloaded what is known about you."),
}
_BY_OTHERS: Mapping[EntryType, object] = {
    EntryType.BLOCK_SET: _("An authority locked your data."),
    EntryType.BLOCK_LIFTED: _("An authority unlocked your data."),
}
_REVOKED = _("An authority ended your consent for %(who)s: %(what)s.")
_SOMETHING = _("Something else was written down that concerns you.")
_NAMED = _("%(who)s asked %(office)s about somebody else. The answer also names you.")
_ALLOWED = _("%(who)s was allowed to ask %(office)s about you.")
_NOTHING = _("%(who)s asked about you and got nothing.")

_TAGS: Mapping[EntryType, tuple[object, str]] = {
    EntryType.EXCHANGE_RELEASE: (_("Shared"), "good"),
    EntryType.EXCHANGE_DECISION: (_("Allowed"), "plain"),
    EntryType.EXCHANGE_REFUSAL: (_("Refused"), "ended"),
    EntryType.ACCESS_VIEW: (_("An officer looked"), "waiting"),
    EntryType.SUBJECT_ACCESS: (_("Download"), "plain"),
    EntryType.CONSENT_REQUESTED: (_("Question to you"), "waiting"),
    EntryType.BLOCK_SET: (_("Lock"), "plain"),
    EntryType.BLOCK_LIFTED: (_("Lock"), "plain"),
    EntryType.CASE_OPENED: (_("Case"), "plain"),
    EntryType.CASE_ANSWERED: (_("Case"), "plain"),
}
_CHOICE = (_("Consent"), "plain")

_BY_LAW = _("A law lets them ask this. They do not need your consent.")
_AGREED = _("You had agreed to it.")
_THEY_AGREED = _("The person whom they asked about had agreed to it.")
_NOT_YOURS = _("It was not your own choice. You can ask a privacy officer about it.")
_COUNTER = _("You said so at a counter, and somebody there wrote it down.")
_YOURSELF = _("You did this yourself.")
_GROUNDS: Mapping[EntryType, object] = {
    EntryType.CONSENT_REQUESTED: _("They need your consent before any office may answer."),
    EntryType.CONSENT_REVOKED: _NOT_YOURS,
    EntryType.CONSENT_INVALIDATED: _NOT_YOURS,
    EntryType.ACCESS_VIEW: _("They read it to answer you. Every time they look is in this list."),
    EntryType.CASE_ANSWERED: _("You had opened a case."),
}


def isolated(text: str) -> str:
    """Return a name that may run in the other direction than the sentence (UAX #9 §2.4)."""
    return f"{_FIRST_STRONG}{text}{_POP}"


def plain(text: str) -> str:
    """Return a sentence without the marks of direction: for files, not for pages."""
    return text.replace(_FIRST_STRONG, "").replace(_POP, "")


def tag(seen: Seen) -> Tag:
    """Return the short word for an entry."""
    text, kind = _TAGS.get(seen.type, _CHOICE)
    return Tag(str(text), kind)


def ground(seen: Seen) -> str:
    """Return why it happened: the exact reason of a refusal, or the ground of all else."""
    kind = seen.type
    if kind is EntryType.EXCHANGE_REFUSAL:
        return why(seen.said("response", "reason"), seen.said("response", "exact"))
    if kind in EXCHANGES:
        if seen.text("basis") == "statutory":
            return str(_BY_LAW)
        return str(_THEY_AGREED if seen.named else _AGREED)
    if kind in _GROUNDS:
        return str(_GROUNDS[kind])
    if kind in _BY_OTHERS and not _own_lock(seen):
        return str(_NOT_YOURS)
    return str(_COUNTER if seen.said("actor", "method") == "counter" else _YOURSELF)


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells entries from the catalogue in one language."""

    directory: Directory
    language: str
    _titles: dict[str, str] = field(default_factory=dict)

    def sentence(self, seen: Seen) -> str:
        """Return what happened."""
        kind = seen.type
        if kind in EXCHANGES:
            return self._exchange(seen)
        if kind in _CONSENT:
            who, what = seen.text("consumer"), seen.text("agreement")
            said = _REVOKED if _by_authority(seen) else _CONSENT[kind]
            return filled(said, who=self.agency(who), what=self.agreement(what))
        if kind in _BY_OTHERS and not _own_lock(seen):
            return str(_BY_OTHERS[kind])
        return str(_OWN.get(kind, _SOMETHING))

    def agency(self, agency: str) -> str:
        """Return an agency's name as it stands in a sentence."""
        if not agency:
            return str(_("An office"))
        return isolated(self.directory.agency_name(AgencyId(agency), self.language).text)

    def agreement(self, agreement: str) -> str:
        """Return an agreement's title as it stands in a sentence."""
        if (title := self._titles.get(agreement)) is None:
            offer = self.directory.offer(AgreementId(agreement), self.language)
            title = self._titles[agreement] = isolated(offer.title.text if offer else agreement)
        return title

    def _exchange(self, seen: Seen) -> str:
        who, office = self.agency(seen.text("consumer")), self.agency(seen.text("provider"))
        if seen.named:  # by what was released: a decision or a refusal concerns nobody else
            return filled(_NAMED, who=who, office=office)
        if seen.type is EntryType.EXCHANGE_DECISION:
            return filled(_ALLOWED, who=who, office=office)
        if seen.type is EntryType.EXCHANGE_REFUSAL:
            return filled(_NOTHING, who=who)
        return self._got(seen, who, office)

    def _got(self, seen: Seen, who: str, office: str) -> str:
        """Say how much travelled: answers, where nothing but answers did."""
        told = seen.listed("response", "fields")
        if told and seen.answers.keys() >= {*told}:
            return str(
                ngettext(
                    "%(who)s got %(num)s answer about you from %(office)s.",
                    "%(who)s got %(num)s answers about you from %(office)s.",
                    len(told),
                    who=who,
                    office=office,
                )
            )
        return str(
            ngettext(
                "%(who)s got %(num)s fact about you from %(office)s.",
                "%(who)s got %(num)s facts about you from %(office)s.",
                len(told),
                who=who,
                office=office,
            )
        )


def filled(message: object, **parts: str) -> str:
    """Return a message in the reader's language with its parts in place."""
    return str(message) % parts


def _by_authority(seen: Seen) -> bool:
    """Return whether a consent was ended by an authority, and not by the agency that held it."""
    revoked = seen.type is EntryType.CONSENT_REVOKED
    return revoked and seen.said("actor", "method") == "authority"


def _own_lock(seen: Seen) -> bool:
    """Return whether it is the person's own lock, as it is where nothing else is said."""
    return (seen.said("request", "kind") or "self") == "self"
