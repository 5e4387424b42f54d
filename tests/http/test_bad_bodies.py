"""Bad bodies: whatever is posted as an exchange is refused by name, and never a fault."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.agency import Agency
from tests.attacks.ledger_watch import REFUSAL, nothing_written, standing, written
from tests.country import RESIDENTS, SCHEME, RunningCountry

GONE = object()


@pytest.fixture(scope="module")
def agency(country: RunningCountry) -> Agency:
    return country.agency()


def right(country: RunningCountry) -> dict[str, Any]:
    return {
        "agreement": "family-allowance",
        "service": RESIDENTS,
        "subject": {"scheme": SCHEME, "value": standing(country).number},
        "fields": ["/name/family"],
        "case": "FA-2026-00042",
        "user": "clerk-4471",
    }


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return the body with one member set, added or taken away; `a/b` is a member of a member."""
    made = copy.deepcopy(body)
    *above, name = path.split("/")
    inner = made
    for step in above:
        inner = inner[step]
    inner.pop(name, None)
    if value is not GONE:
        inner[name] = value
    return made


NO_TEXT = (None, 7, 1.5, True, [], ["family-allowance"], {}, {"a": 1})
WRONG = {
    **{
        f"{name} is {value!r}": (name, value)
        for name in ("agreement", "service")
        for value in NO_TEXT
    },
    **{
        f"subject/{name} is {value!r}": (f"subject/{name}", value)
        for name in ("scheme", "value")
        for value in NO_TEXT
    },
    **{f"{name} is {value!r}": (name, value) for name in ("case", "user") for value in NO_TEXT[1:]},
    **{f"subject is {value!r}": ("subject", value) for value in (None, "RN-1", 7, [], True, {})},
    **{
        f"fields is {value!r}": ("fields", value)
        for value in (None, "/name/family", 7, {}, [], [None], [7], [["/name/family"]], [{}], [""])
    },
    **{
        f"{name} missing": (name, GONE)
        for name in ("agreement", "service", "subject", "fields", "subject/scheme", "subject/value")
    },
    **{f"{name} empty": (name, "") for name in ("agreement", "service", "case", "user")},
    **{f"subject/{name} empty": (f"subject/{name}", "") for name in ("scheme", "value")},
    **{
        f"{name} of 129 characters": (name, "a" * 129)
        for name in ("agreement", "service", "case", "user", "subject/scheme", "subject/value")
    },
    "case with a line break": ("case", "FA\r\nX: y"),
    "user with a NUL": ("user", "clerk\0"),
    "user with an escape": ("user", "\x1b[2J"),
    "a field of 257 characters": ("fields", ["/" + "a" * 256]),
    "a field twice": ("fields", ["/name/family", "/name/given", "/name/family"]),
    "65 fields": ("fields", [f"/f{place}" for place in range(65)]),
    "a member that does not exist": ("purpose", "dpv:ServiceProvision"),
    "a member of subject that does not exist": ("subject/name", "Amina"),
    "a member without a name": ("", 1),
    "a member in capitals": ("Agreement", "family-allowance"),
    "__proto__": ("__proto__", {"agreement": "x"}),
}


@pytest.mark.parametrize(("path", "value"), WRONG.values(), ids=WRONG)
def test_a_member_that_is_wrong_is_named(
    country: RunningCountry, agency: Agency, path: str, value: Any
) -> None:
    with nothing_written(country):
        answer = agency.post(changed(right(country), path, value))
    assert (answer.status, answer.reason) == (400, "request.malformed")
    known = {"agreement", "service", "subject", "fields", "case", "user"}
    if (first := path.split("/", maxsplit=1)[0]) in known:
        assert first in answer.json["detail"]


def text(country: RunningCountry) -> bytes:
    return json.dumps(right(country)).encode()


UNREADABLE = {
    "nothing": lambda _: b"",
    "a space": lambda _: b" ",
    "null": lambda _: b"null",
    "a list": lambda whole: b"[" + whole + b"]",
    "a text": lambda _: b'"family-allowance"',
    "a number": lambda _: b"7",
    "cut off": lambda whole: whole[:-1],
    "two of them": lambda whole: whole + whole,
    "a comma too many": lambda whole: whole[:-1] + b",}",
    "a comment": lambda whole: whole[:-1] + b"/* */}",
    "single quotes": lambda whole: whole.replace(b'"', b"'"),
    "a form": lambda _: b"agreement=family-allowance",
    "XML": lambda _: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "YAML": lambda _: b"agreement: !!python/object/apply:os.system [id]",
    "agreement twice": lambda whole: whole[:-1] + b', "agreement": "family-allowance"}',
    "subject/value twice": lambda whole: whole.replace(b'"value"', b'"value": "RN-1", "value"'),
    "agreement twice, once escaped": lambda whole: (
        whole[:-1] + b', "agr\\u0065ement": "family-allowance"}'
    ),
    "NaN": lambda whole: whole[:-1] + b', "n": NaN}',
    "-Infinity": lambda whole: whole[:-1] + b', "n": -Infinity}',
    "an integer of 5,000 digits": lambda whole: whole[:-1] + b', "n": ' + b"9" * 5000 + b"}",
    "2^53": lambda whole: whole[:-1] + b', "n": 9007199254740992}',
    "1e400": lambda whole: whole[:-1] + b', "n": 1e400}',
    "a lone surrogate": lambda whole: whole.replace(b"clerk", b"\\ud83d"),
    "a lone surrogate in a name": lambda whole: whole[:-1] + b', "\\udc00": 1}',
    "bytes that are no UTF-8": lambda whole: whole.replace(b"clerk", b"\xff\xfe"),
    "an overlong slash": lambda whole: whole.replace(b"clerk", b"\xc0\xaf"),
    "Latin-1": lambda whole: whole.replace(b"clerk", "é".encode("latin-1")),
    "UTF-16": lambda whole: whole.decode().encode("utf-16"),
    "UTF-32": lambda whole: whole.decode().encode("utf-32"),
    "a byte order mark": lambda whole: b"\xef\xbb\xbf" + whole,
    "a NUL byte": lambda whole: whole.replace(b"clerk", b"\x00"),
    "NUL bytes alone": lambda _: bytes(1000),
    "17 levels": lambda whole: whole[:-1] + b', "n": ' + b"[" * 17 + b"]" * 17 + b"}",
    "8,000 levels of lists": lambda _: b"[" * 8000 + b"]" * 8000,
    "2,000 levels of objects": lambda _: b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "16,000 open brackets": lambda _: b"[" * 16_000,
    "open quotes": lambda _: b'{"' * 5000,
}


@pytest.mark.parametrize("make", UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_that_cannot_be_read_is_malformed(
    country: RunningCountry, agency: Agency, make: Any
) -> None:
    with nothing_written(country):
        answer = agency.post(make(text(country)))
    assert (answer.status, answer.reason) == (400, "request.malformed")


@pytest.mark.parametrize("size", [16 * 1024 + 1, 40_000, 1_000_000])
def test_a_body_over_the_limit_is_too_large(
    country: RunningCountry, agency: Agency, size: int
) -> None:
    for body in (text(country).ljust(size), b"[" * (size // 2) + b"]" * (size - size // 2)):
        with nothing_written(country):
            answer = agency.post(body)
        assert (answer.status, answer.reason) == (413, "request.too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "application/json-patch+json",
        "application/problem+json",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application/json; charset=utf-8; q=1",
        "application/json, text/plain",
        "application",
        "*/*",
    ],
)
def test_another_type_of_body_is_not_taken(
    country: RunningCountry, agency: Agency, content_type: str
) -> None:
    with nothing_written(country):
        answer = agency.post(text(country), **{"Content-Type": content_type})
    assert (answer.status, answer.reason) == (415, "request.media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_may_be_named_in_every_usual_way(agency: Agency, content_type: str) -> None:
    answer = agency.post(b"{", **{"Content-Type": content_type})
    assert (answer.status, answer.reason) == (400, "request.malformed")


def test_idempotency_keys_are_refused_rather_than_ignored(
    country: RunningCountry, agency: Agency
) -> None:
    for key in ("8e03978e-40d5-43dd-bc93-6894a57f9324", ""):
        with nothing_written(country):
            answer = agency.post(right(country), **{"Idempotency-Key": key})
        assert (answer.status, answer.reason) == (400, "request.malformed")
        assert "Idempotency-Key" in answer.json["detail"]


UNKNOWN = {
    "agreement": ("agreement", "no-such-agreement", 403, "agreement.unknown"),
    "agreement of another agency": ("agreement", "child-maintenance", 403, "agreement.unknown"),
    "agreement in capitals": ("agreement", "FAMILY-ALLOWANCE", 403, "agreement.unknown"),
    "service": ("service", "no/such", 403, "service.not_agreed"),
    "service without its agency": ("service", "residents", 403, "service.not_agreed"),
    "service with dots": ("service", "population/../tax/income", 403, "service.not_agreed"),
    "field": ("fields", ["/no/such"], 400, "field.unknown"),
    "field that is no pointer": ("fields", ["name"], 400, "field.unknown"),
    "field beside a known one": ("fields", ["/name/family", "/x"], 400, "field.unknown"),
    "field that is not agreed": ("fields", ["/phone"], 403, "field.not_agreed"),
    "scheme": ("subject/scheme", "passport", 400, "subject.malformed"),
    "number without prefix": ("subject/value", "1234567", 400, "subject.malformed"),
    "number too short": ("subject/value", "RN-123456", 400, "subject.malformed"),
    "number with letters": ("subject/value", "RN-12345a7", 400, "subject.malformed"),
    "number in small letters": ("subject/value", "rn-0000000", 400, "subject.malformed"),
    "number in other digits": ("subject/value", "RN-١٢٣٤٥٦٧", 400, "subject.malformed"),
    "check digit": ("subject/value", "RN-0000001", 400, "subject.malformed"),
    "a space": ("subject/value", "RN-0000000 ", 400, "subject.malformed"),
    "a line break": ("subject/value", "RN-0000000\n", 400, "subject.malformed"),
    "nobody": ("subject/value", "RN-0000000", 403, "subject.not_released"),
}


@pytest.mark.parametrize(("path", "value", "status", "reason"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_is_refused_by_name_and_written_down(
    country: RunningCountry, agency: Agency, path: str, value: Any, status: int, reason: str
) -> None:
    with written(country, REFUSAL):
        answer = agency.post(changed(right(country), path, value))
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.json["exchange"].startswith("ex_")


def test_a_case_is_required_where_the_agreement_says_so(country: RunningCountry) -> None:
    office = country.agency("child-maintenance")
    body = {**right(country), "agreement": "child-maintenance"}
    for name in ("case", "user"):
        for value in (GONE, None):
            with written(country, REFUSAL):
                answer = office.post(changed(body, name, value))
            assert (answer.status, answer.reason) == (400, f"{name}.required")


# ------------------------------------------------------------------ anything at all

LEAVES = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20)
ANYTHING = some.recursive(
    LEAVES,
    lambda inner: (
        some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = ["agreement", "service", "subject", "fields", "case", "user"]
NEARLY = some.fixed_dictionaries(
    {},
    optional={
        "agreement": some.just("family-allowance") | ANYTHING,
        "service": some.just(RESIDENTS) | ANYTHING,
        "subject": some.fixed_dictionaries({"scheme": some.just(SCHEME), "value": some.text()})
        | ANYTHING,
        "fields": some.lists(some.sampled_from(["/name/family", "/phone"]) | some.text())
        | ANYTHING,
        "case": some.text() | ANYTHING,
        "user": some.text() | ANYTHING,
        "extra": ANYTHING,
    },
)
BODIES = (
    some.binary(max_size=200)
    | ANYTHING.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES)
def test_no_body_is_ever_a_fault(agency: Agency, body: bytes) -> None:
    answer = agency.post(body)
    assert 400 <= answer.status < 500, answer.body
    assert answer.reason != "internal"
