"""A decision is remembered for exactly its input and revision; a failure never is."""

import pytest

from gateway.model import Decision
from gateway.policy.decision import unavailable
from gateway.policy.remembered import MOST_BYTES, RememberingEngine
from kernel.errors import Refusal
from kernel.names import Revision
from tests.policies.repository import bundle

ONE, OTHER = Revision("a" * 64), Revision("b" * 64)


class Counting:
    """An engine that counts what it is asked, and can fail."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, str]] = []
        self.fails: Exception | None = None

    def prepare(self, _: object) -> None:
        if self.fails:
            raise self.fails

    def decide(self, input: bytes, revision: Revision) -> Decision:
        self.asked.append((input, revision))
        if self.fails:
            raise self.fails
        return Decision(False, (f"{len(self.asked)}",), (), ())

    def healthy(self) -> bool:
        return self.fails is None


@pytest.fixture
def engine() -> Counting:
    return Counting()


def test_the_same_question_is_asked_once(engine):
    remembering = RememberingEngine(engine)
    assert remembering.decide(b'{"a":1}', ONE) is remembering.decide(b'{"a":1}', ONE)
    assert engine.asked == [(b'{"a":1}', ONE)]


@pytest.mark.parametrize(
    ("input", "revision"),
    [(b'{"a":1}', OTHER), (b'{"a":2}', ONE), (b'{"a": 1}', ONE), (b'{"a":1.0}', ONE)],
)
def test_another_byte_or_another_revision_is_another_question(engine, input, revision):
    remembering = RememberingEngine(engine)
    assert remembering.decide(b'{"a":1}', ONE) != remembering.decide(input, revision)
    assert len(engine.asked) == 2


def test_a_failure_is_not_remembered(engine):
    remembering = RememberingEngine(engine)
    engine.fails = unavailable()
    for _ in range(2):
        with pytest.raises(Refusal):
            remembering.decide(b"{}", ONE)
    assert not remembering.healthy()
    engine.fails = None
    assert remembering.decide(b"{}", ONE).reasons == ("3",)
    assert remembering.healthy()


def test_another_bundle_makes_it_forget_and_one_that_fails_does_not(engine):
    remembering = RememberingEngine(engine)
    first = remembering.decide(b"{}", ONE)
    engine.fails = ValueError("no Rego")
    with pytest.raises(ValueError, match="no Rego"):
        remembering.prepare(bundle())
    engine.fails = None
    assert remembering.decide(b"{}", ONE) is first
    remembering.prepare(bundle())
    assert remembering.decide(b"{}", ONE) is not first


def test_it_holds_so_many_decisions_and_so_many_bytes(engine):
    remembering = RememberingEngine(engine, most=2)
    for text in (b"1", b"2", b"3", b"1"):
        remembering.decide(text, ONE)
    assert len(engine.asked) == 4
    remembering = RememberingEngine(engine)
    remembering.decide(b"1", ONE)
    remembering.decide(bytes(MOST_BYTES), ONE)
    remembering.decide(b"1", ONE)
    assert len(engine.asked) == 7
