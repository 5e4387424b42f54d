"""Download: everything about the reader as one signed file; the download itself is logged first."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import stream_with_context
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent.offer import Directory
from consent.pages.archive import Manifest, Part, Sign, archive
from consent.pages.everything import MAX_ENTRIES, Shelves
from consent.pages.frame import Visit
from consent.pages.telling import Teller
from kernel.canonical import Json
from kernel.clock import rfc3339
from kernel.entry import Concerned, Entry, EntryType, Ledger

MANIFEST_TYPE = "causeway-download+jwt"


@dataclass(frozen=True, slots=True)
class Download:
    """Everything about a person, to keep."""

    shelves: Shelves
    directory: Directory
    ledger: Ledger
    sign: Sign

    def download_page(self, visit: Visit) -> Response:
        """GET /download: what the file will hold."""
        total = self.shelves.people.count(visit.person.ref)
        return visit.page("download.html", total=total, most=MAX_ENTRIES)

    def download_all(self, visit: Visit) -> Response:
        """POST /download: write down that the person takes it, then send it piece by piece."""
        visit.form.take()
        person = visit.person
        self.ledger.append(
            Entry(
                EntryType.SUBJECT_ACCESS,
                {},
                {"actor": {"method": "web", "level": visit.reader.level.value}},
                (Concerned(person.ref, person.subject),),
            )
        )
        upto = self.shelves.people.count(person.ref)
        about: dict[str, Json] = {
            "made": rfc3339(visit.at),
            "entries": min(upto, MAX_ENTRIES),
            "entries_in_the_list": upto,
        }
        parts = self._parts(visit, upto)
        pieces = archive(parts, Manifest(about, self.sign))
        answer = Response(stream_with_context(pieces), content_type="application/zip")
        name = f"causeway-{rfc3339(visit.at)[:10]}.zip"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def _parts(self, visit: Visit, upto: int) -> Iterator[Part]:
        yield Part("README.txt", (_readme(upto).encode(),))
        yield from self.shelves.parts(
            visit.person, upto, Teller(self.directory, visit.language.tag)
        )


def _readme(total: int) -> str:
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
        _(
            "Your list has %(total)s entries. This file holds the newest %(most)s at most.",
            total=total,
            most=MAX_ENTRIES,
        ),
    )
    return "\n".join(str(line) for line in lines) + "\n"
