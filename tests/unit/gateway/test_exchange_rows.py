"""Exchanges: one row that tells how far each came, written by the effects of its entries."""

import orjson
import pytest

from gateway.exchanges import State, both, closed, key_of, opened
from kernel.clock import SECOND
from kernel.effect import Effect, Key, Moment, Write
from kernel.errors import Reason, Refusal
from tests.unit.gateway import parts

KEY = key_of("ex_1")
LATER = parts.NOW + 3 * SECOND + 999_999


def apply(effect, row=None, at=parts.NOW, index=7):
    (write,) = effect.apply({KEY: row}, Moment(at, index))
    assert write.key == KEY == Key("exchange", ("ex_1",))
    return write.row


def test_a_decision_opens_an_exchange_and_keeps_whom_it_is_about_encrypted():
    effect = opened(parts.docket(), State.OPEN, b"sealed identifier")
    assert effect.reads == ()
    assert apply(effect) == {
        "id": "ex_1",
        "client": "fb-1",
        "agency": "family-benefits",
        "agreement": "family-allowance",
        "service": "population/residents",
        "state": "open",
        "opened": parts.NOW,
        "decision": 7,
        "closing": None,
        "receipt": None,
        "person": parts.CONCERNED.ref,
        "identifier": b"sealed identifier",
    }


def test_a_refusal_ends_an_exchange_at_once_and_keeps_nobody():
    row = apply(opened(parts.docket(), State.REFUSED, None))
    assert (row["state"], row["decision"], row["closing"]) == ("refused", 7, 7)
    assert (row["person"], row["identifier"]) == (None, None)


def test_what_was_never_resolved_is_left_empty():
    docket = parts.docket(person=None, agreement=None, service=None)
    row = apply(opened(docket, State.REFUSED, None))
    assert (row["agreement"], row["service"], row["person"]) == ("", "", None)


def test_a_release_closes_the_row_and_keeps_the_claims_with_the_entrys_second():
    held = apply(opened(parts.docket(), State.OPEN, b"sealed identifier"))
    row = apply(closed("ex_1", State.RELEASED, {"aud": "fb-1"}), held, LATER, 9)
    assert orjson.loads(row["receipt"]) == {"aud": "fb-1", "iat": LATER // SECOND}
    changed = {"state", "closing", "receipt", "person", "identifier"}
    assert (row["state"], row["closing"]) == ("released", 9)
    assert (row["person"], row["identifier"]) == (None, None)
    assert {name: row[name] for name in row.keys() - changed} == {
        name: held[name] for name in held.keys() - changed
    }


def test_a_refusal_after_the_decision_closes_the_row_without_a_receipt():
    held = apply(opened(parts.docket(), State.OPEN, b"sealed identifier"))
    row = apply(closed("ex_1", State.REFUSED), held, LATER, 9)
    assert (row["state"], row["closing"], row["receipt"]) == ("refused", 9, None)


@pytest.mark.parametrize("state", [None, State.RELEASED, State.REFUSED])
@pytest.mark.parametrize("then", [State.RELEASED, State.REFUSED])
def test_an_exchange_ends_once(state, then):
    held = None if state is None else {"state": state.value}
    with pytest.raises(Refusal) as refusal:
        apply(closed("ex_1", then, {}), held)
    assert refusal.value.reason is Reason.SOURCE_TIMEOUT


def test_two_effects_read_and_write_as_one_and_the_first_to_refuse_decides():
    one, other = Key("control", ("a",)), Key("control", ("b",))

    def refuse(rows, moment):
        raise Refusal(Reason.POLICY_DENIED, "")

    first = Effect((one,), lambda rows, moment: (Write(one, {"n": moment.index}),))
    second = Effect((other,), lambda rows, moment: (Write(other, {"n": rows[one]["n"]}),))
    effect = both(first, second)
    assert effect.reads == (one, other)
    assert effect.apply({one: {"n": 5}, other: None}, Moment(parts.NOW, 3)) == (
        (one, {"n": 3}),
        (other, {"n": 5}),
    )
    with pytest.raises(Refusal):
        both(first, Effect((), refuse)).apply({}, Moment(parts.NOW, 3))
