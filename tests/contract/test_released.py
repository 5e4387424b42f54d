"""Released exchanges: a client's own, with a receipt that is made again from the ledger."""

import pytest

from gateway.exchanges import State, closed, opened
from gateway.released import ReleasedExchanges
from kernel.clock import SECOND
from tests.contract import ledger_stage as stage
from tests.unit.gateway import parts

CLAIMS = {"aud": "fb-1", "fields": ["/name/family"]}


class Kept:
    """Exchanges in a real ledger, and a signature that shows what was signed."""

    def __init__(self, log):
        self.ledger = log.ledger
        self.released = ReleasedExchanges(log.database, self, self.sign)

    @property
    def origin(self):
        return stage.ORIGIN

    def proof(self, index):
        return self.ledger.proof(index)

    def sign(self, claims, place):
        self.signed = (dict(claims), place)
        return "r.e.c"

    def open(self):
        docket = parts.docket()
        return self.ledger.append(
            stage.decision("ex_1", parts.CONCERNED), opened(docket, State.OPEN, b"sealed")
        )

    def find(self, exchange="ex_1", client="fb-1"):
        return self.released.find(exchange, client)


@pytest.fixture
def kept(place):
    with stage.Stage(place).open() as log:
        yield Kept(log)


def test_an_exchange_that_runs_is_open_and_has_no_receipt(kept):
    kept.open()
    assert kept.find() == {"exchange": "ex_1", "state": "open"}


def test_an_exchange_that_was_refused_has_no_receipt(kept):
    kept.open()
    kept.ledger.append(stage.refusal("ex_1"), closed("ex_1", State.REFUSED))
    assert kept.find() == {"exchange": "ex_1", "state": "refused"}


def test_a_released_exchange_has_the_receipt_of_its_release(kept):
    kept.open()
    logged = kept.ledger.append(
        stage.release("ex_1", parts.CONCERNED), closed("ex_1", State.RELEASED, CLAIMS)
    )
    assert kept.find() == {"exchange": "ex_1", "state": "released", "receipt": "r.e.c"}
    claims, place = kept.signed
    assert claims == {**CLAIMS, "iat": logged.time // SECOND}
    assert (place.origin, place.index, place.leaf_hash) == (
        stage.ORIGIN,
        logged.index,
        logged.leaf_hash,
    )
    assert place.proof.startswith("c2sp.org/tlog-proof@v1\n")


@pytest.mark.parametrize(("exchange", "client"), [("ex_1", "fb-2"), ("ex_2", "fb-1")])
def test_an_exchange_of_another_client_is_not_there(kept, exchange, client):
    kept.open()
    assert kept.find(exchange, client) is None
