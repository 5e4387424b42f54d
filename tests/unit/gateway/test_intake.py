"""Intake: a request is there, whole, small, in time and as written, before the application runs."""

import asyncio
import threading
from typing import Any

import pytest

from gateway.http import intake
from gateway.http.routes import EXCHANGES
from gateway.load.turns import Turns

LIMIT = 8
SCOPE = {
    "type": "http",
    "method": "POST",
    "raw_path": b"/a%2fb",
    "path": "/a/b",
    "query_string": b"c=%64",
    "http_version": "1.1",
    "scheme": "http",
    "server": ("127.0.0.1", 80),
    "client": ("192.0.2.1", 1),
    "headers": [],
}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def answered(*messages: dict[str, Any], headers: tuple[tuple[bytes, bytes], ...] = ()):
    """Return what the application was given, the body that it read, and what was sent back."""
    given: dict[str, Any] = {}
    sent: list[dict[str, Any]] = []
    left = list(messages)

    def application(environ, start_response):
        given.update(environ)
        try:
            given["read"] = environ["wsgi.input"].read()
        except Exception as error:  # noqa: BLE001 - what it is, is what the tests look at
            given["read"] = type(error).__name__
        start_response("201 CREATED", [("X-Name", "value")])
        return [b"one ", b"two"]

    async def receive():
        if not left:
            await asyncio.Event().wait()  # a sender that never goes on
        return left.pop(0)

    async def send(message):
        sent.append(message)

    served = intake.Intake(application, LIMIT)
    asyncio.run(served({**SCOPE, "headers": list(headers)}, receive, send))
    return given, sent


@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_a_body_that_came_whole_is_handed_on(size):
    given, _ = answered(part(b"x" * size))
    assert given["read"] == b"x" * size
    assert given["CONTENT_LENGTH"] == str(size)


def test_a_body_in_pieces_is_put_together():
    given, _ = answered(part(b"ab", more=True), part(b"", more=True), part(b"cd"))
    assert given["read"] == b"abcd"


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(monkeypatch):
    monkeypatch.setattr(intake, "LINGERING", 0.01)
    said = ((b"content-length", b"9"),)
    assert answered(part(b"x" * 9))[0]["read"] == "RequestEntityTooLarge"
    assert answered(part(b"x" * 9), headers=said)[0]["read"] == "RequestEntityTooLarge"
    assert answered(headers=said)[0]["read"] == "RequestEntityTooLarge"


def test_the_rest_of_a_body_that_is_too_large_is_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(intake, "LINGER", 20)
    endless = [part(b"x" * 9, more=True) for _ in range(9)]
    assert answered(*endless)[0]["read"] == "RequestEntityTooLarge"


@pytest.mark.parametrize("before", [[], [part(b"{}", more=True)]])
def test_a_body_that_breaks_off_is_refused(before):
    assert answered(*before, GONE)[0]["read"] == "BadRequest"


def test_a_body_that_does_not_come_in_time_is_refused(monkeypatch):
    monkeypatch.setattr(intake, "WITHIN", 0.01)
    assert answered(part(b"{}", more=True))[0]["read"] == "BadRequest"


def test_the_path_is_as_it_was_written():
    given, _ = answered(part(b""))
    assert given["PATH_INFO"] == "/a%2fb"
    assert given["QUERY_STRING"] == "c=%64"
    assert given["REMOTE_ADDR"] == "192.0.2.1"


def test_every_line_of_a_header_is_seen():
    given, _ = answered(
        part(b""),
        headers=(
            (b"dpop", b"one"),
            (b"dpop", b"two"),
            (b"content-type", b"a/b"),
            (b"content-type", b"c/d"),
            (b"x-name", b"\xe9"),
        ),
    )
    assert given["HTTP_DPOP"] == "one,two"
    assert given["CONTENT_TYPE"] == "a/b,c/d"
    assert given["HTTP_X_NAME"] == "é"


def test_a_header_with_an_underscore_is_none():
    given, _ = answered(part(b""), headers=((b"idempotency_key", b"x"),))
    assert "HTTP_IDEMPOTENCY_KEY" not in given


def test_the_answer_is_sent_whole():
    _, sent = answered(part(b""))
    assert sent == [
        {"type": "http.response.start", "status": 201, "headers": [(b"x-name", b"value")]},
        {"type": "http.response.body", "body": b"one two"},
    ]


@pytest.mark.parametrize("breaks", [False, True])
def test_what_made_the_answer_is_told_that_it_was_taken(breaks: bool):
    class Pieces:
        closed = 0

        def __iter__(self):
            yield b"one"
            if breaks:
                raise ConnectionError

        def close(self) -> None:
            self.closed += 1

    pieces = Pieces()

    def application(environ, start_response):
        start_response("200 OK", [])
        return pieces

    async def receive():
        return part(b"")

    async def send(message):
        pass

    served = intake.Intake(application, LIMIT)
    if breaks:
        with pytest.raises(ConnectionError):
            asyncio.run(served(SCOPE, receive, send))
    else:
        asyncio.run(served(SCOPE, receive, send))
    assert pieces.closed == 1


@pytest.mark.parametrize(
    "path", ["/policies/bundle/active", "/readyz", "/livez", "/metrics", EXCHANGES]
)
def test_an_exchange_and_where_the_machine_looks_is_answered_while_everybody_else_waits(path):
    """OPA would wait for us, and requests that wait for OPA would hold every turn and thread."""
    begun, held, sent = threading.Event(), threading.Event(), []

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/a%2fb":
            begun.set()
            assert held.wait(20)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    async def receive():
        return part(b"")

    async def send(message):
        sent.append(message)

    async def all_at_once():
        served = intake.Intake(application, LIMIT, Turns(1))
        waiting = [
            asyncio.ensure_future(served(SCOPE, receive, send)) for _ in range(intake.THREADS + 1)
        ]
        assert await asyncio.to_thread(begun.wait, 20)
        await served({**SCOPE, "raw_path": path.encode()}, receive, send)
        first = list(sent)
        held.set()
        await asyncio.gather(*waiting)
        return first

    assert asyncio.run(asyncio.wait_for(all_at_once(), 60))[1]["body"] == path.encode()
