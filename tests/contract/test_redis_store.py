"""The store over Redis: which one it asks, which it does not trust, and how long it waits."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kernel.clock import Deadline, SystemClock
from kernel.errors import Reason, Refusal
from kernel.redis_address import BadAddress, Login, RedisAddress
from kernel.redis_store import RedisStore, remembering
from tests.contract.lagging import Lagging
from tests.ports import free_port
from tests.redis_server import RedisServer, redis_server

PING = remembering("return 7")
PASSWORD = "canary p@ss/word"
QUOTED = "canary%20p%40ss%2Fword"


def store(url: str, within: float = 10) -> RedisStore:
    return RedisStore(RedisAddress.parse(url), SystemClock(), within)


def refused(asked: RedisStore) -> str:
    with pytest.raises(Refusal) as caught:
        asked.run(PING, ())
    assert caught.value.reason is Reason.STATE_UNAVAILABLE
    return caught.value.detail


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


@contextmanager
def odd(answer: bytes, pause: float = 0) -> Iterator[str]:
    """Serve bytes to whoever connects, one by one where there is a pause."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            try:
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=tell, args=(connection,), daemon=True).start()
            except OSError:
                return

        def tell(connection: socket.socket) -> None:
            try:
                with connection:
                    connection.recv(4096)
                    for byte in [answer[n : n + 1] for n in range(len(answer))]:
                        connection.sendall(byte)
                        time.sleep(pause)
                    connection.recv(4096)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"


def test_it_answers_and_keeps_its_connection(server: RedisServer) -> None:
    asked = store(server.url)
    with server.client() as client:
        assert asked.run(PING, ()) == 7
        before = client.info("stats")["total_connections_received"]
        assert [asked.run(PING, ()) for _ in range(5)] == [7] * 5
        assert client.info("stats")["total_connections_received"] == before
    assert asked.fault() is None


def test_a_database_by_number_is_another(server: RedisServer) -> None:
    write = remembering("redis.call('SET', KEYS[2], 'x') return 1")
    store(f"{server.url}/3").run(write, (b"only-here",))
    with server.client(db=3) as there, server.client() as here:
        assert there.exists("only-here")
        assert not here.exists("only-here")


def test_the_password_and_the_name_open_and_nothing_else_does(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        with server.client() as client:
            client.execute_command(
                "ACL", "SETUSER", "gateway", "on", f">{PASSWORD}", "~causeway:*", "+@all"
            )
            client.execute_command("ACL", "SETUSER", "default", "off")
        host = f"127.0.0.1:{server.port}"
        asked = store(f"redis://gateway:{QUOTED}@{host}")
        assert asked.run(PING, ()) == 7
        for url in (f"redis://{host}", f"redis://gateway:wrong@{host}", f"redis://:x@{host}"):
            assert refused(store(url)) == (
                "The store of short-lived state does not answer; try again later."
            )
        assert "canary" not in repr(asked._address) + str(asked._address)


def certificate(directory: Path, name: str) -> None:
    """Write a key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (directory / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def test_tls_is_spoken_with_a_certificate_that_is_trusted_and_no_other(tmp_path: Path) -> None:
    for name in ("ours", "other"):
        certificate(tmp_path, name)
    server = RedisServer(tmp_path)
    port = server.port + 0
    server.options = (
        *("--tls-cert-file", str(tmp_path / "ours.crt")),
        *("--tls-key-file", str(tmp_path / "ours.key")),
        *("--tls-ca-cert-file", str(tmp_path / "ours.crt"), "--tls-auth-clients", "no"),
    )
    tls = free_port()
    try:
        server.start("--tls-port", str(tls))
        url = f"rediss://127.0.0.1:{tls}/0"
        assert store(f"{url}?ca={tmp_path}/ours.crt").run(PING, ()) == 7
        refused(store(f"{url}?ca={tmp_path}/other.crt"))
        refused(store(url))
        refused(store(f"rediss://127.0.0.1:{port}?ca={tmp_path}/ours.crt", within=2))
        refused(store(f"redis://127.0.0.1:{tls}", within=2))
    finally:
        server.kill()


def test_a_redis_that_would_forget_when_full_is_not_trusted(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--maxmemory-policy", "allkeys-lru") as server:
        asked = store(server.url)
        assert "set `maxmemory-policy noeviction`" in refused(asked)
        assert "noeviction" in (asked.fault() or "")
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
        assert asked.run(PING, ()) == 7


def test_a_full_redis_takes_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    grow = remembering("redis.call('SET', KEYS[2], string.rep('x', 200000)) return 1")
    with redis_server(tmp_path, "--maxmemory", "3mb") as server:
        asked = store(server.url)
        with pytest.raises(Refusal):
            all(asked.run(grow, (b"causeway:%d" % n,)) for n in range(100))
        with server.client() as client:
            assert client.exists("causeway:0", "causeway:memory") == 2


def test_a_master_whose_replicas_may_lag_at_will_is_not_trusted(tmp_path: Path) -> None:
    with ExitStack() as stack:
        master = stack.enter_context(redis_server(tmp_path / "master"))
        joined = ("--replicaof", f"127.0.0.1 {master.port}")
        replica = stack.enter_context(redis_server(tmp_path / "replica", *joined))
        client = stack.enter_context(master.client())
        until(lambda: client.info("replication")["connected_slaves"] == 1)
        assert "set `min-replicas-to-write 1`" in refused(store(master.url))
        client.config_set("min-replicas-to-write", 1)
        asked = store(master.url)
        until(lambda: asked.fault() is None)
        until(lambda: "is a replica" in refused(store(replica.url)))
        replica.kill()
        until(lambda: not client.info("replication").get("min_slaves_good_slaves"))
        assert "does not answer" in (asked.fault() or "")


def test_a_sentinel_that_is_gone_is_passed_over_and_an_unknown_service_is_nobody(
    tmp_path: Path,
) -> None:
    pair = Lagging(tmp_path)
    try:
        host = f"127.0.0.1:{pair.sentinel.port}"
        assert store(f"redis+sentinel://127.0.0.1:1,{host}/causeway/0").run(PING, ()) == 7
        assert "no Sentinel" in refused(store(f"redis+sentinel://{host}/other"))
        assert "no Sentinel" in refused(store("redis+sentinel://127.0.0.1:1/causeway"))
    finally:
        pair.close()


ODD = {
    "says nothing": (b"", 0),
    "garbage": (b"\x00\xff garbage\r\n" * 3, 0),
    "another protocol": (b"HTTP/1.1 200 OK\r\n\r\n", 0),
    "a number for a text": (b":7\r\n", 0),
    "an endless text": (b"$999999999\r\nxxxx", 0),
    "a text that comes a byte at a time": (b"$500\r\n" + b"x" * 500 + b"\r\n", 0.05),
    "nothing at all": (b"$-1\r\n", 0),
    "a list of lists": (b"*1\r\n" * 40 + b":1\r\n", 0),
    "no master": (b"$11\r\nrole:slave\n\r\n", 0),
}


@pytest.mark.parametrize("case", ODD.values(), ids=ODD)
def test_a_redis_that_is_none_is_refused_in_time(case: tuple[bytes, float]) -> None:
    with odd(*case) as url:
        before = time.monotonic()
        refused(store(url, within=0.5))
        assert time.monotonic() - before < 10  # the text of 25 seconds is not waited for


def test_a_redis_that_is_not_there_is_refused_and_asked_again(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        asked = store(server.url)
        assert asked.run(PING, ()) == 7
        server.kill()
        refused(asked)
        assert asked.fault() is not None
        server.start()
        assert asked.run(PING, ()) == 7


def test_a_restart_costs_no_request_of_those_that_come_after_it(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        asked = store(server.url)
        patience = Deadline.within(10, SystemClock())
        with ExitStack() as held:
            for _ in range(4):
                asked._link(held.enter_context(asked._kept.lent(patience)), patience)
        server.restart()
        assert [asked.run(PING, ()) for _ in range(4)] == [7] * 4


def test_a_hanging_redis_holds_nobody_longer_than_its_deadline(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        asked = store(server.url, within=0.3)
        patient = store(server.url)
        patient.run(PING, ())
        with server.stopped():
            refused(asked)
        assert patient.run(PING, ()) == 7


@pytest.mark.parametrize(
    ("url", "hosts", "service", "database", "tls", "login"),
    [
        ("redis://r", (("r", 6379),), None, 0, False, Login()),
        ("redis://:p%40@r:1/2", (("r", 1),), None, 2, False, Login(None, "p@")),
        ("rediss://u:p@[::1]:2", (("::1", 2),), None, 0, True, Login("u", "p")),
        ("redis+sentinel://a,b:3/s", (("a", 26379), ("b", 3)), "s", 0, False, Login()),
        ("rediss+sentinel://:p@a/s/9", (("a", 26379),), "s", 9, True, Login(None, "p")),
    ],
)
def test_an_address_is_read_as_it_is_written(url, hosts, service, database, tls, login) -> None:
    read = RedisAddress.parse(url)
    assert (read.hosts, read.service, read.database) == (hosts, service, database)
    assert (read.tls, read.login) == (tls, login)


def test_further_parts_of_an_address_stand_after_it() -> None:
    read = RedisAddress.parse("rediss+sentinel://a/s?ca=/etc/ca.pem&sentinel_password=q")
    assert (read.authority, read.sentinel_login) == ("/etc/ca.pem", Login(None, "q"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "r:6379",
        "http://r",
        "redis://",
        "redis://:canary@",
        "redis://canary@r",
        "redis://a,b",
        "redis://r:port",
        "redis://r/x",
        "redis://r/0/1",
        "redis://r/99999",
        "redis://r?canary=1",
        "redis://r#canary",
        "redis+sentinel://a",
        "redis+sentinel://a/s/canary",
        "redis+sentinel://" + ",".join("abcdefghijklmnopq") + "/s",
        "redis://[canary",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        RedisAddress.parse(url)
    assert "canary" not in str(refusal.value)
