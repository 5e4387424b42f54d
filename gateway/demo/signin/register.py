"""Register: who may be picked at the try-out provider, and which clients it knows."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from identity.model import Realm
from identity.oidc_model import PREFIX

OFFICERS = {"officer-1": "Privacy officer 1", "officer-2": "Privacy officer 2"}
ROLE = "privacy-officer"
CLAIM = "resident_number"
_CLIENTS = {Realm.RESIDENT: "causeway-residents", Realm.OFFICER: "causeway-officers"}


@dataclass(frozen=True, slots=True)
class Client:
    """The gateway as the provider knows it, one client for each kind of people."""

    id: str
    realm: Realm
    redirect_uris: frozenset[str]
    post_logout_redirect_uris: frozenset[str]
    backchannel_logout_uri: str
    jwks_uri: str

    @property
    def origin(self) -> str:
        """Return where its pages are."""
        return self.jwks_uri.removesuffix("/login/keys")


@dataclass(frozen=True, slots=True, repr=False)
class Register:
    """The people by the name that is picked, and the clients by their id."""

    residents: Mapping[str, str]
    officers: Mapping[str, str]
    clients: Mapping[str, Client]

    @classmethod
    def load(cls, file: Path, gateway: str) -> "Register":
        """Return the register of a file that `prepare` wrote; raises `OSError` or `ValueError`."""
        residents = json.loads(file.read_text(encoding="utf-8"))["residents"]
        clients = {client.id: client for client in _clients(gateway)}
        return cls(residents, OFFICERS, clients)

    def people(self, realm: Realm) -> Mapping[str, str]:
        """Return who may be picked by a kind of people."""
        return self.residents if realm is Realm.RESIDENT else self.officers


def prepare(directory: Path, residents: Iterable[tuple[str, str]]) -> Path:
    """Write the register's file from numbers and names, for its owner alone, and return it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / "people.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"residents": dict(residents)}), encoding="utf-8")
    return file


def environment(issuer: str) -> dict[str, str]:
    """Return the settings by which the gateway signs people in here."""
    return {
        "GATEWAY_OIDC_ISSUER": issuer,
        "GATEWAY_OIDC_CLIENT_ID": _CLIENTS[Realm.RESIDENT],
        "GATEWAY_OIDC_PERSON_CLAIM": CLAIM,
        "GATEWAY_OFFICER_OIDC_CLIENT_ID": _CLIENTS[Realm.OFFICER],
    }


def _clients(gateway: str) -> Iterable[Client]:
    for realm, client_id in _CLIENTS.items():
        prefix = gateway + PREFIX[realm]
        yield Client(
            id=client_id,
            realm=realm,
            redirect_uris=frozenset({f"{prefix}/login/callback"}),
            post_logout_redirect_uris=frozenset({f"{gateway}/"}),
            backchannel_logout_uri=f"{prefix}/backchannel-logout",
            jwks_uri=f"{gateway}/login/keys",
        )
