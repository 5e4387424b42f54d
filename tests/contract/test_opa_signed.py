"""OPA verifies the policies that it loads, and the gateway believes no other answer than theirs."""

import io
import tarfile
import threading
from collections.abc import Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from crypto.keys import KeyRing
from gateway.policy.bundle import Bundle, packed
from gateway.policy.check import cases_of
from gateway.policy.decision import OtherRevision, canonical_decision
from gateway.policy.engine_opa import OpaEngine
from gateway.policy.signed import signed_bundle
from gateway.policy.waiting import WaitingEngine
from gateway.readiness import STAYS_BEHIND, unready_policies
from kernel.canonical import parse
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from kernel.errors import Outdated, Reason, Refusal
from kernel.names import Revision
from tests.opa import Opa, Shelf, shelf, until
from tests.policies.repository import POLICIES, bundle, catalogue


def noted(words: str) -> Bundle:
    """Return the real policies with a remark more: another revision that rules the same."""
    files = dict(bundle().files)
    files["exchange/decision.rego"] += f"\n# {words}\n"
    return Bundle.from_files(files)


FIRST, SECOND = bundle(), noted("the second")


class Behind:
    """Two OPA servers over a shelf, and an engine that asks one or both of them."""

    def __init__(self, held: Shelf, place: Path) -> None:
        self.shelf = held
        self.opas = [Opa(held.config(name), place / name).start() for name in ("0", "1")]
        self.in_force = FIRST.revision
        self.both(FIRST)

    def both(self, served: Bundle) -> None:
        """Have both servers under one bundle, started where they are not."""
        for name, opa in zip("01", self.opas, strict=True):
            self.shelf.put(name, served)
            if opa.process is None:
                opa.start()
        for opa in self.opas:
            opa.has(served.revision)
        self.in_force = served.revision

    def engine(self, servers: int, within: float = 60) -> WaitingEngine:
        urls = ", ".join(opa.url for opa in self.opas[:servers])
        asked = OpaEngine(urls, SystemClock(), seconds=10)
        return WaitingEngine(asked, lambda: self.in_force, SystemClock(), within=within)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    place = tmp_path_factory.mktemp("opa")
    with shelf(place) as held:
        behind = Behind(held, place)
        yield behind
        for opa in behind.opas:
            opa.kill()


@pytest.fixture
def behind(started: Behind) -> Behind:
    started.both(FIRST)
    return started


def refused(engine: WaitingEngine, revision: Revision) -> Reason:
    with pytest.raises(Refusal) as caught:
        engine.decide(b"{}", revision)
    return caught.value.reason


def test_the_signed_file_is_the_same_bytes_each_time(behind: Behind) -> None:
    assert behind.shelf.signed(FIRST) == behind.shelf.signed(bundle())


def test_both_ways_to_ask_get_the_same_answer(behind: Behind) -> None:
    engine = OpaEngine(behind.opas[0].url, SystemClock(), seconds=10)
    [server] = engine.servers
    cases = cases_of(POLICIES, catalogue())
    assert cases
    for case in cases:
        asked = case.input
        answer = server.ask(asked)
        assert answer == server.ask_by_client(parse(asked, max_bytes=65536))
        assert canonical_decision(engine.decide(asked, FIRST.revision))


def of_another(shelf: Shelf, place: Path) -> bytes:
    other = KeyRing.open(place / "other", SystemChance(), SystemClock()).policy
    return signed_bundle(SECOND, other.jose.private_key, shelf.key.kid)


def changed(shelf: Shelf) -> bytes:
    """Return a signed file of which one byte of one rule is another, its revision the same."""
    signed = shelf.signed(SECOND)
    altered = dict(SECOND.files)
    altered["exchange/decision.rego"] = altered["exchange/decision.rego"].replace(
        "the second", "The second"
    )
    return repacked(signed, "exchange/decision.rego", altered["exchange/decision.rego"].encode())


def repacked(signed: bytes, path: str, content: bytes | None) -> bytes:
    members = {}
    with tarfile.open(fileobj=io.BytesIO(signed)) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            members[member.name] = file.read()
    if content is None:
        del members[path]
    else:
        members[path] = content
    return packed(members)


@pytest.mark.parametrize(
    "what", ["one byte", "another key", "no signature", "a rule more", "a rule less", "garbage"]
)
def test_policies_that_are_not_as_signed_are_not_loaded(
    behind: Behind, tmp_path: Path, what: str
) -> None:
    held, extra = behind.shelf, "exchange/extra.rego"
    signed = held.signed(SECOND)
    held.files["0"] = {
        "one byte": lambda: changed(held),
        "another key": lambda: of_another(held, tmp_path),
        "no signature": lambda: repacked(signed, ".signatures.json", None),
        "a rule more": lambda: repacked(signed, extra, b"package exchange.extra\n"),
        "a rule less": lambda: repacked(signed, "exchange/decision.rego", None),
        "garbage": lambda: b"\x1f\x8b" + b"x" * 512,
    }[what]()
    held.asked_again()
    assert behind.opas[0].revision() == FIRST.revision, "the policies before stay"
    engine = behind.engine(1, within=0)
    behind.in_force = SECOND.revision
    assert refused(engine, SECOND.revision) is Reason.POLICY_UNAVAILABLE
    assert unready_policies(engine, SECOND.revision) == [STAYS_BEHIND]
    held.put("0", SECOND)
    behind.opas[0].has(SECOND.revision)
    assert unready_policies(engine, SECOND.revision) == []
    assert not engine.decide(b"{}", SECOND.revision).allow


def test_an_opa_that_starts_with_a_false_file_decides_nothing(behind: Behind) -> None:
    opa = behind.opas[0]
    opa.kill()
    behind.shelf.files["0"] = changed(behind.shelf)
    opa.start()
    behind.shelf.asked_again()
    engine = behind.engine(1, within=0)
    assert refused(engine, FIRST.revision) is Reason.POLICY_UNAVAILABLE
    assert not engine.healthy()


def test_an_old_revision_is_waited_for_only_for_a_while(behind: Behind) -> None:
    engine = behind.engine(1, within=2.0)
    behind.in_force = SECOND.revision
    assert refused(engine, SECOND.revision) is Reason.POLICY_UNAVAILABLE
    waited = engine.waited
    with ThreadPoolExecutor(8) as pool:  # the wait is over for all, and no queue grows
        told = [pool.submit(refused, engine, SECOND.revision) for _ in range(64)]
        assert {one.result() for one in told} == {Reason.POLICY_UNAVAILABLE}
    assert engine.waited == waited == 1


def test_who_asks_under_policies_that_were_replaced_is_sent_round_again(behind: Behind) -> None:
    engine = behind.engine(1)
    behind.both(SECOND)
    with pytest.raises(Outdated):
        engine.decide(b"{}", FIRST.revision)


def longer_than(many: Sized, number: int) -> bool:
    return len(many) > number


@pytest.mark.parametrize("servers", [1, 2])
def test_no_request_fails_while_policies_are_switched(behind: Behind, servers: int) -> None:
    engine = behind.engine(servers)
    ended = threading.Event()
    decided: list[tuple[str, str]] = []

    def ask() -> None:
        while not ended.is_set():
            before = behind.in_force
            try:
                engine.decide(b"{}", before)
                decided.append((before, behind.in_force))
            except Outdated:
                assert behind.in_force != before

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            until(lambda: decided, "requests are decided")
            for number in range(3):
                coming = noted(f"number {number}")
                idle = (number + 1) % 2
                if servers == 2:  # the idle one first
                    behind.shelf.put(str(idle), coming)
                    until(partial(engine.ready, coming.revision), "it is prepared")
                    behind.in_force = coming.revision
                else:  # the ledger's word first
                    behind.in_force = coming.revision
                    behind.shelf.put("0", coming)
                enough = len(decided) + 20
                until(partial(longer_than, decided, enough), "requests go on")
                until(lambda: decided[-1][0] == behind.in_force, "under the new policies")
        finally:
            ended.set()
        for one in asking:
            one.result()
    assert len({before for before, _ in decided}) == 4
    if servers == 2:
        assert engine.waited == 0
    else:
        assert engine.waited > 0


def test_an_opa_killed_in_the_middle_of_a_switch_refuses_and_comes_back(behind: Behind) -> None:
    engine = behind.engine(1)
    behind.in_force = SECOND.revision
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(engine.decide, b"{}", SECOND.revision)
        until(lambda: engine.waited == 1)
        behind.opas[0].kill()
        with pytest.raises(Refusal) as caught:
            asking.result(60)
    assert caught.value.reason is Reason.POLICY_UNAVAILABLE
    assert not isinstance(caught.value, OtherRevision)
    assert unready_policies(engine, SECOND.revision) != []
    behind.shelf.put("0", SECOND)
    behind.opas[0].start()
    behind.opas[0].has(SECOND.revision)
    assert not engine.decide(b"{}", SECOND.revision).allow
    assert unready_policies(engine, SECOND.revision) == []


def test_one_of_two_is_enough(behind: Behind) -> None:
    engine = behind.engine(2)
    for opa in behind.opas:
        opa.kill()
        assert not engine.decide(b"{}", FIRST.revision).allow
        assert engine.ready(FIRST.revision)
        opa.start()
        opa.has(FIRST.revision)
    for opa in behind.opas:
        opa.kill()
    assert refused(engine, FIRST.revision) is Reason.POLICY_UNAVAILABLE
    assert not engine.ready(FIRST.revision)
