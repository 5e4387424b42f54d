"""Policies are switched under traffic where OPA decides: with one OPA a host, and with two."""

import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from crypto.keys import KeyRing
from gateway.demo.country import ROOT, Place, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.state import prepare
from gateway.http.bundles import opa_config
from gateway.policy.bundle import Bundle
from gateway.policy.signed import public_pem, signed_bundle
from gateway.rooms import opened
from gateway.serving.hosts import Hosts, State
from gateway.setup.settings import Settings
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from kernel.names import Revision
from tests.agency import Answer
from tests.country import INCOME, RunningCountry
from tests.flow.watched import Leaf, policies
from tests.opa import Opa, until
from tests.ports import free_port

YEAR = "/income/year"
RULES = "exchange/blocks/blocks.rego"
ASKERS = 4


@dataclass
class Land(RunningCountry):
    """A country in which OPA decides, and directories of policies for it."""

    opas: list[Opa] = field(default_factory=list)
    officers: EllipticCurvePrivateKey = field(default_factory=lambda: generate(SECP256R1()))
    names: Iterator[int] = field(default_factory=itertools.count)
    standing: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def consented(self) -> str:
        """Return somebody whom no other test knows, and who consented to everything."""
        return str(self.country.sources.people[next(self.standing)].number)

    def directory(self) -> Path:
        """Return the real policies with a remark more: another revision that rules the same."""
        number = next(self.names)
        text = (ROOT / "policies" / RULES).read_text(encoding="utf-8")
        place = self.state.parent / f"policies-{number}"
        return Path(policies(place, {RULES: f"{text}\n# remark {number}\n"}))

    def noted(self) -> Path:
        """Return such policies as a file that those who may have signed."""
        directory = self.directory()
        made = Bundle.from_directory(directory)
        file = directory.with_suffix(".tar.gz")
        file.write_bytes(signed_bundle(made, self.officers, "officers"))
        return file

    def policy(self, *arguments: str) -> tuple[int, str, str]:
        done = self.run("gateway", "policy", *arguments)
        return done.returncode, done.stdout, done.stderr

    def activated(self, directory: Path) -> str:
        code, out, err = self.policy("activate", str(directory))
        assert code == 0, out + err
        return out.split()[1].removeprefix("revision=")

    def committed(self) -> list[Leaf]:
        """Return the leaves of the ledger, in order."""
        with opened(Settings.parse(self.country.settings)) as rooms:
            rows = rooms.database.read().execute('SELECT leaf FROM ledger_leaf ORDER BY "index"')
            return [json.loads(row["leaf"]) for row in rows.fetchall()]

    def ready(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.gateway}/readyz", timeout=120) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.loads(error.read()))

    def ask(self, number: str) -> Answer:
        return self.agency().exchange(number, INCOME, [YEAR])

    def under(self, answer: Answer) -> str:
        assert answer.status == 200, answer.body
        return str(self.agency().claims(answer)["policy"])


@contextmanager
def land_with(servers: int, state: Path) -> Iterator[Land]:
    """Run a country whose gateway asks so many OPA servers, which load their policies from it."""
    place = Place(prepare(state), free_port())
    country = found(place, 200)
    key = KeyRing.open(state / "gateway" / "keys", SystemChance(), SystemClock()).policy
    opas = [
        Opa(opa_config(place.gateway, name, key.kid, public_pem(key)), state.parent / name)
        for name in (("active",) if servers == 1 else ("0", "1"))
    ]
    officers = generate(SECP256R1())
    more = {
        "GATEWAY_OPA_URL": " ".join(opa.url for opa in opas),
        "GATEWAY_POLICY_KEY": pem_of(officers),
    }
    country = replace(country, settings={**country.settings, **more})
    processes = Processes(place.state / "logs", lambda name: None)
    try:
        for opa in opas:
            opa.start()
        processes.start(programs(country))
        yield Land(country, processes, opas=opas, officers=officers)
    finally:
        processes.stop()
        for opa in opas:
            opa.kill()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    with land_with(1, tmp_path_factory.mktemp("one") / "demo") as started:
        yield started


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    with land_with(2, tmp_path_factory.mktemp("two") / "demo") as started:
        yield started


@dataclass
class Traffic:
    """What some agencies' systems are answered, one request after the other."""

    land: Land
    answers: list[Answer] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def ask(self, number: str) -> None:
        agency = self.land.agency()
        while not self.ended.wait(0.02):
            self.answers.append(agency.exchange(number, INCOME, [YEAR]))

    def goes_on(self) -> None:
        """Wait until everybody was answered again."""
        before = len(self.answers)
        until(lambda: len(self.answers) > before + 2 * ASKERS, "requests are answered")


@contextmanager
def traffic(land: Land) -> Iterator[Traffic]:
    residents = [land.consented() for _ in range(ASKERS)]
    asked = Traffic(land)
    with ThreadPoolExecutor(ASKERS) as pool:
        asking: list[Future[None]] = [pool.submit(asked.ask, who) for who in residents]
        try:
            yield asked
        finally:
            asked.ended.set()
        for future in asking:
            future.result()


def unmixed(leaves: list[Leaf]) -> None:
    """Check that each decision names the revision that was in force where it stands."""
    in_force = ""
    for leaf in leaves:
        if leaf["type"] == "policy.activated":
            in_force = leaf["policy"]
        elif leaf["type"] == "exchange.decision":
            assert leaf["policy"] == in_force


@pytest.mark.parametrize("servers", [1, 2])
def test_no_request_fails_and_none_is_mixed_while_policies_change(
    servers: int, request: pytest.FixtureRequest
) -> None:
    land: Land = request.getfixturevalue({1: "one", 2: "two"}[servers])
    assert land.ready()["ready"]
    with traffic(land) as asked:
        asked.goes_on()
        revisions = [land.under(land.ask(land.consented())), land.activated(land.noted())]
        asked.goes_on()
        code, out, err = land.policy("rollback")
        assert (code, out.split()[1]) == (0, f"revision={revisions[0]}"), err
        asked.goes_on()
    assert {answer.status for answer in asked.answers} == {200}
    under = {land.under(answer) for answer in asked.answers}
    assert {*revisions} <= under
    unmixed(land.committed())
    assert land.ready()["ready"]


def beat(land: Land, revision: str, state: State) -> None:
    with opened(Settings.parse(land.country.settings)) as rooms:
        Hosts(rooms.database, rooms.clock).beat("another:8080", "1", revision, state)


@contextmanager
def beating(land: Land, revision: str) -> Iterator[None]:
    """Let another host live as long as this takes."""
    ended = threading.Event()
    beat(land, revision, State.SERVING)

    def live() -> None:
        while not ended.wait(2):
            beat(land, revision, State.SERVING)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_live_host_that_does_not_prepare_holds_the_switch_up_and_a_dead_one_does_not(
    two: Land,
) -> None:
    resident, directory = two.consented(), two.noted()
    before = two.under(two.ask(resident))
    with beating(two, before):
        code, out, err = two.policy("activate", str(directory), "--within", "4")
    assert (code, out) == (1, "")
    assert "nothing was activated: another:8080" in err
    assert two.under(two.ask(resident)) == before
    assert two.ready()["ready"]
    beat(two, before, State.LEFT)
    revision = two.activated(directory)
    assert two.under(two.ask(resident)) == revision


def test_without_opa_nothing_is_decided_and_readyz_says_so_until_it_is_back(one: Land) -> None:
    resident, [opa] = one.consented(), one.opas
    one.under(one.ask(resident))
    opa.kill()
    refused = one.agency().exchange(resident, INCOME, ["/income/total"])
    assert (refused.status, refused.reason) == (503, "policy.unavailable")
    assert not one.ready()["ready"]
    revision = one.activated(one.noted())  # in force, though nobody can decide under it yet
    refused = one.ask(resident)
    assert (refused.status, refused.reason) == (503, "policy.unavailable")
    opa.start()
    until(lambda: one.ready()["ready"], "the gateway is ready again")
    assert one.under(one.ask(resident)) == revision


def test_opa_is_given_signed_policies_and_asks_for_changes_only(two: Land) -> None:
    address = f"{two.gateway}/policies/bundle/active"
    with urllib.request.urlopen(address, timeout=120) as answer:
        tag, content = answer.headers["ETag"], answer.read()
    assert content.startswith(b"\x1f\x8b")
    again = urllib.request.Request(address, headers={"If-None-Match": tag})
    for asked, status in ((again, 304), (f"{two.gateway}/policies/bundle/2", 404)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked, timeout=120)
        with caught.value as error:
            assert error.code == status


def test_the_command_writes_what_opa_is_started_with(two: Land, tmp_path: Path) -> None:
    code, out, err = two.policy("opa", str(tmp_path), "--gateway", two.gateway)
    assert code == 0, err
    assert out.count("opa run --server") == 3
    opa = Opa(json.loads((tmp_path / "opa-active.json").read_text()), tmp_path / "opa").start()
    try:
        active = two.under(two.ask(two.consented()))
        opa.has(Revision(active))
    finally:
        opa.kill()


def test_policies_that_come_signed_are_taken_from_those_who_may_sign(
    one: Land, tmp_path: Path
) -> None:
    place, file = tmp_path / "officers.pem", tmp_path / "bundle.tar.gz"
    place.write_bytes(one.officers.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    directory = one.directory()
    code, out, err = one.policy("bundle", str(file), str(directory), "--key", str(place))
    revision = Bundle.from_directory(directory).revision
    assert (code, out) == (0, f"ok revision={revision}\n"), err
    others = {**one.country.settings, "GATEWAY_POLICY_KEY": pem_of(generate(SECP256R1()))}
    told = replace(one, country=replace(one.country, settings=others))
    code, out, err = told.policy("activate", str(file))
    assert (code, out, len(err.splitlines())) == (1, "", 1), err
    assert "none of the keys" in err
    assert one.activated(file) == revision
    assert one.under(one.ask(one.consented())) == revision


def pem_of(key: EllipticCurvePrivateKey) -> str:
    """Return the public half of a key."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()
