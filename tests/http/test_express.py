"""An exchange that goes past Flask is answered as Flask would answer it, to the last header."""

import io
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from gateway.app import compose
from gateway.http.express import Express
from tests.bench.stage import PATH, Stage, staged
from tests.country import INCOME

OWN = {"trace", "exchange"}
"""Members that differ with every request."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place: Path = tmp_path_factory.mktemp("express")
    with staged(place) as stage:
        yield stage


@pytest.fixture(scope="module")
def both(stage: Stage) -> tuple[object, object]:
    """Return the way past Flask, and Flask alone."""
    app = compose(stage.rooms)
    assert isinstance(app.wsgi_app, Express)
    return app.wsgi_app, app.wsgi_app._others


def asked(stage: Stage, application, change: dict) -> tuple[str, dict, dict]:
    shown = stage.credentials()
    body = stage.posted(stage.country.sources.people[1].number, INCOME, ["/income/year"]).body
    body = change.get("body", body)
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": shown.authorization[0],
        "HTTP_DPOP": shown.dpop[0],
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": "http",
        **{name: value for name, value in change.items() if name != "body"},
    }
    environ = {name: value for name, value in environ.items() if value is not None}
    started = []
    pieces = application(environ, lambda status, headers, _=None: started.append((status, headers)))
    document = orjson.loads(b"".join(pieces))
    ((status, headers),) = started
    told = {name.lower(): value for name, value in headers}
    assert int(told.pop("content-length")) > 0
    assert len(told) == len(headers) - 1
    return status, told, {name: value for name, value in document.items() if name not in OWN}


@pytest.mark.parametrize(
    "change",
    [
        {"HTTP_AUTHORIZATION": None},
        {"HTTP_AUTHORIZATION": "Bearer abc"},
        {"HTTP_AUTHORIZATION": "DPoP a,DPoP b"},
        {"HTTP_DPOP": None},
        {"HTTP_DPOP": "a.b.c"},
        {"CONTENT_TYPE": "text/plain"},
        {"CONTENT_TYPE": None},
        {"HTTP_CONTENT_ENCODING": "gzip"},
        {"QUERY_STRING": "a=b"},
        {"HTTP_IDEMPOTENCY_KEY": "1"},
        {"body": b"{"},
        {"body": b""},
        {"body": b'{"agreement": "none"}'},
        {"REQUEST_METHOD": "GET"},
        {"PATH_INFO": "/v1/exchanges/"},
    ],
    ids=str,
)
def test_a_refusal_is_the_same_past_flask(stage, both, change):
    express, flask = both
    assert asked(stage, express, change) == asked(stage, flask, change)


def test_an_answer_has_the_same_headers_past_flask(stage, both):
    (status, headers, document), other = (
        asked(stage, one, {"body": _residents(stage)}) for one in both
    )
    assert (status, headers) == other[:2]
    assert status == "200 OK"
    assert set(document) == set(other[2]) == {"sealed", "receipt", "withheld"}


def _residents(stage: Stage) -> bytes:
    number = stage.country.sources.people[1].number
    return stage.posted(number, "population/residents", ["/name/family"]).body
