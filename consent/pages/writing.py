"""Writing: the one text that a person or an officer writes, and what may be wrong with it."""

from dataclasses import dataclass
from typing import NamedTuple

from flask_babel import gettext as _

from consent.cases import MAX_TEXT, Case, CaseKind, CaseStore, checked
from consent.declined import Declined
from consent.model import Person
from consent.pages.form import Taken
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId

TEXT = "text"
LONGER = 4 * MAX_TEXT
"""What the form may hold, so that a text that is too long comes back to its writer."""


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """A text as it was sent, and what is wrong with it, None where it can be kept."""

    text: str = ""
    error: str | None = None

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Return what the summary of errors shows."""
        return [(self.error, TEXT)] if self.error else []


def written(taken: Taken, missing: str | None = None) -> Written:
    """Return the text of a form; `missing` is what somebody reads who wrote nothing."""
    text = taken.one(TEXT)
    if not text:
        return Written(text, missing or str(_("Write what it is about.")))
    if len(text.replace("\r\n", "\n")) > MAX_TEXT:
        return Written(text, str(_("Write at most %(most)s letters.", most=MAX_TEXT)))
    try:
        return Written(checked(text))
    except Declined:
        return Written(text, str(_("Write with plain letters and signs only.")))


class About(NamedTuple):
    """What a case is about: an agreement, or an entry; and whose it is."""

    kind: CaseKind
    about: str
    agency: AgencyId


def opened(store: CaseStore, person: Person, about: About, sent: Written) -> Case | Written:
    """Return the case that was opened with a text, or the text with why there is none."""
    if sent.error:
        return sent
    try:
        return store.open(person, about.kind, about.about, about.agency, sent.text)
    except Refusal as refusal:
        if refusal.reason is not Reason.QUOTA_EXCEEDED:
            raise
        waiting = _("Too many of your cases wait for an answer. Write again when one is answered.")
        return Written(sent.text, str(waiting))
