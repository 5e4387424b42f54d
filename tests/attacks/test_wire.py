"""Attacks on the wire (R15, R17): framing, paths, methods, slow and oversized requests."""

import gzip
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.agency import Agency
from tests.attacks.ledger_watch import DECISION, RELEASE, nothing_written, standing, written
from tests.attacks.wire import LAST_CHUNK, Replies, chunked, proven, request, send
from tests.country import RESIDENTS, SCHEME, RunningCountry

API = "/v1/exchanges"
LIMIT = 16 * 1024


@pytest.fixture(scope="module")
def agency(country: RunningCountry) -> Agency:
    return country.agency()


@pytest.fixture(scope="module")
def body(country: RunningCountry) -> bytes:
    """A body that is right in everything, about somebody who consented."""
    resident = standing(country)
    return json.dumps(
        {
            "agreement": "family-allowance",
            "service": RESIDENTS,
            "subject": {"scheme": SCHEME, "value": resident.number},
            "fields": ["/name/family"],
        }
    ).encode()


def length(body: bytes) -> tuple[str, str]:
    return ("Content-Length", str(len(body)))


def exchange(
    agency: Agency, body: bytes, *more: tuple[str, str], target: str = API, patience: float = 60.0
) -> Replies:
    lines = [*proven(agency), *more]
    return send(agency.gateway, request("POST", target, lines, body), patience=patience)


def test_the_raw_request_itself_is_right(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    """Without this, every refusal here might have another cause."""
    with written(country, DECISION, RELEASE):
        assert exchange(agency, body, length(body)).last.status == 200


# ------------------------------------------------------------------ paths


@pytest.mark.parametrize(
    "target",
    [
        "//v1/exchanges",
        "///v1/exchanges",
        "/v1//exchanges",
        "/v1/exchanges/",
        "/v1/exchanges//",
        "/v1/./exchanges",
        "/./v1/exchanges",
        "/v1/../v1/exchanges",
        "/../v1/exchanges",
        "/V1/exchanges",
        "/v1/Exchanges",
        "/v1/%65xchanges",
        "/%761/exchanges",
        "/v1%2fexchanges",
        "/v1%2Fexchanges",
        "/v1/exchanges%23",
        "/v1/exchanges;a=b",
        "/v1/exchanges%00",
        "/v1/exchanges%20",
        "/v1/exchanges%2f",
        "/v1/exchanges%3fa=b",
        "/%2fv1/exchanges",
        "/v1/%2e/exchanges",
        "/v1/exchang\u00e9s",
        "/v1/%C0%AFexchanges",
        "/gateway/v1/exchanges",
        "*",
        "http://evil.example//v1/exchanges",
    ],
)
def test_a_path_that_is_not_the_canonical_one_is_not_found(
    country: RunningCountry, agency: Agency, body: bytes, target: str
) -> None:
    with nothing_written(country):
        replies = exchange(agency, body, length(body), target=target.encode().decode("latin-1"))
    assert (replies.last.status, replies.last.reason) == (404, "request.not_found")


def test_an_absolute_target_is_only_its_path(agency: Agency, body: bytes) -> None:
    """RFC 9112 §3.2.2 makes servers accept it; its host decides nothing, as `Host` does not."""
    assert (
        exchange(agency, body, length(body), target=f"http://evil.example{API}").last.status == 200
    )


@pytest.mark.parametrize("target", ["v1/exchanges", "\\v1\\exchanges", "/v1/exchanges x", ""])
def test_a_target_that_is_none_is_no_request(
    country: RunningCountry, agency: Agency, body: bytes, target: str
) -> None:
    with nothing_written(country):
        replies = exchange(agency, body, length(body), target=target)
    assert replies.last.status == 400


def test_a_query_is_refused(country: RunningCountry, agency: Agency, body: bytes) -> None:
    with nothing_written(country):
        answer = exchange(agency, body, length(body), target=f"{API}?fields=/phone").last
    assert (answer.status, answer.reason) == (400, "request.malformed")


@pytest.mark.parametrize("size", [10_000, 60_000, 70_000, 1_000_000])
def test_a_very_long_path_is_refused(country: RunningCountry, agency: Agency, size: int) -> None:
    with nothing_written(country):
        replies = send(agency.gateway, request("GET", "/" + "a" * size, proven(agency)))
    assert replies.last.status in {404, 414, 431}


# ------------------------------------------------------------------ methods


@pytest.mark.parametrize(
    "method",
    ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "FOO", "post"],
)
def test_every_other_method_is_refused(
    country: RunningCountry, agency: Agency, body: bytes, method: str
) -> None:
    """R17: and no header makes it a POST."""
    lines = [
        *proven(agency),
        ("X-HTTP-Method-Override", "POST"),
        ("X-Method-Override", "POST"),
        length(body),
    ]
    with nothing_written(country):
        replies = send(agency.gateway, request(method, API, lines, body))
    assert replies.last.status == 405
    if method != "HEAD":
        assert replies.last.reason == "request.method"
    if method != "post":
        assert replies.last.headers["allow"] == "POST"


def test_no_address_answers_to_options_or_head(agency: Agency) -> None:
    for path in ("/livez", "/v1/services", "/oauth2/token", "/oauth2/jwks", "/errors/internal"):
        for method in ("OPTIONS", "HEAD"):
            assert agency.request(method, path).status == 405
    assert agency.request("OPTIONS", "/nowhere").status == 404


# ------------------------------------------------------------------ framing


def test_two_framings_end_the_connection(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    """A request in the rest is never served, whichever of the two lengths the sender meant."""
    hidden = request("GET", "/oauth2/jwks", [("Host", "g")])
    lines = [line for line in proven(agency) if line[0] != "Connection"]
    both = [*lines, ("Content-Length", "4"), ("Transfer-Encoding", "chunked")]
    for framing in (both, [*lines, *both[:-3:-1]]):
        raw = request("POST", API, framing, chunked(b"{}") + LAST_CHUNK + hidden)
        with nothing_written(country):
            replies = send(agency.gateway, raw)
        assert b'"keys"' not in replies.raw
        assert len(replies.statuses) == 1
        assert replies.closed


@pytest.mark.parametrize(
    "framing",
    [
        [("Content-Length", "5"), ("Content-Length", "6")],
        [("Content-Length", "-1")],
        [("Content-Length", "+5")],
        [("Content-Length", "0x5")],
        [("Content-Length", "5, 6")],
        [("Content-Length", "99999999999999999999999")],
        [("Transfer-Encoding", "xchunked")],
        [("Transfer-Encoding", "chunked, identity")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
        [("Transfer-Encoding ", "chunked")],
        [("Content-Length ", "5")],
        [("Host ", "a")],
        [("A", "b\x00c")],
        [("A", "b\nTransfer-Encoding: chunked\rx")],
        [("A", "b\r\n folded")],
    ],
    ids=str,
)
def test_a_request_that_can_be_read_two_ways_is_not_read(
    country: RunningCountry, agency: Agency, framing: list[tuple[str, str]]
) -> None:
    lines = [line for line in proven(agency) if line[0] != "Connection"]
    hidden = request("GET", "/oauth2/jwks", [("Host", "g")])
    raw = request("POST", API, [*lines, *framing], b"0\r\n\r\n" + hidden)
    with nothing_written(country):
        replies = send(agency.gateway, raw)
    assert replies.statuses[0] in {400, 413}
    assert b'"keys"' not in replies.raw
    assert replies.closed


def test_what_follows_a_body_is_a_request_of_its_own(agency: Agency, body: bytes) -> None:
    """A length that is too short leaves a rest, which is read as the next request and proves
    nothing for itself."""
    lines = [line for line in proven(agency) if line[0] != "Connection"]
    hidden = request("POST", API, [("Host", "g"), ("Connection", "close"), length(body)], body)
    replies = send(agency.gateway, request("POST", API, [*lines, length(b"{}")], b"{}" + hidden))
    assert replies.statuses == [400, 401]
    assert replies.last.reason == "token.missing"


@pytest.mark.parametrize("missing", [1, 5, 10_000])
def test_a_body_shorter_than_it_says_is_refused(
    country: RunningCountry, agency: Agency, body: bytes, missing: int
) -> None:
    """Though the JSON in it is whole."""
    lines = [*proven(agency), ("Content-Length", str(len(body) + missing))]
    with nothing_written(country):
        replies = send(agency.gateway, request("POST", API, lines, body), half_close=True)
    assert (replies.last.status, replies.last.reason) == (400, "request.malformed")


@pytest.mark.parametrize("end", [b"", b"zz\r\n\r\n", b"-1\r\n\r\n", b"0\r", b"5\r\nab"])
def test_a_chunked_body_that_breaks_off_is_refused(
    country: RunningCountry, agency: Agency, body: bytes, end: bytes
) -> None:
    """Though the JSON in it is whole (RFC 9112 §8)."""
    lines = [*proven(agency), ("Transfer-Encoding", "chunked")]
    raw = request("POST", API, lines, chunked(body) + end)
    with nothing_written(country):
        replies = send(agency.gateway, raw, half_close=True)
    assert (replies.last.status, replies.last.reason) == (400, "request.malformed")


@pytest.mark.parametrize("second", ["application/json", "text/plain", "application/json; x=y"])
def test_two_types_of_body_are_one_too_many(
    country: RunningCountry, agency: Agency, body: bytes, second: str
) -> None:
    with nothing_written(country):
        answer = exchange(agency, body, length(body), ("Content-Type", second)).last
    assert (answer.status, answer.reason) == (415, "request.media_type")


def test_a_header_spelled_with_an_underscore_is_another_header(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    """A proxy in front may let it through unseen; here it counts for nothing."""
    odd = [("Idempotency_Key", "a"), ("Content_Type", "text/plain"), ("Content_Length", "1")]
    with written(country, DECISION, RELEASE):
        assert exchange(agency, body, length(body), *odd).last.status == 200
    with nothing_written(country):
        answer = exchange(agency, body, length(body), ("Idempotency-Key", "a")).last
    assert (answer.status, answer.reason) == (400, "request.malformed")


def test_a_chunked_body_counts_like_any_other(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    with written(country, DECISION, RELEASE):
        replies = exchange(agency, chunked(body, 7) + LAST_CHUNK, ("Transfer-Encoding", "chunked"))
    assert replies.last.status == 200


@pytest.mark.parametrize("size", [LIMIT + 1, 100_000, 3_000_000])
def test_a_chunked_body_that_is_too_large_is_refused(
    country: RunningCountry, agency: Agency, body: bytes, size: int
) -> None:
    """Also where what fits in is a whole request followed by spaces."""
    padded = chunked(body.ljust(size), 4096) + LAST_CHUNK
    with nothing_written(country):
        replies = exchange(agency, padded, ("Transfer-Encoding", "chunked"))
    # A sender that is still sending when the connection ends may see the reset before the answer.
    if size <= 100_000 or replies.raw:
        assert (replies.last.status, replies.last.reason) == (413, "request.too_large")


def test_a_body_may_have_exactly_sixteen_kibibytes(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    full, over = body.ljust(LIMIT), body.ljust(LIMIT + 1)
    with written(country, DECISION, RELEASE):
        assert exchange(agency, full, length(full)).last.status == 200
    with nothing_written(country):
        answer = exchange(agency, over, length(over)).last
    assert (answer.status, answer.reason) == (413, "request.too_large")


def test_a_length_that_is_too_large_is_refused_unread(
    country: RunningCountry, agency: Agency
) -> None:
    """Size comes before everything: there is no token, and nothing was sent yet."""
    lines = [("Host", "g"), ("Connection", "close"), ("Content-Length", "99999999999")]
    with nothing_written(country):
        answer = send(agency.gateway, request("POST", API, lines), patience=8).last
    assert (answer.status, answer.reason) == (413, "request.too_large")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-gzip", "identity, gzip", "\xe9"])
def test_a_coded_body_is_refused(
    country: RunningCountry, agency: Agency, body: bytes, coding: str
) -> None:
    for sent in (body, gzip.compress(body)):
        with nothing_written(country):
            answer = exchange(agency, sent, length(sent), ("Content-Encoding", coding)).last
        assert (answer.status, answer.reason) == (415, "request.media_type")


def test_a_gzip_bomb_stays_packed(country: RunningCountry, agency: Agency) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with nothing_written(country):
        answer = exchange(agency, bomb, length(bomb), ("Content-Encoding", "gzip")).last
    assert (answer.status, answer.reason) == (415, "request.media_type")


def test_expecting_to_continue_changes_nothing(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    with written(country, DECISION, RELEASE):
        replies = exchange(agency, body, length(body), ("Expect", "100-continue"))
    assert replies.statuses == [100, 200]


def test_the_old_protocol_is_served_by_the_same_rules(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    lines = proven(agency)
    with written(country, DECISION, RELEASE):
        raw = request("POST", API, [*lines, length(body)], body, version="1.0")
        assert send(agency.gateway, raw).last.status == 200
    with nothing_written(country):
        replayed = send(agency.gateway, raw).last
        bare = send(agency.gateway, request("POST", API, [length(body)], body, "1.0")).last
    assert (replayed.status, replayed.reason) == (401, "dpop.replayed")
    assert (bare.status, bare.reason) == (401, "token.missing")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"\x00" * 1000,
        b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    ],
    ids=["TLS", "HTTP/2", "HTTP/9.9", "HTTP/0.9", "line breaks", "zeros", "many headers"],
)
def test_what_is_no_request_does_no_harm(agency: Agency, raw: bytes) -> None:
    replies = send(agency.gateway, raw, half_close=True)
    assert all(status >= 400 for status in replies.statuses)
    assert agency.request("GET", "/livez").status == 200


# ------------------------------------------------------------------ slow senders

SLOW = 60
"""Senders that stall at the same moment: more than a handful of threads could serve."""


def stalled(agency: Agency, raw: bytes) -> list[socket.socket]:
    to = urlsplit(agency.gateway)
    opened = []
    for _ in range(SLOW):
        connection = socket.create_connection((to.hostname, to.port), timeout=120)
        connection.sendall(raw)
        opened.append(connection)
    return opened


def test_slow_senders_are_cut_off_and_keep_nobody_waiting(
    country: RunningCountry, agency: Agency, body: bytes
) -> None:
    """Headers and bodies that never end: others are served meanwhile, and the wait is bounded."""
    lines = [*proven(agency), ("Content-Length", "100")]
    heads = stalled(agency, b"POST /v1/exchanges HTTP/1.1\r\nHost: g\r\nX-Slow: ")
    bodies = stalled(agency, request("POST", API, lines, b'{"agreement"'))
    trickle, stop = bodies[0], threading.Event()

    def feed() -> None:
        with_patience = time.monotonic() + 25
        while not stop.wait(1) and time.monotonic() < with_patience:
            try:
                trickle.sendall(b" ")
            except OSError:
                return

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        with written(country, DECISION, RELEASE):  # sooner than the ten seconds of the stalled
            assert exchange(agency, body, length(body), patience=8).last.status == 200
        answers = [connection.recv(65536) for connection in (heads[0], heads[-1])]
        assert all(not answer or answer.startswith(b"HTTP/1.1 4") for answer in answers)
        for connection in (trickle, bodies[1], bodies[-1]):
            assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    finally:
        stop.set()
        feeder.join()
        for connection in (*heads, *bodies):
            connection.close()
    with written(country, DECISION, RELEASE):
        assert exchange(agency, body, length(body)).last.status == 200
