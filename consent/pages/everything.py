"""Everything: the files of a person's download: consents, activity, receipts, cases."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from consent.cases import CaseStore
from consent.model import Happened, Person, Record
from consent.pages.archive import Part
from consent.pages.cases import texts
from consent.pages.detail import Detail, How, detail
from consent.pages.ports import SignReceipt
from consent.pages.seen import PeopleLog, Seen
from consent.pages.telling import Teller, plain
from consent.reading import Reading
from consent.receipt import receipt_claims
from consent.rows import grants
from kernel.canonical import Json
from kernel.clock import rfc3339

MAX_ENTRIES = 10_000
MAX_RECORDS = 1_000
_BOM = "\ufeff"
_BEGINS_A_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_COLUMNS = ("number", "time", "what", "why", "who", "office", "service", "facts", "entry")


@dataclass(frozen=True, slots=True)
class Held:
    """How much there is about a person, of which a file holds the newest."""

    entries: int
    consents: int
    cases: int


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where everything about a person is found."""

    people: PeopleLog
    consents: Reading
    cases: CaseStore
    sign: SignReceipt

    def held(self, person: Person) -> Held:
        """Return how much there is about a person."""
        return Held(
            entries=self.people.count(person.ref),
            consents=len(self.consents.records(person.ref)),
            cases=self.cases.count(person.ref),
        )

    def parts(self, person: Person, upto: int, teller: Teller) -> Iterator[Part]:
        """Yield the files about a person, each made only when its turn comes."""
        records = self.consents.records(person.ref)[-MAX_RECORDS:]
        yield Part("consents.json", _array(self._record(one) for one in records))
        yield Part("activity.json", _array(map(_entry, self._seen(person, upto))))
        yield Part("activity.csv", _table(self._seen(person, upto), teller))
        yield Part("cases.json", _array(self._cases(person, teller)))
        for record in records:
            for event in self.consents.events(record.id):
                receipt = self._receipt(event, record)
                yield Part(f"receipts/{event.receipt}.jwt", (receipt.encode() + b"\n",))

    def _seen(self, person: Person, upto: int) -> Iterator[Seen]:
        return self.people.newest(person.ref, upto, MAX_ENTRIES)

    def _receipt(self, event: Happened, record: Record) -> str:
        notice = self.consents.notice(event.notice) if event.notice else None
        return self.sign(receipt_claims(event, record, notice))

    def _record(self, record: Record) -> Mapping[str, Json]:
        return {
            "consent": record.id,
            "agreement": record.agreement,
            "agency": record.agency,
            "state": record.state.value,
            "facts": grants(record.granted),
            "valid_from": rfc3339(record.valid_from),
            "valid_until": rfc3339(record.valid_until),
            "use_limit": record.use_limit,
            "events": [
                {
                    "time": rfc3339(one.time),
                    "type": one.type,
                    "method": one.method,
                    "facts": grants(one.granted),
                    "entry": one.index,
                    "receipt": one.receipt,
                }
                for one in self.consents.events(record.id)
            ],
            "uses": [
                {"time": rfc3339(use.at), "agency": use.agency, "service": use.service}
                for use in self.consents.uses(record.id)
            ],
        }

    def _cases(self, person: Person, teller: Teller) -> Iterator[Mapping[str, Json]]:
        for case in self.cases.of(person.ref):
            told = texts(case, self.people, teller)
            yield {
                "case": case.id,
                "kind": case.kind.value,
                "about": case.about,
                "agency": case.agency,
                "state": case.state.value,
                "opened": rfc3339(case.opened),
                "closed": None if case.closed is None else rfc3339(case.closed),
                "text": told.said,
                "answer": told.answer,
            }


def cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text


def _entry(seen: Seen) -> Mapping[str, Json]:
    return {
        "number": seen.number,
        "entry": seen.index,
        "header": dict(seen.header),
        "disclosures": dict(seen.disclosures),
    }


def _array(items: Iterable[Mapping[str, Json]]) -> Iterator[bytes]:
    """Yield a JSON array, one item a line."""
    begin = b"[\n"
    for item in items:
        yield begin + json.dumps(item, ensure_ascii=False).encode()
        begin = b",\n"
    yield b"[]\n" if begin == b"[\n" else b"\n]\n"


def _table(entries: Iterable[Seen], teller: Teller) -> Iterator[bytes]:
    """Yield the activity as CSV (RFC 4180), with the mark by which spreadsheets know UTF-8."""
    yield (_BOM + _line(_COLUMNS)).encode()
    for seen in entries:
        yield _line(_cells(detail(seen, teller))).encode()


def _cells(entry: Detail) -> tuple[str, ...]:
    facts = (one.title.text for one in entry.facts if one.how is not How.WITHHELD)
    return (
        str(entry.seen.number),
        rfc3339(entry.at),
        plain(entry.sentence),
        entry.why,
        entry.agency.text if entry.agency else "",
        entry.office.text if entry.office else "",
        entry.service.text if entry.service else "",
        "; ".join(facts),
        str(entry.seen.index),
    )


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([cell(one) for one in cells])
    return text.getvalue()
