"""The REST adapter against real sockets that answer late, wrongly, too much or not at all."""

import asyncio
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.base import Source
from adapters.model import SourceAddress
from adapters.record import MAX_RECORD
from adapters.registry import build
from gateway.load.fibres import Fibres
from kernel.canonical import Json
from kernel.errors import Exact, Reason, Refusal
from kernel.waits import OwnThread, Perform
from tests.contract.asking import ask, refusal
from tests.contract.loopback import Handler, Loopback, answer, sends, serving
from tests.contract.sources import PEOPLE, REST_READ, SUBJECT_AT, at

HOW = {"by thread": False, "in fibres": True}


class InFibres:
    """A source that is asked from fibres of a loop in a thread of its own."""

    blocks = False

    def __init__(self, made: Callable[[Perform], Source]) -> None:
        self.fibres, self.loop = Fibres(OwnThread()), uvloop.new_event_loop()
        self.source = made(self.fibres.performing())
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def fetch(self, *asked: Any) -> Json:
        answer = asyncio.run_coroutine_threadsafe(
            self.fibres.run(self.source.fetch, *asked), self.loop
        )
        return answer.result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self._end)
        self.thread.join()
        self.loop.close()

    def _end(self) -> None:
        self.source.close()
        self.loop.stop()


@pytest.fixture(params=HOW, autouse=True)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask as threads do, and as fibres do."""
    monkeypatch.setitem(HOW, "now", HOW[request.param])


def made(read: dict[str, Any], address: SourceAddress) -> Source:
    if HOW["now"]:
        return InFibres(lambda perform: build("rest", read, SUBJECT_AT, address, perform))
    return build("rest", read, SUBJECT_AT, address)


GOOD = json.dumps(PEOPLE["RN-1"], ensure_ascii=False).encode()


@contextmanager
def asking(
    handler: Handler, read: dict[str, Any] = REST_READ, **settings: Any
) -> Iterator[tuple[Source, Loopback]]:
    with serving(handler) as server:
        source = made(read, at("register", server.url, **settings))
        try:
            yield source, server
        finally:
            source.close()


def fails_once_with(handler: Handler) -> Handler:
    """Return a handler that misbehaves in the first request and is well afterwards."""
    left = [handler]

    def handle(connection: socket.socket, head: bytes) -> None:
        (left.pop() if left else sends(answer(GOOD)))(connection, head)

    return handle


def stalls(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


def drips(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    connection.sendall(b"Content-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def floods(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
    connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")


def floods_headers(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: %s\r\n" % (b"y" * 1000) * 5000)


def resets(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def breaks_off(connection: socket.socket, _: bytes) -> None:
    connection.sendall(answer(GOOD)[:-10])
    connection.shutdown(socket.SHUT_RDWR)


def hangs_up(connection: socket.socket, _: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


UNAVAILABLE = {
    "500": sends(answer(b"{}", "500 Internal Server Error")),
    "503": sends(answer(b"{}", "503 Service Unavailable")),
    "429": sends(answer(b"{}", "429 Too Many Requests")),
    "401": sends(answer(b"{}", "401 Unauthorized")),
    "403": sends(answer(b"{}", "403 Forbidden")),
    "reset": resets,
    "hang-up": hangs_up,
}
BAD_ANSWER = {
    "redirect": sends(answer(GOOD, "302 Found", extra=("Location: http://127.0.0.1:1/",))),
    "permanent redirect": sends(answer(GOOD, "308 Permanent Redirect", extra=("Location: /x",))),
    "created": sends(answer(GOOD, "201 Created")),
    "no content": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "bad request": sends(answer(b"{}", "400 Bad Request")),
    "not HTTP": sends(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "not JSON": sends(answer(b"<html>RN-1 Amina</html>")),
    "cut JSON": sends(answer(GOOD[:-1])),
    "JSON and more": sends(answer(GOOD + b"{}")),
    "empty": sends(answer(b"")),
    "NaN": sends(answer(b'{"number": NaN}')),
    "not UTF-8": sends(answer(b'{"number": "\xff"}')),
    "lone surrogate": sends(answer(b'{"number": "\\ud800"}')),
    "a list of records": sends(answer(b"[" + GOOD + b"," + GOOD + b"]")),
    "a string": sends(answer(b'"RN-1"')),
    "null": sends(answer(b"null")),
    "33 levels": sends(answer(b'{"a":' * 33 + b"1" + b"}" * 33)),
    "a million levels": sends(answer(b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}")),
    "unsafe integer": sends(answer(b'{"number": "RN-1", "a": [{"b": 9007199254740992}]}')),
    "HTML type": sends(answer(GOOD, content_type="text/html")),
    "no type": sends(answer(GOOD, content_type="")),
    "Latin-1": sends(answer(GOOD, content_type="application/json; charset=iso-8859-1")),
    "compressed": sends(answer(gzip.compress(GOOD), extra=("Content-Encoding: gzip",))),
    "announced too large": sends(answer(b" " * (MAX_RECORD + 1))),
    "100 MB": floods,
    "endless headers": floods_headers,
    "broken off": breaks_off,
}
TIMEOUT = {"stalled": stalls, "slow body": drips}


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_a_source_that_does_not_serve_us_is_unavailable(fault: str) -> None:
    with asking(fails_once_with(UNAVAILABLE[fault])) as (source, _):
        assert refusal(source).reason is Reason.SOURCE_UNAVAILABLE
        assert ask(source) == PEOPLE["RN-1"]


@pytest.mark.parametrize("fault", BAD_ANSWER)
def test_an_answer_that_is_no_record_is_a_bad_answer(fault: str) -> None:
    with asking(fails_once_with(BAD_ANSWER[fault])) as (source, server):
        assert refusal(source).reason is Reason.SOURCE_BAD_ANSWER
        assert len(server.requests) == 1
        assert ask(source) == PEOPLE["RN-1"]


@pytest.mark.parametrize("fault", TIMEOUT)
def test_an_answer_that_is_not_whole_in_time_is_a_timeout(fault: str) -> None:
    with asking(fails_once_with(TIMEOUT[fault])) as (source, _):
        assert refusal(source, seconds=1.5).reason is Reason.SOURCE_TIMEOUT
        assert ask(source) == PEOPLE["RN-1"]


def test_the_sources_own_limit_counts_when_it_is_nearer_than_the_deadline() -> None:
    with asking(stalls, timeout=0.2) as (source, _):
        assert refusal(source, seconds=60).reason is Reason.SOURCE_TIMEOUT


def test_a_hundred_megabytes_are_not_read_to_the_end() -> None:
    sent = []

    def counts(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" " * 0x100000)
            sent.append(1)

    with asking(counts) as (source, _):
        assert refusal(source).reason is Reason.SOURCE_BAD_ANSWER
    assert len(sent) < 50


def test_a_request_names_fields_and_person_and_shows_our_own_secret() -> None:
    with asking(sends(answer(GOOD)), secret="s3cret~") as (source, server):
        ask(source, "/name/family", "/children/*/birth_date")
    [head] = server.requests
    lines = head.split(b"\r\n")
    assert lines[0] == (
        b"GET /v1/people/RN-1?fields=%2Fchildren%2F%2A%2Fbirth_date&fields=%2Fname%2Ffamily"
        b"&fields=%2Fnumber HTTP/1.1"
    )
    assert b"Authorization: Bearer s3cret~" in lines
    assert b"Accept-Encoding: identity" in lines


def test_a_crafted_identifier_stays_one_segment_of_the_path() -> None:
    with asking(sends(answer(GOOD))) as (source, server):
        ask(source, number="../admin?x=1#y/é")
    assert server.targets == ["/v1/people/..%2Fadmin%3Fx%3D1%23y%2F%C3%A9?fields=%2Fnumber"]


def test_a_connection_is_kept_for_the_next_request() -> None:
    with asking(sends(answer(GOOD))) as (source, server):
        for _ in range(5):
            ask(source)
    assert server.connections == 1


def test_a_kept_connection_that_died_meanwhile_is_replaced() -> None:
    def once(connection: socket.socket, _: bytes) -> None:
        connection.sendall(answer(GOOD))
        connection.shutdown(socket.SHUT_RDWR)

    with asking(once) as (source, server):
        for _ in range(3):
            assert ask(source) == PEOPLE["RN-1"]
    assert server.connections == 3


def test_only_the_named_statuses_say_that_the_person_is_unknown() -> None:
    read = {**REST_READ, "not_found": [410]}
    with asking(sends(answer(b"{}", "410 Gone")), read) as (source, _):
        with pytest.raises(Refusal) as refused:
            ask(source)
        assert refused.value.exact is Exact.SUBJECT_UNKNOWN
    with asking(sends(answer(b"{}", "404 Not Found")), read) as (source, _):
        assert refusal(source).reason is Reason.SOURCE_BAD_ANSWER


def test_the_record_may_lie_within_the_answer() -> None:
    read = {**REST_READ, "record": "/data/person"}
    with asking(sends(answer(b'{"data": {"person": ' + GOOD + b"}}")), read) as (source, _):
        assert ask(source) == PEOPLE["RN-1"]
    for elsewhere in (b'{"data": [' + GOOD + b"]}", GOOD, b'{"data": {"person": [{}]}}'):
        with asking(sends(answer(elsewhere)), read) as (source, _):
            assert refusal(source).reason is Reason.SOURCE_BAD_ANSWER


def test_a_source_that_cannot_be_asked_for_less_is_cut_here() -> None:
    with asking(sends(answer(GOOD)), {"path": "/people/{subject}"}) as (source, server):
        assert ask(source, "/name/given") == {"number": "RN-1", "name": {"given": "Amina"}}
    assert server.targets == ["/people/RN-1"]


def test_what_a_source_sends_beyond_the_question_is_left_for_the_cut_that_notices() -> None:
    with asking(sends(answer(GOOD))) as (source, _):
        assert ask(source, "/name/given") == PEOPLE["RN-1"]


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(sends(answer(b"{}", "502 Bad Gateway"))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with asking(sends(answer(GOOD))) as (source, _):
            assert ask(source) == PEOPLE["RN-1"]
        assert not proxy.requests


@pytest.mark.parametrize("host", ["0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "127.1", "[::]"])
def test_a_host_that_turns_out_to_be_this_machine_is_never_connected_to(host: str) -> None:
    with serving(sends(answer(GOOD))) as server:
        address = at("register", f"https://{host}:{server.url.rpartition(':')[2]}")
        source = made(REST_READ, address)
        assert refusal(source).reason is Reason.SOURCE_UNAVAILABLE
        assert not server.connections
        source.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a fresh key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "register")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "register.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return file


def test_a_certificate_counts_only_when_the_machine_trusts_its_issuer(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(sends(answer(GOOD)), tls) as server:
        address = at("register", server.url, secret="s3cret")
        source = made(REST_READ, address)
        assert refusal(source).reason is Reason.SOURCE_UNAVAILABLE
        assert not server.requests
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert ask(source) == PEOPLE["RN-1"]
        source.close()


def test_requests_at_once_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(4, timeout=20)

    def waits(connection: socket.socket, _: bytes) -> None:
        together.wait()
        connection.sendall(answer(GOOD))

    with asking(waits) as (source, _):
        threads = [threading.Thread(target=ask, args=(source,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not together.broken


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "ftp://127.0.0.1/",
        "https://",
        "https://user:word@example.org/",
        "https://example.org/?q=1",
        "https://example.org/#f",
        "https://exämple.org/",
        "file:///etc/passwd",
        "http://127.0.0.1.example.org/",
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="REST source"):
        build("rest", REST_READ, SUBJECT_AT, at("register", url))


@pytest.mark.parametrize("secret", ["", "two words", "line\r\nbreak", "ключ"])
def test_a_secret_that_is_no_header_value_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        build("rest", REST_READ, SUBJECT_AT, at("register", "http://127.0.0.1:1", secret=secret))


def test_a_secret_is_not_in_the_text_of_its_address() -> None:
    assert "hush" not in repr(at("register", "http://127.0.0.1:1", secret="hush"))
