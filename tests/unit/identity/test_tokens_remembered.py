"""A token that was verified once is known again, and is judged as if it had never been seen."""

from typing import Any

import pytest

from identity import tokens
from identity.model import Credentials, Scope
from kernel.errors import Reason, Refusal
from kernel.names import ClientId
from tests.unit.identity.parts import PATH, Agency, World

EXCHANGE = Scope.EXCHANGE_REQUEST


def reason(world: World, text: str) -> Reason | None:
    try:
        world.tokens.verify(text)
    except Refusal as refusal:
        return refusal.reason
    return None


def test_a_known_token_is_the_same_token_without_another_look_at_its_signature(
    world: World, monkeypatch: Any
) -> None:
    text = world.token()
    first = world.tokens.verify(text)
    monkeypatch.setattr(tokens, "verify", None)
    assert world.tokens.verify(text) is first


@pytest.mark.parametrize("later", [300, 301, 3600])
def test_a_known_token_expires(world: World, later: int) -> None:
    text = world.token()
    world.tokens.verify(text)
    world.clock.seconds += later
    assert reason(world, text) is Reason.TOKEN_EXPIRED


def test_a_known_token_is_dated_ahead_when_the_clock_went_back(world: World) -> None:
    text = world.token()
    world.tokens.verify(text)
    world.clock.seconds -= 11
    assert reason(world, text) is Reason.TOKEN_INVALID


def test_no_text_that_differs_from_a_known_token_passes_for_it(world: World) -> None:
    text = world.token()
    world.tokens.verify(text)
    for place in range(0, len(text), 7):
        other = "A" if text[place] != "A" else "B"
        assert reason(world, text[:place] + other + text[place + 1 :]) is Reason.TOKEN_INVALID
    for other in (text + "=", text + " ", " " + text, text[:-1], text.replace(".", "..", 1)):
        assert reason(world, other) is Reason.TOKEN_INVALID


def test_a_token_that_was_refused_is_not_known(world: World) -> None:
    text = world.own_token(iss="https://other.example")
    for _ in range(2):
        assert reason(world, text) is Reason.TOKEN_INVALID
    assert world.tokens._seen.get(tokens.sha256(text.encode()).digest()) is None


def test_a_known_token_of_a_client_that_was_disabled_is_refused_at_once(world: World) -> None:
    credentials = [world.credentials() for _ in range(2)]
    world.authenticate(credentials[0], EXCHANGE)
    world.clients.disable(ClientId("family-benefits"))
    with pytest.raises(Refusal) as caught:
        world.authenticate(credentials[1], EXCHANGE)
    assert caught.value.reason is Reason.TOKEN_INVALID


def test_a_known_token_needs_its_own_key_at_every_request(world: World) -> None:
    token, stranger = world.token(), Agency(world.clock, id="family-benefits")
    for agency, passes in ((world.agency, True), (stranger, False), (world.agency, True)):
        shown = Credentials("POST", PATH, (f"DPoP {token}",), (agency.proof(token),))
        if passes:
            world.authenticate(shown, EXCHANGE)
            continue
        with pytest.raises(Refusal) as caught:
            world.authenticate(shown, EXCHANGE)
        assert caught.value.reason is Reason.DPOP_INVALID


def test_only_so_many_tokens_are_known(world: World, monkeypatch: Any) -> None:
    assert world.tokens._seen.most == tokens._MAX_SEEN
    monkeypatch.setattr(world.tokens._seen, "most", 2)
    texts = [world.token() for _ in range(3)]
    for text in texts:
        world.tokens.verify(text)
    known = [world.tokens._seen.get(tokens.sha256(text.encode()).digest()) for text in texts]
    assert [one is not None for one in known] == [False, True, True]
