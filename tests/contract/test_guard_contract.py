"""The contract of the guard, run on the directory and on a PostgreSQL of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Signer
from audit.guard import Guard, GuardUnreadable, Restriction
from audit.guard_database import DatabaseGuard
from audit.guard_directory import DirectoryGuard
from audit.guard_schema import make_guard
from audit.model import BadLedger, Tree
from kernel.clock import Deadline, SystemClock
from tests.postgres_server import PostgresServer, Site

CLOCK = SystemClock()
OURS = Signer("gateway.example/audit/log", Ed25519PrivateKey.from_private_bytes(b"g" * 32))
OTHERS = Signer("gateway.example/audit/log", Ed25519PrivateKey.from_private_bytes(b"h" * 32))
AGAIN, TENTH = "gateway.example/audit/log/2", "gateway.example/audit/log/10"
LONG_AGO = {"type": "consent.withdrawn", "consent": "co_1", "note": 'é "quoted" \\ '}


def withdrawn(index: int) -> Restriction:
    header = {**LONG_AGO, "consent": f"co_{index}"}
    return Restriction(index, bytes([index % 256]) * 32, header, OURS.name, b"sealed")


def tree(size: int) -> Tree:
    return Tree(size, bytes([size % 256]) * 32)


@dataclass
class Place:
    """Where a guard keeps what it keeps; each opening is another host's."""

    open: Callable[[Signer], Guard]
    unreachable: Callable[[], AbstractContextManager[None]]
    damage: Callable[[int, bytes], None]
    """Exchange a line of the journal for another."""


def directory(path: Path) -> Place:
    @contextmanager
    def away() -> Iterator[None]:
        path.rename(path.with_name("elsewhere"))
        path.write_text("no directory", encoding="utf-8")
        yield
        path.unlink()
        path.with_name("elsewhere").rename(path)

    def damage(number: int, line: bytes) -> None:
        journal = path / "restrictions.jsonl"
        lines = journal.read_bytes().splitlines()
        lines[number - 1] = line
        journal.write_bytes(b"\n".join(lines) + b"\n")

    return Place(lambda signer: DirectoryGuard(path, signer), away, damage)


def guarded(server: PostgresServer) -> Site:
    """Return a guard's database with its tables; its role is called writer, too."""
    where = server.site()
    make_guard(where.migrator, str(where.roles.writer), Deadline.within(30, CLOCK))
    return where


@pytest.fixture(params=["directory", "database"])
def place(request, tmp_path) -> Iterator[Place]:
    if request.param == "directory":
        yield directory(tmp_path / "guard")
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    where = guarded(postgres)
    elsewhere = Site(postgres, "postgres")
    opened: list[DatabaseGuard] = []

    def another(signer: Signer) -> Guard:
        opened.append(DatabaseGuard(where.writer, signer, CLOCK))
        return opened[-1]

    @contextmanager
    def away() -> Iterator[None]:
        elsewhere.execute(
            f"ALTER DATABASE {where.name} ALLOW_CONNECTIONS false",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{where.name}'",
        )
        yield
        elsewhere.execute(f"ALTER DATABASE {where.name} ALLOW_CONNECTIONS true")

    def damage(number: int, line: bytes) -> None:
        text = line.decode().replace("'", "''")
        where.execute(f"UPDATE guard_restriction SET line = '{text}' WHERE number = {number}")

    yield Place(another, away, damage)
    for guard in opened:
        guard.close()


def test_a_new_guard_knows_nothing(place):
    guard = place.open(OURS)
    assert not guard.exists()
    assert guard.last() is None
    with pytest.raises(GuardUnreadable):
        guard.head()


def test_a_head_is_found_by_a_host_that_was_not_there_before(place):
    place.open(OURS).keep(OURS.sign(tree(3)))
    other = place.open(OURS)
    assert other.exists()
    assert other.head() == tree(3)


def test_the_head_that_was_kept_last_counts(place):
    guard = place.open(OURS)
    for size in (0, 1, 9, 10, 300):
        guard.keep(OURS.sign(tree(size)))
    guard.keep(OURS.sign(tree(300)))  # the same again, as two hosts do
    assert place.open(OURS).head() == tree(300)


def test_a_head_that_another_key_signed_is_not_ours(place):
    place.open(OTHERS).keep(OTHERS.sign(tree(3)))
    with pytest.raises(GuardUnreadable, match="not ours"):
        place.open(OURS).head()


def test_restrictions_are_kept_in_their_order_whoever_adds_them(place):
    one, other = place.open(OURS), place.open(OURS)
    one.restrict([withdrawn(4), withdrawn(7)])
    assert other.exists()
    assert other.last() == place.open(OURS).last()
    other.restrict([withdrawn(9)])
    assert one.last() == other.last() != None  # noqa: E711 - a chain of three
    assert one.last()[0] == 9


def test_many_restrictions_are_kept_at_once(place):
    guard = place.open(OURS)
    guard.restrict([withdrawn(index) for index in range(256)])
    assert guard.last()[0] == 255


def test_the_head_is_read_as_it_was_signed_with_the_key_under_its_name(place):
    note = OURS.sign(tree(3))
    place.open(OURS).keep(note)
    signer, kept = place.open(OURS).signed()
    assert (kept, signer.vkey) == (note, OURS.vkey)


def test_the_head_of_a_recovered_log_wins_over_a_larger_one_of_before(place):
    guard = place.open(OURS)
    guard.keep(OURS.sign(tree(300)))
    for origin, size in ((AGAIN, 7), (TENTH, 5)):
        again = OURS.named(origin)
        guard.keep(again.sign(tree(size)))
        for each in (guard, place.open(OURS)):
            signer, note = each.signed()
            assert (signer.vkey, note) == (again.vkey, again.sign(tree(size)))
            assert each.head() == tree(size)
            assert each.exists()


def test_a_head_under_a_later_name_that_another_key_signed_is_not_ours(place):
    place.open(OURS).keep(OURS.sign(tree(3)))
    place.open(OTHERS).keep(OTHERS.named(AGAIN).sign(tree(9)))
    for read in (place.open(OURS).head, place.open(OURS).signed):
        with pytest.raises(GuardUnreadable, match="not ours"):
            read()


def test_the_journal_is_read_whole_and_in_the_order_in_which_it_was_written(place):
    one, other = place.open(OURS), place.open(OURS)
    assert list(one.restrictions()) == []
    written = [withdrawn(index) for index in (4, 9, *range(10, 310), 5, 4)]  # as after a recovery
    one.restrict(written[:2])
    other.restrict(written[2:])
    assert list(place.open(OURS).restrictions()) == written
    assert list(one.restrictions(after=0)) == written
    for after in (1, 2, 256, 257, len(written) - 1):
        assert list(one.restrictions(after)) == written[after:]
    assert list(one.restrictions(len(written))) == []
    assert list(one.restrictions(len(written) + 5)) == []


@pytest.mark.parametrize(
    "line",
    [
        b"garbled",
        b'{"index":3}',
        b'{"header":{},"index":3,"leaf":"?"}',
        b'{"header":{},"index":3,"leaf":"","v":3}',
    ],
    ids=["no json", "no leaf", "no base64", "another form"],
)
def test_a_damaged_line_in_the_middle_is_not_read_over(place, line):
    guard = place.open(OURS)
    guard.restrict([withdrawn(2), withdrawn(3), withdrawn(4)])
    place.damage(2, line)
    with pytest.raises(GuardUnreadable, match="line 2"):
        list(guard.restrictions())
    assert list(guard.restrictions(after=2)) == [withdrawn(4)]


def test_a_guard_that_is_away_says_so_and_serves_again_when_it_is_back(place):
    guard = place.open(OURS)
    guard.keep(OURS.sign(tree(3)))
    guard.restrict([withdrawn(2)])
    with place.unreachable():
        with pytest.raises(GuardUnreadable):
            guard.head()
        with pytest.raises(GuardUnreadable):
            guard.last()
        with pytest.raises(GuardUnreadable):
            guard.signed()
        with pytest.raises(GuardUnreadable):
            list(guard.restrictions())
        with pytest.raises(OSError, match=r"cannot be written|Not a directory"):
            guard.keep(OURS.sign(tree(4)))
        with pytest.raises(OSError, match=r"cannot be written|Not a directory"):
            guard.restrict([withdrawn(3)])
    assert guard.head() == tree(3)
    guard.restrict([withdrawn(3)])
    assert guard.last()[0] == 3


def test_hosts_that_write_at_once_lose_nothing_silently(place):
    """The ledger's lock keeps them apart; should that fail, one of them hears of it."""
    refused = []

    def host(first: int) -> None:
        guard = place.open(OURS)
        for index in range(first, first + 10):
            try:
                guard.restrict([withdrawn(index)])
            except OSError:
                refused.append(index)

    hosts = [threading.Thread(target=host, args=(n * 100,)) for n in range(1, 4)]
    for thread in hosts:
        thread.start()
    for thread in hosts:
        thread.join()
    kept = place.open(OURS).last()
    assert kept is not None
    assert kept[0] not in refused


class TestInADatabase:
    """What only a database can promise, or do wrong."""

    @pytest.fixture
    def where(self, postgres) -> Site:
        return guarded(postgres)

    @pytest.fixture
    def guard(self, where) -> Iterator[DatabaseGuard]:
        guard = DatabaseGuard(where.writer, OURS, CLOCK)
        yield guard
        guard.close()

    @pytest.mark.parametrize("table", ["guard_head", "guard_restriction"])
    @pytest.mark.parametrize(
        "act", ["DELETE FROM {}", "UPDATE {} SET number = 7", "TRUNCATE {}", "DROP TABLE {}"]
    )
    def test_its_role_can_take_nothing_back(self, guard, where, table, act):
        guard.keep(OURS.sign(tree(3)))
        guard.restrict([withdrawn(2)])
        with (
            psycopg.connect(where.writer) as taken_over,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            taken_over.execute(act.format(table))
        assert guard.head() == tree(3)
        assert guard.last()[0] == 2

    def test_an_older_head_that_is_put_in_again_changes_nothing(self, guard):
        guard.keep(OURS.sign(tree(3)))
        guard.keep(OURS.sign(tree(9)))
        guard.keep(OURS.sign(tree(4)))  # signed once, and public since
        assert guard.head() == tree(9)

    def test_a_head_of_before_the_recovery_that_is_put_in_again_changes_nothing(self, guard):
        again = OURS.named(AGAIN)
        guard.keep(OURS.sign(tree(300)))
        guard.keep(again.sign(tree(7)))
        guard.keep(OURS.sign(tree(299)))  # signed once, and public since
        assert guard.signed()[1] == again.sign(tree(7))

    def test_heads_of_another_log_beside_ours_are_said(self, guard):
        another = OURS.named("elsewhere.example/audit/log")
        guard.keep(another.sign(tree(9)))
        guard.keep(OURS.sign(tree(3)))
        with pytest.raises(GuardUnreadable, match="another log, elsewhere"):
            guard.head()

    def test_another_head_of_the_same_size_is_a_fork_and_is_not_kept(self, guard):
        guard.keep(OURS.sign(tree(3)))
        with pytest.raises(OSError, match="another head over 3"):
            guard.keep(OURS.sign(Tree(3, b"f" * 32)))
        assert guard.head() == tree(3)

    def test_a_line_that_is_damaged_is_not_read_over(self, guard, where):
        guard.restrict([withdrawn(2)])
        where.execute("INSERT INTO guard_restriction (number, line) VALUES (2, '{\"index\": 3}')")
        with pytest.raises(GuardUnreadable, match="damaged"):
            guard.last()

    def test_a_half_batch_is_never_kept(self, guard, where):
        where.execute(
            "ALTER TABLE guard_restriction ADD CHECK (line NOT LIKE '%co_13%')",
        )
        with pytest.raises(OSError, match="cannot be written"):
            guard.restrict([withdrawn(11), withdrawn(12), withdrawn(13)])
        assert guard.last() is None

    def test_making_it_again_changes_nothing(self, guard, where):
        guard.keep(OURS.sign(tree(3)))
        make_guard(where.migrator, str(where.roles.writer), Deadline.within(30, CLOCK))
        assert guard.head() == tree(3)

    def test_without_an_owner_it_says_whom_to_name(self, postgres):
        where = postgres.site()
        with pytest.raises(BadLedger, match="GATEWAY_GUARD_MIGRATOR_URL"):
            make_guard(where.writer, str(where.roles.writer), Deadline.within(30, CLOCK))
