"""The demo's tax service, a process of its own: one person's figures as JSON over HTTP.

`python -m gateway.demo.sources.tax --port 8082 --data FILE --secret-file FILE`
"""

import argparse
import hmac
import json
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

Record = Mapping[str, object]
_PEOPLE = "/v1/people/"
_MAX_FIELDS = 64


class TaxService(ThreadingHTTPServer):
    """Serves the figures on loopback to whoever knows the secret."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, people: Mapping[str, Record], secret: str) -> None:
        """Listen on a port of 127.0.0.1; 0 takes a free one."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.people = people
        self.authorization = f"Bearer {secret}".encode("latin-1")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float] = 120.0
    # Buffered, so that head and body leave in one packet.
    wbufsize: ClassVar[int] = -1
    server: TaxService

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if target.path == "/healthz":
            self._answer(HTTPStatus.OK, {"status": "ok"})
        elif not self._may():
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": "the secret is missing or wrong"})
        elif not target.path.startswith(_PEOPLE):
            # Not 404, which says that a person is not known.
            self._answer(HTTPStatus.GONE, {"error": "there is no such resource"})
        else:
            number = unquote(target.path.removeprefix(_PEOPLE))
            self._tell(number, parse_qs(target.query).get("fields", []))

    def _may(self) -> bool:
        shown = self.headers.get_all("Authorization", [])
        return len(shown) == 1 and hmac.compare_digest(
            shown[0].encode("latin-1", "replace"), self.server.authorization
        )

    def _tell(self, number: str, fields: list[str]) -> None:
        record = self.server.people.get(number)
        if not 0 < len(fields) <= _MAX_FIELDS:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "name the fields that you need"})
        elif record is None:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "this person is not known here"})
        else:
            self._answer(HTTPStatus.OK, _cut(record, fields))

    def _answer(self, status: HTTPStatus, content: Record) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request's line names a person."""


def _cut(record: Record, fields: list[str]) -> Record:
    """Return only what was asked for, so the rest stays home."""
    told: dict[str, object] = {}
    for field in fields:
        head, _, tail = field.removeprefix("/").partition("/")
        value = record.get(head)
        if not tail and value is not None:
            told[head] = value
        elif isinstance(value, dict) and tail in value:
            inner = told.setdefault(head, {})
            if isinstance(inner, dict):
                inner[tail] = value[tail]
    return told


def main(arguments: list[str]) -> int:
    """Serve until the process is ended; the first line printed names the address."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.sources.tax",
        description="The demo's tax service.",
        epilog="example: python -m gateway.demo.sources.tax --port 8082 --data returns.json "
        "--secret-file secret",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--secret-file", type=Path, required=True, metavar="FILE")
    chosen = parser.parse_args(arguments)
    try:
        people = json.loads(chosen.data.read_text(encoding="utf-8"))
        secret = chosen.secret_file.read_text(encoding="ascii").strip()
        service = TaxService(chosen.port, people, secret)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The tax service cannot start: {error}\n")
        return 1
    with service:
        sys.stdout.write(f"http://127.0.0.1:{service.server_port}\n")
        sys.stdout.flush()
        service.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
