"""What OPA may answer, and a real OPA that goes away, serves the wrong bundle, or comes back."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

import orjson
import pytest

from gateway.policy.engine_opa import OpaEngine
from gateway.policy.fault import BadOpaUrl, PolicyError
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.names import Revision
from tests.policies.repository import ECHO, bundle, bundle_of, opa_server

WANTED = Revision("a" * 64)
DECISION = {"allow": True, "fields": ["/a"], "obligations": [], "reasons": []}
SOUND = {"result": DECISION, "provenance": {"bundles": {"b": {"revision": WANTED}}}}
Serve = Callable[..., OpaEngine]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Stand in for OPA with one fixed answer."""
    servers = []

    def start(body: bytes, status: int = 200, *, pause: float = 0, **headers: str) -> OpaEngine:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                step = 1 if pause else len(body)
                for place in range(0, len(body), max(step, 1)):
                    threading.Event().wait(pause)
                    try:
                        self.wfile.write(body[place : place + step])
                    except OSError:
                        return

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return OpaEngine(f"http://127.0.0.1:{server.server_port}", SystemClock(), seconds=2.0)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def unavailable(engine: OpaEngine, revision: Revision = WANTED) -> bool:
    with pytest.raises(Refusal) as caught:
        engine.decide(b"{}", revision)
    return caught.value.reason is Reason.POLICY_UNAVAILABLE


def test_a_sound_answer_is_the_decision(serve: Serve) -> None:
    engine = serve(orjson.dumps(SOUND))
    assert engine.decide(b"{}", WANTED).fields == ("/a",)
    assert engine.ready(WANTED)
    assert not engine.ready(Revision("b" * 64))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"provenance": SOUND["provenance"]},
        {"result": DECISION},
        {"result": DECISION, "provenance": {}},
        {"result": DECISION, "provenance": {"bundles": {}}},
        {"result": DECISION, "provenance": {"bundles": []}},
        {"result": DECISION, "provenance": {"bundles": {"b": None}}},
        {"result": DECISION, "provenance": {"bundles": {"b": {"revision": "b" * 64}}}},
        {
            "result": DECISION,
            "provenance": {"bundles": {"a": {"revision": WANTED}, "b": {"revision": "b" * 64}}},
        },
        {"result": None, "provenance": SOUND["provenance"]},
        {"result": False, "provenance": SOUND["provenance"]},
        {"result": {**DECISION, "allow": "yes"}, "provenance": SOUND["provenance"]},
        [],
    ],
)
def test_an_answer_that_is_undefined_or_by_another_revision_is_refused(
    serve: Serve, answer: object
) -> None:
    assert unavailable(serve(orjson.dumps(answer)))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"<html>", b'{"result": 1, "result": 2}'])
def test_an_answer_that_is_not_json_is_refused(serve: Serve, body: bytes) -> None:
    assert unavailable(engine := serve(body))
    assert not engine.ready(WANTED)


@pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 500, 502, 503, 504])
def test_an_answer_with_another_status_is_refused(serve: Serve, status: int) -> None:
    body = b"" if status == 204 else orjson.dumps(SOUND)
    assert unavailable(engine := serve(body, status))
    assert not engine.ready(WANTED)


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    sound = serve(orjson.dumps(SOUND))
    there = f"http://127.0.0.1:{sound.servers[0]._port}/v1/data/exchange/decision"
    assert unavailable(serve(b"", 307, Location=there))


def test_an_answer_without_end_is_not_read(serve: Serve) -> None:
    assert unavailable(serve(orjson.dumps({**SOUND, "padding": " " * 300_000})))


def test_an_answer_that_trickles_is_late(serve: Serve) -> None:
    assert unavailable(serve(orjson.dumps(SOUND), pause=0.1))


def test_a_proxy_of_the_environment_is_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert serve(orjson.dumps(SOUND)).decide(b"{}", WANTED).allow


def test_nothing_is_sent_for_an_input_that_is_not_json(serve: Serve) -> None:
    engine = serve(orjson.dumps(SOUND))
    with patch("socket.socket.connect") as connect, pytest.raises(Refusal):
        engine.decide(b"{", WANTED)
    connect.assert_not_called()


@pytest.mark.parametrize(
    "url",
    [
        "", "opa", "127.0.0.1:8181", "ftp://127.0.0.1", "http://opa:8181", "http://10.0.0.1",
        "http://127.0.0.1/v1", "http://127.0.0.1?a=b", "http://127.0.0.1#a",
        "http://user@127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1 http://opa",
        "http://127.0.0.1 http://127.0.0.1", "http://[::1]:1,http://[::1]:2,http://[::1]:3",
    ],
)  # fmt: skip
def test_an_address_that_is_not_plainly_opas_is_refused(url: str) -> None:
    with pytest.raises(BadOpaUrl, match="OPA"):
        OpaEngine(url, SystemClock())


@pytest.mark.parametrize("url", ["https://opa:8181", "https://[fd00::1]/", "http://[::1]:8181"])
def test_https_serves_anywhere_and_http_on_loopback(url: str) -> None:
    OpaEngine(url, SystemClock())


def test_rules_are_checked_before_opa_is_told_to_decide_by_them() -> None:
    engine = OpaEngine("http://127.0.0.1:1", SystemClock())
    engine.prepare(bundle())
    with pytest.raises(PolicyError, match="now_ns"):
        engine.prepare(bundle_of("package exchange\n\ndecision := 1 if time.now_ns() > 0\n"))


def test_without_opa_nothing_is_decided_and_the_engine_is_not_healthy() -> None:
    served = bundle()
    with opa_server(served) as url:
        engine = OpaEngine(url, SystemClock(), seconds=10)
        assert not engine.decide(b"{}", served.revision).allow
    assert unavailable(engine, served.revision)
    assert not engine.healthy()


def test_an_opa_that_serves_another_bundle_decides_nothing() -> None:
    with opa_server(bundle_of(ECHO)) as url:
        engine = OpaEngine(url, SystemClock(), seconds=10)
        assert unavailable(engine, bundle().revision)


def test_every_thread_has_a_client_of_its_own() -> None:
    served = bundle()
    clients = []
    with opa_server(served) as url:
        engine = OpaEngine(url, SystemClock(), seconds=10)

        def ask() -> None:
            for _ in range(5):
                engine.decide(b"{}", served.revision)
            clients.append(engine.servers[0].client())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({id(client) for client in clients}) == len(clients)


def test_the_address_error_is_a_plain_sentence() -> None:
    with pytest.raises(BadOpaUrl, match="asked over https"):
        OpaEngine("http://opa.gov:8181", SystemClock())
