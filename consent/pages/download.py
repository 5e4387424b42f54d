"""Download: everything about the reader as one signed file; the download itself is logged first."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from flask import stream_with_context
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent import cases
from consent.offer import Directory
from consent.pages import everything
from consent.pages.archive import Manifest, Part, Sign, archive
from consent.pages.everything import Held, Shelves
from consent.pages.frame import Visit
from consent.pages.making import Busy, Making
from consent.pages.telling import Teller
from kernel.canonical import Json
from kernel.clock import rfc3339
from kernel.entry import Concerned, Entry, EntryType, Ledger

MANIFEST_TYPE = "causeway-download+jwt"
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class Download:
    """Everything about a person, to keep."""

    shelves: Shelves
    directory: Directory
    ledger: Ledger
    sign: Sign
    making: Making = field(default_factory=Making)

    def download_page(self, visit: Visit) -> Response:
        """GET /download: what the file will hold."""
        held = self.shelves.held(visit.person)
        held = replace(held, entries=held.entries + 1)  # the download is one itself
        return visit.page("download.html", cuts=_cuts(held))

    def download_all(self, visit: Visit) -> Response:
        """POST /download: write down that the person takes it, then send it piece by piece."""
        visit.form.take()
        with ExitStack() as turn:
            try:
                turn.enter_context(self.making.one(visit.person.ref))
            except Busy:
                return visit.page("download_busy.html", TOO_MANY_REQUESTS)
            answer = self._answer(visit)
            answer.call_on_close(turn.pop_all().close)
            return answer

    def _answer(self, visit: Visit) -> Response:
        person = visit.person
        self.ledger.append(
            Entry(
                EntryType.SUBJECT_ACCESS,
                {},
                {"actor": {"method": "web", "level": visit.reader.level.value}},
                (Concerned(person.ref, person.subject),),
            )
        )
        held = self.shelves.held(person)
        about: dict[str, Json] = {
            "made": rfc3339(visit.at),
            "entries": min(held.entries, everything.MAX_ENTRIES),
            "entries_in_the_list": held.entries,
        }
        pieces = archive(self._parts(visit, held), Manifest(about, self.sign))
        answer = Response(stream_with_context(pieces), content_type="application/zip")
        name = f"causeway-{rfc3339(visit.at)[:10]}.zip"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _parts(self, visit: Visit, held: Held) -> Iterator[Part]:
        yield Part("README.txt", (_readme(held).encode(),))
        teller = Teller(self.directory, visit.language.tag)
        yield from self.shelves.parts(visit.person, held.entries, teller)


def _readme(held: Held) -> str:
    """Return what stands in the archive, in the reader's language."""
    lines = (
        _("This file holds what the gateway knows about you."),
        _("consents.json: what you allowed, refused or stopped, and every use of it."),
        _("activity.json: your list of everything that happened, newest first."),
        _("activity.csv: the same list for a spreadsheet."),
        _("cases.json: what you wrote to the privacy officers, and their answers."),
        _("receipts: one signed receipt for each of your choices."),
        _("manifest.json: a fingerprint of each file, so that a change shows."),
        _("manifest.jwt: the same, signed by the gateway. The keys are at /v1/receipts/keys."),
        _("The gateway keeps no facts about you from other offices. So none are in here."),
        *_cuts(held),
    )
    return "\n".join(str(line) for line in lines) + "\n"


def _cuts(held: Held) -> list[str]:
    """Return what a file leaves out, list by list; none where it holds everything."""
    lists = (
        (
            (held.entries, everything.MAX_ENTRIES),
            _("Your list has %(total)s entries. This file holds the newest %(most)s."),
        ),
        (
            (held.consents, everything.MAX_RECORDS),
            _("You have %(total)s consents. This file holds the newest %(most)s."),
        ),
        (
            (held.cases, cases.MOST_LISTED),
            _("You have %(total)s cases. This file holds the newest %(most)s."),
        ),
    )
    return [
        str(words) % {"total": total, "most": most}
        for (total, most), words in lists
        if total > most
    ]
