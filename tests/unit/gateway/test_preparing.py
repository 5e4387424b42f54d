"""Preparing: which policies are made ready, where they belong, and whom a switch waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from gateway.http.bundles import Bundles, BundleViews
from gateway.policy.bundle import Bundle
from gateway.policy.control import activate
from gateway.policy.preparing import Preparing, lacking, prepared
from gateway.rooms import Rooms, fill, opened
from gateway.setup.forwarded import Operators
from gateway.setup.settings import Settings
from kernel.clock import Deadline, SystemClock
from kernel.errors import Reason, Refusal
from tests.policies.repository import POLICIES, bundle


def noted(words: str) -> Bundle:
    files = dict(bundle().files)
    files["exchange/decision.rego"] += f"\n# {words}\n"
    return Bundle.from_files(files)


FIRST, SECOND, THIRD = bundle(), noted("second"), noted("third")


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    settings = {
        "GATEWAY_STATE_DIR": str(tmp_path / "state"),
        "GATEWAY_POLICIES": str(POLICIES),
        "GATEWAY_PUBLIC_URL": "https://gateway.example",
    }
    with opened(Settings.parse(settings)) as held:
        fill(held)
        yield held


def test_the_next_policies_get_the_place_of_those_before_the_ones_in_force(rooms: Rooms) -> None:
    places, bundles = rooms.places, Bundles(rooms.control, rooms.places, rooms.keys.policy)

    def given() -> list[str]:
        return [bundles.revision(place) for place in ("active", "0", "1")]

    first, second, third = FIRST.revision, SECOND.revision, THIRD.revision
    assert (given(), places.coming(first)) == ([first, first, first], None)
    places.put(SECOND, FIRST)
    assert (given(), places.coming(first)) == ([first, first, second], second)
    activate(rooms.ledger, SECOND)
    assert (given(), places.coming(second)) == ([second, first, second], None)
    places.put(THIRD, SECOND)
    assert (given(), places.coming(second)) == ([second, third, second], third)
    places.put(FIRST, SECOND)  # given up, and back instead
    assert (given(), places.coming(second)) == ([second, first, second], first)
    activate(rooms.ledger, FIRST)
    assert (given(), places.coming(first)) == ([first, first, second], None)
    activate(rooms.ledger, THIRD)  # by somebody who did not prepare
    assert (given(), places.coming(third)) == ([third, third, third], None)


def test_a_process_is_ready_once_its_engine_is(rooms: Rooms) -> None:
    class Engine:
        has = False

        def ready(self, _: str) -> bool:
            return self.has

    engine = Engine()
    preparing = Preparing(rooms.places, rooms.control, engine)  # type: ignore[arg-type] # only asked that
    rooms.control.now()
    preparing.look()
    assert preparing.ready() == FIRST.revision
    rooms.places.put(SECOND, FIRST)
    preparing.look()
    assert preparing.ready() == FIRST.revision
    engine.has = True
    preparing.look()
    assert preparing.ready() == SECOND.revision
    activate(rooms.ledger, SECOND)
    assert rooms.control.now().revision == SECOND.revision
    preparing.look()
    assert preparing.ready() == SECOND.revision


@dataclass(frozen=True)
class Beat:
    name: str
    state: str
    revision: str


@dataclass(frozen=True)
class Hosts:
    beats: tuple[Beat, ...]

    def live(self) -> tuple[Beat, ...]:
        return self.beats


def test_a_switch_waits_for_every_worker_of_every_host_that_goes_on_serving() -> None:
    wanted = SECOND.revision
    hosts = Hosts(
        (
            Beat("a", "serving", wanted), Beat("a", "serving", FIRST.revision),
            Beat("b", "serving", wanted), Beat("c", "leaving", FIRST.revision),
        )
    )  # fmt: skip
    clock = SystemClock()
    assert lacking(hosts, wanted) == ["a"]
    assert prepared(hosts, wanted, Deadline.within(0, clock)) == ["a"]
    assert prepared(Hosts(hosts.beats[2:]), wanted, Deadline.within(0, clock)) == []
    assert prepared(Hosts(()), wanted, Deadline.within(0, clock)) == []


@pytest.mark.parametrize(
    ("place", "address"),
    [("2", "127.0.0.1"), ("..", "127.0.0.1"), ("active", "192.0.2.1"), ("0", "10.0.0.1")],
)
def test_nobody_but_the_machine_is_given_policies(rooms: Rooms, place: str, address: str) -> None:
    bundles = Bundles(rooms.control, rooms.places, rooms.keys.policy)
    views = BundleViews(bundles, Operators())
    with Flask("opa").test_request_context(environ_base={"REMOTE_ADDR": address}):
        with pytest.raises(Refusal) as caught:
            views.bundle(place)
        assert caught.value.reason is Reason.REQUEST_NOT_FOUND
    with Flask("opa").test_request_context(environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert views.bundle("active").status_code == 200
