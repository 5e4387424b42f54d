"""Composition: rooms opened from settings, with the real policies, and all that stands on them."""

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from gateway import app as composition
from gateway import readiness
from gateway.http.problems import EXPLANATIONS
from gateway.http.routes import ROUTES, Audience
from gateway.policy.bundle import Bundle
from gateway.policy.control import activate
from gateway.recovery.sweep import Sweep
from gateway.rooms import bring_into_force, fill, open_rooms, opened, origin
from gateway.serving.worker import Worker
from gateway.setup.settings import BadSettings, Mode, Settings
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from tests.policies.repository import POLICIES


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings.parse(
        {
            "GATEWAY_STATE_DIR": str(tmp_path_factory.mktemp("rooms") / "state"),
            "GATEWAY_POLICIES": str(POLICIES),
            "GATEWAY_PUBLIC_URL": "https://gateway.example",
        }
    )


@pytest.fixture(scope="module")
def rooms(settings):
    with opened(settings) as held:
        yield held


@pytest.fixture(scope="module")
def in_force(rooms):
    bring_into_force(rooms)
    return rooms


@pytest.fixture(scope="module")
def client(in_force):
    return composition.compose(in_force).test_client()


def test_production_is_refused_before_anything_is_made(settings, tmp_path):
    asked = replace(settings, mode=Mode.PRODUCTION, state_dir=tmp_path / "never")
    with pytest.raises(BadSettings, match="SQLite serves one machine"):
        open_rooms(asked)
    assert not asked.state_dir.exists()


def test_the_state_directory_is_made_for_its_owner_alone(rooms):
    assert rooms.settings.state_dir.stat().st_mode & 0o777 == 0o700


def test_the_logs_origin_is_the_address_without_its_scheme(settings):
    assert origin(settings) == "gateway.example/audit/log"


def test_the_policies_come_into_force_once(in_force):
    revision, size = in_force.control.active(), in_force.ledger.size
    bring_into_force(in_force)
    assert (in_force.control.active(), in_force.ledger.size) == (revision, size)
    assert in_force.control.now().revision == revision


@pytest.fixture
def otherwise(in_force, tmp_path):
    """The same rooms, whose policy directory has become another one."""
    chosen = shutil.copytree(POLICIES, tmp_path / "policies")
    rules = chosen / "exchange/blocks/blocks.rego"
    rules.write_text(rules.read_text() + "\n# A remark more.\n")
    before = in_force.control.active()
    yield replace(in_force, settings=replace(in_force.settings, policies=chosen))
    if in_force.control.active() != before:
        activate(in_force.ledger, in_force.control.stored(before))


def test_where_the_ledger_names_policies_another_directory_changes_nothing(otherwise):
    before, size = otherwise.control.active(), otherwise.ledger.size
    fill(otherwise)
    bring_into_force(replace(otherwise, settings=replace(otherwise.settings, mode=Mode.PRODUCTION)))
    assert (otherwise.control.active(), otherwise.ledger.size) == (before, size)


def test_demo_mode_alone_activates_another_directory_at_its_start(otherwise):
    before, size = otherwise.control.active(), otherwise.ledger.size
    bring_into_force(otherwise)
    chosen = Bundle.from_directory(otherwise.settings.policies).revision
    assert (otherwise.control.active(), otherwise.ledger.size) == (chosen, size + 1)
    assert otherwise.control.activated().before == before


def test_every_address_has_its_view(client):
    rules = {rule.endpoint: rule for rule in client.application.url_map.iter_rules()}
    assert {(route.view, route.rule) for route in ROUTES} == {
        (endpoint, rule.rule) for endpoint, rule in rules.items()
    }


@pytest.mark.parametrize(
    "route",
    [one for one in ROUTES if one.audience is Audience.ANYONE and one.method == "GET"],
    ids=lambda one: one.rule,
)
def test_what_is_for_anyone_answers_anyone(client, route):
    assert client.get(route.rule.replace("<reason>", "internal")).status_code == 200


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.audience is Audience.AGENCY],
    ids=lambda one: one.rule,
)
def test_what_is_for_agencies_is_refused_without_a_token(client, route):
    path = route.rule.replace("<index>", "0").replace("<", "").replace(">", "")
    answer = client.open(path, method=route.method)
    assert answer.status_code == 401
    assert answer.get_json(force=True)["reason"] == "token.missing"


def test_the_gateway_is_ready_and_says_so(client, in_force):
    assert client.get("/readyz").json == {"ready": True, "missing": []}
    assert readiness.unready(in_force, lambda: None) == []


def test_what_keeps_it_from_serving_is_named(in_force):
    class Broken:
        fault = "it is closed"

        def now(self):
            raise Refusal(Reason.POLICY_UNAVAILABLE, "No policies are in force yet.")

        def healthy(self):
            return False

    broken = replace(in_force, ledger=Broken(), control=Broken(), engine=Broken())
    assert readiness.unready(broken, lambda: "It does not answer.") == [
        "ledger: it is closed",
        "policies: No policies are in force yet.",
        "policies: the engine does not answer, or has loaded none",
        "state: It does not answer.",
    ]


def test_the_ledgers_public_side_tells_only_what_is_there(in_force):
    log = composition.Log(in_force.ledger)
    assert log.header(0)["type"] == "log.opened"
    assert log.header(10**6) is None
    assert log.proof(0).startswith("c2sp.org/tlog-proof@v1\n")
    assert log.checkpoint().startswith("gateway.example/audit/log\n")
    assert log.vkey() == in_force.signer.vkey


def test_every_type_of_problem_leads_to_a_page(client):
    for reason in EXPLANATIONS:
        assert client.get(f"/errors/{reason.value}").status_code == 200


def test_what_is_built_serves_says_who_it_is_and_is_closed_at_the_end(
    monkeypatch, settings, tmp_path
):
    leaving = threading.Event()
    worker = Worker("host-1", 3, leaving.is_set)
    monkeypatch.setattr(composition, "configure", lambda _: None)
    alone = replace(settings, state_dir=tmp_path, database=f"sqlite:///{tmp_path}/causeway.db")
    client = composition.build(alone, worker=worker).test_client()
    assert client.get("/readyz").json == {"ready": True, "missing": []}
    assert "sweep" in {thread.name for thread in threading.enumerate()}
    leaving.set()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["missing"]) == (503, ["stopping: no new requests"])
    leaving.clear()
    with closing(sqlite3.connect(tmp_path / "causeway.db")) as database:
        while not (rows := database.execute("SELECT name, worker FROM host").fetchall()):
            time.sleep(0.01)
    assert rows == [("host-1", "3")]
    worker.at_end.close()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["missing"]) == (
        503,
        ["ledger: it is closed", "database: it cannot be read"],
    )


def test_a_sweep_that_meets_a_ledger_that_fails_goes_on_with_the_next_round(monkeypatch, in_force):
    rounds, enough, before = [], threading.Event(), {*threading.enumerate()}

    class Failing(Sweep):
        def __call__(self):
            rounds.append(len(rounds))
            if len(rounds) > 1:
                enough.set()
            raise Refusal(Reason.LEDGER_UNAVAILABLE, "")

    monkeypatch.setattr("gateway.recovery.sweep.EVERY", 0.001)
    parts = in_force.database, in_force.ledger, in_force.pseudonyms.open, SystemClock()
    end = Failing(*parts).begin()
    assert enough.wait(120)
    end()
    assert "sweep" not in {thread.name for thread in {*threading.enumerate()} - before}
