"""The production shape on real servers: PostgreSQL, a guard on another one, Redis and OPA."""

import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import kernel.migrations.versions
from gateway.demo.country import Country, Place, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.state import prepare
from gateway.policy.bundle import Bundle
from gateway.setup.production import refuse_unfit
from gateway.setup.settings import BadSettings, Settings
from gateway.setup.storage import bring_to_head, make_ready
from kernel.clock import Deadline, SystemClock
from kernel.migrations import HEAD, BadSchema, migrate, revision
from kernel.migrations.plan import Plan
from tests import commands
from tests.agency import Agency, Answer
from tests.country import RESIDENTS, RunningCountry
from tests.policies.repository import POLICIES, opa_server
from tests.ports import free_port
from tests.postgres_server import PostgresServer, Site, postgres_server
from tests.redis_server import redis_server

FAMILY = "/name/family"
PATIENCE = 120.0
OWN = Path(kernel.migrations.versions.__file__).parent
LATER = f'''
"""What the next version adds."""
from alembic import op
from sqlalchemy import BigInteger, Column, Text
revision = "9001_serves_0001"
down_revision = "{HEAD}"
phase = "expand"
def upgrade():
    op.create_table("later", Column("id", Text(), primary_key=True))
    for table in ("exchange", "person", "consent", "ledger_state", "ledger_leaf", "client"):
        op.add_column(table, Column("later", BigInteger(), nullable=True))
'''
INDEXED = '''
"""An index on what grows while it is made."""
from kernel.migrations.online import create_index
revision = "9002_serves_0001"
down_revision = "9001_serves_0001"
phase = "expand"
def upgrade():
    create_index("exchange_agency", "exchange", ["agency"])
'''


def soon() -> Deadline:
    return Deadline.within(PATIENCE, SystemClock())


@dataclass
class Production:
    """A gateway in production mode, its servers, and the country around it."""

    running: RunningCountry
    ledger: Site
    guard: PostgresServer

    def agency(self) -> Agency:
        """Return an agency that knows the gateway by its public name, as behind a proxy."""
        return replace(self.running.agency(), gateway=self.environ["GATEWAY_PUBLIC_URL"])

    @property
    def environ(self) -> dict[str, str]:
        return self.running.environ

    def ask(self) -> Answer:
        number = self.running.country.sources.people[1].number
        return self.agency().exchange(number, RESIDENTS, [FAMILY])

    def serves(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + PATIENCE
        while self.agency().request("GET", "/readyz").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return commands.run(("gateway", *arguments), self.environ | settings)


def production(country: Country, opa: str) -> Country:
    """Return the country's settings as production wants them, with TLS ended before the gateway."""
    kept = {name: value for name, value in country.settings.items() if "OIDC" not in name}
    public = country.place.gateway.replace("http://", "https://")
    changed = {
        "GATEWAY_MODE": "production",
        "GATEWAY_PUBLIC_URL": public,
        "GATEWAY_OPA_URL": opa,
    }
    return replace(country, settings=kept | changed)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Production]:
    home = tmp_path_factory.mktemp("production")
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(home / "redis"))
        guard_server = stack.enter_context(postgres_server())
        opa = stack.enter_context(opa_server(Bundle.from_directory(POLICIES)))
        ledger, guard = postgres.site(), guard_server.site()
        where = Place(prepare(home / "demo"), free_port())
        country = found(
            where,
            120,
            {
                "GATEWAY_DATABASE_URL": ledger.writer,
                "GATEWAY_MIGRATOR_URL": ledger.migrator,
                "GATEWAY_ERASER_URL": ledger.eraser,
                "GATEWAY_GUARD_URL": guard.writer,
                "GATEWAY_GUARD_MIGRATOR_URL": guard.migrator,
                "GATEWAY_REDIS_URL": redis.url,
                "GATEWAY_KEY_ENCRYPTION_KEY": urlsafe_b64encode(bytes(range(32))).decode(),
            },
        )
        country = production(country, opa)
        processes = Processes(where.state / "logs", lambda name: None)
        stack.callback(processes.stop)
        processes.start([one for one in programs(country) if one.name != "signin"])
        yield Production(RunningCountry(country, processes), ledger, guard_server)


def test_it_starts_and_serves_an_exchange_as_the_writer(place: Production) -> None:
    place.serves()
    answer = place.ask()
    assert answer.status == 200, answer.body
    ((who,),) = place.ledger.rows(
        "SELECT DISTINCT usename::text FROM pg_stat_activity"
        f" WHERE datname = '{place.ledger.name}' AND application_name = 'causeway'"
    )
    assert who == f"writer_{place.ledger.name}"
    assert place.ledger.rows("SELECT count(*) FROM ledger_leaf") > [(2,)]
    assert not (place.running.state / "gateway" / "causeway.db").exists()
    assert not (place.running.state / "gateway" / "guard").exists()


def test_doctor_says_what_is_only_so_on_one_machine_and_that_it_can_serve(
    place: Production,
) -> None:
    told = place.run("doctor")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "not for production" not in told.stdout
    assert told.stdout.endswith("It can serve.\n")
    for warned in ("the database is reached", "the guard is reached", "Redis is reached"):
        assert f"warning: {warned} without TLS" in told.stdout
    assert "opensesame" not in told.stdout + told.stderr


def test_a_writer_that_may_do_too_much_does_not_start(place: Production) -> None:
    name = f"writer_{place.ledger.name}"
    place.ledger.execute(f"GRANT DELETE ON ledger_leaf TO {name}")
    try:
        told = place.run("serve", "--port", str(free_port()))
    finally:
        place.ledger.execute(f"REVOKE DELETE ON ledger_leaf FROM {name}")
    assert told.returncode == 1
    assert f"the role {name} may DELETE on ledger_leaf" in told.stderr
    assert f'fix: REVOKE DELETE ON "ledger_leaf" FROM "{name}"' in told.stderr


def test_a_guard_on_the_ledgers_own_server_does_not_start(place: Production) -> None:
    beside = place.ledger.server.site()
    url = {"GATEWAY_GUARD_URL": beside.writer, "GATEWAY_GUARD_MIGRATOR_URL": beside.migrator}
    settings = Settings.parse(place.environ | url)
    bring_to_head(settings, soon())
    with pytest.raises(BadSettings, match="the guard is on the database's own server"):
        refuse_unfit(settings, soon())


def test_an_empty_ledger_takes_signed_policies_only_and_is_not_migrated_by_who_serves(
    place: Production,
) -> None:
    empty = place.ledger.server.site()
    url = {"GATEWAY_DATABASE_URL": empty.writer, "GATEWAY_MIGRATOR_URL": empty.migrator}
    url["GATEWAY_ERASER_URL"] = empty.eraser
    settings = Settings.parse(place.environ | url)
    with pytest.raises(BadSettings, match="no schema yet: run `python -m gateway migrate`"):
        refuse_unfit(settings, soon())
    with pytest.raises(BadSchema, match="no schema yet"):
        make_ready(settings, soon())
    told = place.run("migrate", **url)
    assert told.returncode == 0, told.stderr
    make_ready(settings, soon())
    with pytest.raises(BadSettings, match="policies that would fill the ledger are not signed"):
        refuse_unfit(settings, soon())
    assert empty.rows("SELECT count(*) FROM ledger_leaf") == [(0,)]


def test_without_its_guard_nothing_is_withdrawn_or_released_and_with_it_all_is_well(
    place: Production,
) -> None:
    """Known from the first start on any host: what is stopped is stopped in the guard as well."""
    place.serves()
    resident = place.running.consenting()
    agency = place.agency()
    assert agency.exchange(resident.number, RESIDENTS, [FAMILY]).status == 200
    place.guard.kill()
    try:
        told = place.running.consents("withdraw", resident)
        assert told.returncode != 0
        deadline = time.monotonic() + PATIENCE
        while (answer := agency.exchange(resident.number, RESIDENTS, [FAMILY])).status == 200:
            assert time.monotonic() < deadline  # until the head in the guard is due again
        assert answer.reason == "ledger.unavailable"
    finally:
        place.guard.start()
    place.serves()
    place.running.consents("withdraw", resident)
    refused = agency.exchange(resident.number, RESIDENTS, [FAMILY])
    assert refused.status == 403
    assert place.ask().status == 200


def test_the_version_before_serves_while_the_next_one_migrates_and_afterwards(
    place: Production, tmp_path: Path
) -> None:
    place.serves()
    (tmp_path / "9001_more.py").write_text(LATER)
    (tmp_path / "9002_index.py").write_text(INDEXED)
    plan = Plan("9002_serves_0001", (OWN, tmp_path))
    answers: list[Answer] = []
    migrated = threading.Event()
    enough = threading.Event()

    def traffic() -> None:
        agency = place.agency()
        number = place.running.country.sources.people[2].number
        after = 0
        while after < 5:
            answers.append(agency.exchange(number, RESIDENTS, [FAMILY]))
            after += migrated.is_set()
            if len(answers) > 3:
                enough.set()

    asking = [threading.Thread(target=traffic) for _ in range(3)]
    for thread in asking:
        thread.start()
    assert enough.wait(PATIENCE)
    before = len(answers)
    migrate(place.ledger.migrator, soon(), place.ledger.roles, plan)
    migrated.set()
    for thread in asking:
        thread.join(PATIENCE)
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert len(answers) > before + 2, "three were always under way"
    assert revision(place.ledger.writer, soon()) == "9002_serves_0001"
    told = place.run("doctor")  # started anew on the newer schema, it can serve as well
    assert told.stdout.endswith("It can serve.\n"), told.stdout + told.stderr
