"""Country: the demo's residents, agencies and standing consents, ready before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import ECKey

from consent.model import Act, Choice, Kind, Means, Person, Terms
from gateway.demo.signin import environment
from gateway.demo.signin import prepare as prepare_signin
from gateway.demo.sources import COUNT, Resident, Residents
from gateway.demo.sources import build as build_sources
from gateway.demo.state import write_document
from gateway.model import Agreement, Basis
from gateway.rooms import Rooms, bring_into_force, opened
from gateway.setup.settings import Settings
from gateway.terms import terms_of
from identity.model import Scope
from kernel.canonical import Json, canonical
from kernel.chance import SystemChance
from kernel.names import AgencyId, ClientId, ServiceId, Subject

SEED = "causeway"
SCHEME = "resident-number"
STANDING = 40
"""How many residents have a standing consent; as many others are listed without one."""
ROOT = Path(__file__).parents[2]
_SCOPES = (Scope.DIRECTORY_READ, Scope.EXCHANGE_REQUEST, Scope.CONSENT_REQUEST)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo lives."""

    state: Path
    port: int

    @property
    def gateway(self) -> str:
        """Return the gateway's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def signin(self) -> str:
        """Return the try-out sign-in's address."""
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def tax(self) -> str:
        """Return the tax service's address."""
        return f"http://127.0.0.1:{self.port + 2}"


@dataclass(frozen=True, slots=True)
class Country:
    """Everything that the story and the outside world need to know."""

    place: Place
    settings: Mapping[str, str]
    """The `GATEWAY_` settings under which other commands reach the same gateway."""
    sources: Residents
    agreements: tuple[Agreement, ...]
    agencies: tuple[AgencyId, ...]
    held: Mapping[ServiceId, int]
    """How many fields each service could tell."""

    @property
    def amina(self) -> Resident:
        """Return the story's own person."""
        return self.sources.people[0]

    def environ(self) -> dict[str, str]:
        """Return the environment of a command in this country."""
        kept = {name: value for name, value in os.environ.items() if "GATEWAY_" not in name}  # noqa: TID251 - handed to a child process
        return {**kept, **self.settings}


def found(place: Place, residents: int = COUNT, more: Mapping[str, str] | None = None) -> Country:
    """Write the sources, register the agencies, and give the standing consents; `residents` is how
    many there are, where not the demo's own number, `more` further settings."""
    sources = build_sources(place.state / "sources", SEED, SystemChance(), residents)
    settings = _settings(place, sources) | dict(more or {})
    names = ((one.number, f"{one.given} {one.family}") for one in sources.people)
    prepare_signin(place.state / "signin", names)
    with opened(Settings.parse(settings)) as rooms:
        bring_into_force(rooms)
        in_force = rooms.control.now()
        agreements = tuple(in_force.agreements.values())
        agencies = tuple(sorted({agreement.agency for agreement in agreements}))
        for agency in agencies:
            _register(rooms, place, agency)
        for resident in sources.people[1 : STANDING + 1]:
            for agreement in agreements:
                if agreement.basis is Basis.CONSENT:
                    _consent(rooms, resident, terms_of(agreement))
        held = {one.id: len(one.fields) for one in in_force.services.values()}
    return Country(place, settings, sources, agreements, agencies, held)


def document(country: Country, pids: Mapping[str, int]) -> dict[str, Json]:
    """Return what `demo.json` tells the world outside."""
    consented = [one.id for one in country.agreements if one.basis is Basis.CONSENT]
    listed = country.sources.people[1 : 2 * STANDING + 1]
    return {
        "gateway": country.place.gateway,
        "issuer": country.place.gateway,
        "audience": country.place.gateway,
        "signin": country.place.signin,
        "env": dict(country.settings),
        "processes": dict(pids),
        "agencies": {
            agency: {
                "client_id": client_of(agency),
                "client_key": f"agencies/{agency}/client.jwk.json",
                "seal_key": f"agencies/{agency}/seal.jwk.json",
            }
            for agency in country.agencies
        },
        "agreements": [
            {
                "id": one.id,
                "agency": one.agency,
                "basis": one.basis.value,
                "services": {name: list(fields) for name, fields in one.services.items()},
            }
            for one in country.agreements
        ],
        "residents": [
            {
                "scheme": SCHEME,
                "value": one.number,
                "signin": one.number,
                "consents": consented if place < STANDING else [],
            }
            for place, one in enumerate(listed)
        ],
    }


def client_of(agency: AgencyId) -> ClientId:
    """Return the client id of an agency's demo system."""
    return ClientId(f"{agency}-1")


def _settings(place: Place, sources: Residents) -> dict[str, str]:
    home = place.state / "gateway"
    return {
        "GATEWAY_MODE": "demo",
        "GATEWAY_PUBLIC_URL": place.gateway,
        "GATEWAY_STATE_DIR": str(home),
        "GATEWAY_DATABASE_URL": f"sqlite:///{home / 'causeway.db'}",
        "GATEWAY_POLICIES": str(ROOT / "policies"),
        "GATEWAY_SOURCE_POPULATION_URL": f"sqlite:///{sources.register}",
        "GATEWAY_SOURCE_TAX_URL": place.tax,
        "GATEWAY_SOURCE_TAX_SECRET_FILE": str(sources.secret),
        "GATEWAY_SOURCE_EDUCATION_URL": sources.schools.as_uri(),
        **environment(place.signin),
    }


def _register(rooms: Rooms, place: Place, agency: AgencyId) -> None:
    """Make an agency's keys where only the agency looks, and register their public halves."""
    home = place.state / "agencies" / agency
    home.mkdir(mode=0o700)
    public: list[Json] = []
    for use, name in (("sig", "client"), ("enc", "seal")):
        key = ECKey.generate_key("P-256", {"use": use, "kid": f"{agency}-{use}-1"})
        write_document(home / f"{name}.jwk.json", _members(key, private=True))
        public.append(_members(key, private=False))
    rooms.clients.add(agency, client_of(agency), canonical({"keys": public}), _SCOPES)


def _members(key: ECKey, *, private: bool) -> dict[str, Json]:
    return {name: str(value) for name, value in key.as_dict(private=private).items()}


def _consent(rooms: Rooms, resident: Resident, terms: Terms) -> None:
    subject = Subject(SCHEME, resident.number)
    person = Person(subject, rooms.pseudonyms.ref(subject), rooms.pseudonyms.seal(subject))
    choice = Choice(terms.offered, terms.max_valid_days, terms.max_uses)
    means = Means("counter", "clerk-1")
    rooms.consents.carry_out(Act(Kind.GIVE, person, terms, means, choice))
