"""The stage of the benchmarks: a country's rooms in this process, people, and made credentials."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

from consent.model import Act, Choice, Kind, Means, Person
from gateway.app import gates_of, limits_of, pipeline_of
from gateway.ask import Posted
from gateway.demo.country import SCHEME, Country, Place, found
from gateway.demo.sources import check_digit
from gateway.demo.state import prepare
from gateway.door import Door, front_door
from gateway.pipeline import Pipeline
from gateway.rooms import Rooms, opened
from gateway.setup.settings import Settings
from gateway.short_lived import short_lived
from gateway.terms import terms_of
from identity.model import Credentials
from kernel.names import AgreementId, Subject
from tests.agency import Agency
from tests.country import AGREEMENT
from tests.ports import free_port

PATH = "/v1/exchanges"
UNLIMITED = {"GATEWAY_RATE_CLIENT": "1000000/1", "GATEWAY_RATE_AGREEMENT": "1000000/1"}
"""A benchmark asks more often than any agency may."""
RENEWED = 120.0
"""Seconds after which a new token is made; one lives for five minutes."""


@dataclass
class Stage:
    """The gateway's rooms without its server."""

    country: Country
    rooms: Rooms
    door: Door
    pipeline: Pipeline
    agency: Agency
    issued: float = -inf
    """When the token at hand was issued, in seconds of the clock that only goes forward."""

    @property
    def token(self) -> str:
        """Return a token that is young enough for whatever is made with it."""
        if (now := self.rooms.clock.monotonic()) - self.issued > RENEWED:
            client, _ = self.rooms.clients.find(self.agency.client_id)
            jkt = self.agency.proof_key.thumbprint()
            tokens = self.door.authenticate._tokens
            self.agency.held = tokens.issue(client, client.scopes, jkt)
            self.issued = now
        return self.agency.held

    def credentials(self) -> Credentials:
        """Return fresh credentials; making the proof is the caller's cost, not the gateway's."""
        token = self.token
        proof = self.agency.proof("POST", PATH, token)
        return Credentials("POST", PATH, (f"DPoP {token}",), (proof,))

    def posted(self, number: str, service: str, fields: list[str]) -> Posted:
        """Return a request as it was posted."""
        body = {
            "agreement": AGREEMENT,
            "service": service,
            "subject": {"scheme": SCHEME, "value": number},
            "fields": fields,
            "case": "FA-2026-00042",
            "user": "clerk-4471",
        }
        return Posted(json.dumps(body).encode(), "application/json", "", False, False)

    def person(self, number: str) -> Person:
        """Return somebody by number, who need not be in any register."""
        subject = Subject(SCHEME, number)
        return Person(
            subject, self.rooms.pseudonyms.ref(subject), self.rooms.pseudonyms.seal(subject)
        )

    def consent(self, number: str, *, partly: bool = False) -> None:
        """Give somebody's consent to all that the family allowance offers, or to what it needs;
        a second time it is renewed."""
        agreement = self.rooms.control.now().agreements[AgreementId(AGREEMENT)]
        terms = terms_of(agreement)
        granted = terms.required if partly else terms.offered
        choice = Choice(granted, terms.max_valid_days, terms.max_uses)
        self.rooms.consents.carry_out(
            Act(Kind.GIVE, self.person(number), terms, Means("counter", "c-1"), choice)
        )


@contextmanager
def staged(directory: Path, **settings: str) -> Iterator[Stage]:
    """Open a country's rooms in this process, with further settings."""
    country = found(Place(prepare(directory), free_port()), more=settings)
    home = country.place.state / "agencies" / "family-benefits"
    keys = [json.loads((home / f"{name}.jwk.json").read_text()) for name in ("client", "seal")]
    agency = Agency(country.place.gateway, "family-benefits-1", *keys)
    with opened(Settings.parse({**country.settings, **UNLIMITED})) as rooms:
        kept = short_lived(rooms)
        door = front_door(rooms, kept.replay)
        pipeline = pipeline_of(rooms, door.authenticate, limits_of(rooms, kept), gates_of(rooms))
        yield Stage(country, rooms, door, pipeline, agency)


def number_of(place: int) -> str:
    """Return a well-formed resident number."""
    six = f"{place:06d}"
    return f"RN-{six}{check_digit(six)}"
