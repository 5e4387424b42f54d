import json
from typing import Any, Never

import pytest
from joserfc.jwk import ECKey, OKPKey

from crypto.model import Recipient
from identity.clients import Clients, recipient
from identity.model import Client, Scope
from kernel.database import StorageError
from kernel.entry import EntryType, Logged
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, ClientId
from tests.unit.crypto.forge import jwk
from tests.unit.identity.parts import Agency, World

EXCHANGE = frozenset({Scope.EXCHANGE_REQUEST})


def add(
    world: World, jwks: Any, client_id: str | None = "new-client", agency: Agency = "tax"
) -> Logged:
    text = jwks if isinstance(jwks, bytes) else json.dumps(jwks).encode()
    return world.clients.add(AgencyId(agency), ClientId(client_id), text, EXCHANGE)


def refused(world: World, *arguments: Any) -> str:
    before = len(world.ledger.entries)
    with pytest.raises(Refusal) as caught:
        add(world, *arguments)
    assert caught.value.reason is Reason.REQUEST_MALFORMED
    assert len(world.ledger.entries) == before
    return caught.value.detail


def test_an_added_client_is_found_with_the_epoch_in_one_read(world: World) -> None:
    statements = []
    world.database.read().set_trace_callback(statements.append)
    client, epoch = world.clients.find(ClientId("family-benefits"))
    assert len(statements) == 1
    assert client.agency == "family-benefits"
    assert client.scopes == frozenset(Scope)
    assert client.active
    assert epoch == 2


def test_an_unknown_client_is_none_with_the_epoch(world: World) -> None:
    assert world.clients.find(ClientId("nobody")) == (None, 2)
    assert world.clients.find(ClientId("' OR '1'='1")) == (None, 2)


def test_adding_is_a_control_entry_that_names_keys_by_thumbprint(world: World) -> None:
    agency = Agency(world.clock, id="new-client")
    add(world, agency.jwks())
    entry = world.ledger.entries[-1]
    assert entry.type is EntryType.CLIENT_ADDED
    assert (entry.control, entry.restricts) == (True, False)
    assert entry.header == {"agency": "tax", "client": "new-client"}
    assert entry.disclosures == {
        "request": {
            "scopes": ["exchange.request"],
            "keys": [
                {"use": "sig", "jkt": agency.key.thumbprint()},
                {"use": "enc", "jkt": agency.seal.thumbprint()},
            ],
        }
    }


def test_disabling_is_a_control_entry_that_restricts_and_is_final(world: World) -> None:
    world.clients.disable(ClientId("family-benefits"))
    entry = world.ledger.entries[-1]
    assert entry.type is EntryType.CLIENT_DISABLED
    assert (entry.control, entry.restricts) == (True, True)
    assert not world.clients.find(ClientId("family-benefits"))[0].active
    for client_id in ("family-benefits", "nobody"):
        with pytest.raises(Refusal, match=r"request\.malformed"):
            world.clients.disable(ClientId(client_id))
    assert "already" in refused(world, Agency(world.clock).jwks(), "family-benefits")


def test_an_id_is_never_registered_twice(world: World) -> None:
    assert "already" in refused(world, Agency(world.clock).jwks(), "family-benefits")


def test_all_clients_are_listed_disabled_ones_too(world: World) -> None:
    add(world, Agency(world.clock).jwks(), "aaa")
    world.clients.disable(ClientId("aaa"))
    assert [(c.id, c.active) for c in world.clients.registered()] == [
        ("aaa", False),
        ("family-benefits", True),
    ]


def test_only_public_members_are_kept(world: World) -> None:
    jwks = Agency(world.clock).jwks()
    jwks["keys"][0]["x5c"] = ["AAAA"]
    add(world, jwks)
    kept = json.loads(world.find(ClientId("new-client")).jwks)
    assert kept["keys"][0].keys() == {"kty", "crv", "x", "y", "kid", "use"}


def test_answers_are_sealed_to_the_registered_sealing_key(world: World) -> None:
    to = recipient(world.find(ClientId("family-benefits")))
    assert to.client_id == "family-benefits"
    assert json.loads(to.key)["kid"] == "family-benefits-enc"
    assert isinstance(to, Recipient)
    with pytest.raises(Refusal):
        recipient(Client(ClientId("x"), AgencyId("x"), EXCHANGE, '{"keys":[]}', active=True))
    with pytest.raises(Refusal):
        recipient(Client(ClientId("x"), AgencyId("x"), EXCHANGE, "{}", active=True))


def test_a_jwks_that_is_not_right_registers_nobody(world: World) -> None:
    sig, enc = ECKey.generate_key("P-256"), OKPKey.generate_key("X25519")
    one, two = jwk(sig, use="sig", kid="s"), jwk(enc, use="enc", kid="e")
    for jwks in (
        b"",
        b"{",
        b'{"keys":[],"keys":[]}',
        b"x" * 20_000,
        {"keys": [one]},
        {"keys": [two]},
        {"keys": [one, two, {**two, "kid": "e2"}]},
        {"keys": [{**one, "d": "AA"}, two]},
        {"keys": [one, jwk(sig, use="enc", kid="e")]},
        {"keys": [one, jwk(ECKey.generate_key("P-384"), use="enc", kid="e")]},
    ):
        refused(world, jwks)


@pytest.mark.parametrize("name", ["", "a|b", "a b", "é", "a/b", "-a", "x" * 129, "a\n"])
def test_a_name_that_could_be_mistaken_is_refused(world: World, name: str) -> None:
    refused(world, Agency(world.clock).jwks(), name)
    refused(world, Agency(world.clock).jwks(), "new-client", name)


def test_a_database_that_does_not_answer_is_ledger_unavailable(world: World) -> None:
    class Broken:
        def read(self) -> Never:
            raise StorageError("disk I/O error")

    clients = Clients(Broken(), world.ledger)
    for ask in (clients.registered, lambda: clients.find(ClientId("x"))):
        with pytest.raises(Refusal) as caught:
            ask()
        assert caught.value.reason is Reason.LEDGER_UNAVAILABLE
    world.database.writer.execute("DELETE FROM ledger_state")
    with pytest.raises(Refusal, match=r"ledger\.unavailable"):
        world.clients.find(ClientId("family-benefits"))
