"""Seeing: the pages on which people see everything, put together over opened rooms."""

from collections.abc import Sequence
from dataclasses import dataclass

from consent.cases import CaseStore
from consent.offer import Directory
from consent.pages.activity import Activity
from consent.pages.cases import OwnCases
from consent.pages.download import MANIFEST_TYPE, Download
from consent.pages.everything import Shelves
from consent.pages.law import RequiredByLaw
from consent.pages.officer import Officer
from consent.pages.ports import SignReceipt
from crypto.jose import sign
from gateway.observing.log import fault
from gateway.people.log import PeopleLog
from gateway.rooms import Rooms


@dataclass(frozen=True, slots=True)
class _Prover:
    """What evidence files are made with."""

    rooms: Rooms

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof in the tree of the latest checkpoint."""
        return self.rooms.ledger.proof(index)

    def vkey(self) -> str:
        """Return the verifier key of the log (C2SP signed-note)."""
        return self.rooms.signer.vkey


def people_log(rooms: Rooms) -> PeopleLog:
    """Return what reads people's lists out of the ledger."""
    return PeopleLog(rooms.database, rooms.root, _Prover(rooms), fault)


def seeing(rooms: Rooms, directory: Directory, receipts: SignReceipt) -> Sequence[object]:
    """Return the pages; each has a method for each of its views in the table of routes."""
    people = people_log(rooms)
    cases = CaseStore(rooms.database, rooms.ledger, rooms.chance, rooms.pseudonyms.open)
    issuer = rooms.settings.public_url
    return (
        Activity(people, directory, cases),
        RequiredByLaw(directory, cases),
        OwnCases(people, directory, cases),
        Download(
            Shelves(people, rooms.consents, cases, receipts),
            directory,
            rooms.ledger,
            lambda told: sign({"iss": issuer, **told}, MANIFEST_TYPE, rooms.keys.receipt),
        ),
        Officer(people, directory, cases, rooms.ledger),
    )
