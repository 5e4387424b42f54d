import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identity.model import Credentials, Scope
from kernel.errors import Reason, Refusal
from kernel.names import ClientId
from tests.unit.identity.parts import PATH, Agency, World

EXCHANGE = Scope.EXCHANGE_REQUEST


def refused(world: World, credentials: Credentials, reason: Reason, scope: Any = EXCHANGE) -> None:
    with pytest.raises(Refusal) as caught:
        world.authenticate(credentials, scope)
    assert caught.value.reason is reason


def test_a_right_token_and_proof_make_a_caller(world: World) -> None:
    caller = world.authenticate(world.credentials(), EXCHANGE)
    assert (caller.client_id, caller.agency) == ("family-benefits", "family-benefits")
    assert caller.recipient.client_id == "family-benefits"
    assert caller.scopes == frozenset(Scope)
    assert caller.epoch == 2


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP", "dPoP"])
def test_d22_the_scheme_has_no_case(world: World, scheme: Any) -> None:
    token = world.token()
    line = (f"{scheme}  {token}",)
    world.authenticate(Credentials("POST", PATH, line, (world.agency.proof(token),)), EXCHANGE)


def test_no_authorization_is_token_missing_before_anything_else(world: World) -> None:
    for lines in ((), ("",)):
        refused(world, Credentials("POST", PATH, lines, ("x", "y")), Reason.TOKEN_MISSING)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "", "DPoPx", "DPoP\t"])
def test_d16_another_scheme_is_token_invalid(world: World, scheme: Any) -> None:
    good = world.credentials()
    lines = (good.authorization[0].replace("DPoP", scheme, 1),)
    refused(world, replace(good, authorization=lines), Reason.TOKEN_INVALID)
    world.authenticate(good, EXCHANGE)


def test_r9_two_authorization_headers(world: World) -> None:
    good = world.credentials()
    refused(world, replace(good, authorization=good.authorization * 2), Reason.TOKEN_INVALID)
    joined = (f"{good.authorization[0]},{good.authorization[0]}",)
    refused(world, replace(good, authorization=joined), Reason.TOKEN_INVALID)


@pytest.mark.parametrize("line", ["DPoP", "DPoP ", "DPoP x", "DPoP é", "DPoP a b", "DPoP \0"])
def test_a_malformed_token(world: World, line: Any) -> None:
    refused(world, replace(world.credentials(), authorization=(line,)), Reason.TOKEN_INVALID)


def test_the_token_is_judged_before_the_proof(world: World) -> None:
    refused(world, Credentials("POST", PATH, ("DPoP x",), ()), Reason.TOKEN_INVALID)
    good = world.credentials()
    refused(world, replace(good, dpop=()), Reason.DPOP_MISSING)
    refused(world, replace(good, dpop=("x",)), Reason.DPOP_INVALID)
    refused(world, replace(good, dpop=good.dpop * 2), Reason.DPOP_INVALID)


def test_the_proof_is_judged_before_the_scope(world: World) -> None:
    token = world.token(None, Scope.DIRECTORY_READ)
    line = (f"DPoP {token}",)
    refused(world, Credentials("POST", PATH, line, ("x",)), Reason.DPOP_INVALID)
    credentials = Credentials("POST", PATH, line, (world.agency.proof(token),))
    refused(world, credentials, Reason.SCOPE_INSUFFICIENT)
    refused(world, credentials, Reason.DPOP_REPLAYED)


def test_d13_a_proof_is_used_up_once(world: World) -> None:
    good = world.credentials()
    world.authenticate(good, EXCHANGE)
    refused(world, good, Reason.DPOP_REPLAYED)


def test_d13_of_fifty_at_once_exactly_one_wins(world: World) -> None:
    good, barrier = world.credentials(), threading.Barrier(50)

    def run(_: Any) -> Reason | None:
        barrier.wait()
        try:
            world.authenticate(good, EXCHANGE)
        except Refusal as refusal:
            return refusal.reason
        return None

    with ThreadPoolExecutor(50) as pool:
        reasons = list(pool.map(run, range(50)))
    assert reasons.count(None) == 1
    assert reasons.count(Reason.DPOP_REPLAYED) == 49


def test_d13_a_proof_stays_used_through_window_and_skew(world: World) -> None:
    token = world.token()
    ahead = world.agency.proof(token, iat=int(world.clock.seconds) + 10)
    credentials = Credentials("POST", PATH, (f"DPoP {token}",), (ahead,))
    world.authenticate(credentials, EXCHANGE)
    for _ in range(7):
        world.clock.seconds += 10
        world.store._until_tidy = 0
        refused(world, credentials, Reason.DPOP_REPLAYED)
    world.clock.seconds += 1
    refused(world, credentials, Reason.DPOP_INVALID)


def test_d15_a_valid_proof_by_another_key_than_the_tokens(world: World) -> None:
    token, thief = world.token(), Agency(world.clock)
    credentials = Credentials("POST", PATH, (f"DPoP {token}",), (thief.proof(token),))
    refused(world, credentials, Reason.DPOP_INVALID)


def test_a_proof_for_another_token_of_the_same_key(world: World) -> None:
    one, other = world.token(), world.token()
    credentials = Credentials("POST", PATH, (f"DPoP {one}",), (world.agency.proof(other),))
    refused(world, credentials, Reason.DPOP_INVALID)


def test_a_proof_for_another_path_or_method(world: World) -> None:
    good = world.credentials()
    refused(world, replace(good, path="/v1/services"), Reason.DPOP_INVALID)
    refused(world, replace(good, method="GET"), Reason.DPOP_INVALID)


def test_t29_a_client_disabled_meanwhile_is_refused_on_its_next_request(world: World) -> None:
    good = world.credentials()
    caller = world.authenticate(world.credentials(), EXCHANGE)
    world.clients.disable(ClientId("family-benefits"))
    refused(world, good, Reason.TOKEN_INVALID)
    with pytest.raises(Refusal, match=r"token\.invalid"):
        world.authenticate.refresh(caller)


def test_a_client_registered_otherwise_meanwhile_is_refused(world: World) -> None:
    good = world.credentials()
    world.database.writer.execute("UPDATE client SET scopes = 'directory.read'")
    refused(world, good, Reason.TOKEN_INVALID)
    world.database.writer.execute("UPDATE client SET agency = 'x', scopes = 'exchange.request'")
    refused(world, good, Reason.TOKEN_INVALID)
    world.database.writer.execute("DELETE FROM client")
    refused(world, good, Reason.TOKEN_INVALID)


def test_a_refreshed_caller_stands_under_the_new_epoch(world: World) -> None:
    caller = world.authenticate(world.credentials(), EXCHANGE)
    world.join(Agency(world.clock, id="other"))
    assert world.authenticate.refresh(caller) == replace(caller, epoch=caller.epoch + 1)


def test_a_lost_memory_refuses_with_state_unavailable_until_it_may_know(
    world: World, tmp_path: Path
) -> None:
    good = world.credentials()
    world.store.birth = int(world.clock.seconds)
    refused(world, good, Reason.STATE_UNAVAILABLE)
    world.clock.seconds += 12
    world.authenticate(world.credentials(), EXCHANGE)


def test_a_wrong_proof_uses_nothing_up(world: World) -> None:
    token = world.token()
    for proof in (
        Agency(world.clock).proof(token, jti="one"),
        world.agency.proof(token, jti="one", htm="GET"),
    ):
        refused(world, Credentials("POST", PATH, (f"DPoP {token}",), (proof,)), Reason.DPOP_INVALID)
    good = world.agency.proof(token, jti="one")
    world.authenticate(Credentials("POST", PATH, (f"DPoP {token}",), (good,)), EXCHANGE)


def test_where_no_scope_is_named_any_token_will_do(world: World) -> None:
    token = world.token(None, Scope.DIRECTORY_READ)
    credentials = Credentials("POST", PATH, (f"DPoP {token}",), (world.agency.proof(token),))
    assert world.authenticate(credentials, None).scopes == {Scope.DIRECTORY_READ}
