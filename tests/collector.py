"""A collector of spans: a small real server that speaks OTLP over HTTP (protobuf)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.serving import until


@dataclass
class Collector:
    """Where it listens, and every span that it was sent."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: set[str] = field(default_factory=set)
    status: int = 200
    asked: int = 0

    def of(self, trace: str) -> dict[str, Span]:
        """Return the spans of a trace by name, once the one of the request is there."""
        found: dict[str, Span] = {}

        def whole() -> bool:
            found.update({one.name: one for one in list(self.spans) if one.trace_id.hex() == trace})
            return any(one.kind == Span.SPAN_KIND_SERVER for one in found.values())

        until(whole)
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect on a free port of loopback."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.asked += 1
            if collector.status == 200:
                assert self.path == "/v1/traces"
                keep(collector, ExportTraceServiceRequest.FromString(body))
            self.send_response(collector.status)
            said = ExportTraceServiceResponse().SerializeToString()
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def keep(collector: Collector, request: ExportTraceServiceRequest) -> None:
    for one in request.resource_spans:
        collector.resources |= {
            f"{attribute.key}={attribute.value.string_value}"
            for attribute in one.resource.attributes
        }
        for scope in one.scope_spans:
            collector.spans.extend(scope.spans)
