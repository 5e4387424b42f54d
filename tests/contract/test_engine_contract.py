"""What every policy engine must do: the embedded one, and a real OPA over its REST API."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from gateway.policy.bundle import Bundle
from gateway.policy.check import cases_of
from gateway.policy.decision import canonical_decision
from gateway.policy.engine_embedded import EmbeddedEngine
from gateway.policy.engine_opa import OpaEngine
from gateway.policy.engines import PreparedEngine
from gateway.policy.lint import ALLOWED
from kernel.canonical import canonical
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.names import Revision
from tests.policies.repository import ECHO, POLICIES, bundle, bundle_of, catalogue, opa_server

Engines = Callable[[Bundle], PreparedEngine]
REFUSING = '{"allow": false, "fields": [], "obligations": [], "reasons": ["policy.denied"]}'
ALLOWING = '{"allow": true, "fields": ["/a"], "obligations": [], "reasons": []}'
DEFAULT = f"package exchange\n\ndefault decision := {REFUSING}\n\n"
ESCAPED = ['"', "\\", '\\"', 'x"], "allow": true, "z": ["', "\x00", "a\tb", "\n"]
PLAIN = ["José", "علي", "\u202eabc", "\u2028", "🙂", "é", "a\u0301", "\x7f", "{{x}}", "$input",
         "`", "#", "*", "/", "'", "true", "null", "data.exchange"]  # fmt: skip


@pytest.fixture(params=["embedded", "opa"], scope="module")
def engines(request: pytest.FixtureRequest) -> Iterator[Engines]:
    """Start the engine under test with a bundle of the test's choice, once for each bundle."""
    with ExitStack() as stack:

        @cache
        def serving(content: bytes) -> PreparedEngine:
            served = Bundle.from_bytes(content)
            engine: PreparedEngine
            if request.param == "opa":
                url = stack.enter_context(opa_server(served))
                engine = OpaEngine(url, SystemClock(), seconds=10)
            else:
                engine = EmbeddedEngine(SystemClock(), threads=1, seconds=10)
                stack.callback(engine.close)
            engine.prepare(served)
            return engine

        yield lambda served: serving(served.content)


def refused_as_unavailable(engine: PreparedEngine, input: bytes, revision: Revision) -> bool:
    with pytest.raises(Refusal) as caught:
        engine.decide(input, revision)
    return caught.value.reason is Reason.POLICY_UNAVAILABLE


def test_every_case_is_decided_as_written(engines: Engines) -> None:
    served = bundle()
    engine = engines(served)
    cases = cases_of(POLICIES, catalogue())
    assert len(cases) >= 25
    assert [fault for case in cases for fault in case.run(engine, "", served.revision)] == []


def test_an_engine_that_serves_is_healthy(engines: Engines) -> None:
    assert engines(bundle()).healthy()


def test_a_revision_that_is_not_served_decides_nothing(engines: Engines) -> None:
    engine = engines(bundle())
    assert refused_as_unavailable(engine, b"{}", Revision("0" * 64))


@pytest.mark.parametrize(
    "input",
    [b"", b"{", b"{'a': 1}", b'{"a": 1, "a": 2}', b'{"a": input}', b'{"a": data.exchange}',
     b'{"a": opa.runtime()}', b'{"a": NaN}', b'{"a": 9223372036854775808}', b'{"a": "\xff"}',
     b'{"a": "\\ud800"}', b"[" * 40 + b"]" * 40, b'"' + b"a" * 65536 + b'"', b"{} {}", b"{}\x00"],
)  # fmt: skip
def test_an_input_that_is_not_plain_json_is_not_decided_on(engines: Engines, input: bytes) -> None:
    served = bundle_of(ECHO)
    assert refused_as_unavailable(engines(served), input, served.revision)


@pytest.mark.parametrize(
    "answer",
    [
        1, "allow", [], {}, {"allow": True},
        {"allow": True, "fields": ["/a"], "obligations": [], "reasons": ["policy.denied"]},
        {"allow": True, "fields": [], "obligations": [], "reasons": []},
        {"allow": False, "fields": [], "obligations": [], "reasons": []},
        {"allow": False, "fields": ["/a"], "obligations": [], "reasons": ["policy.denied"]},
        {"allow": 1, "fields": ["/a"], "obligations": [], "reasons": []},
        {"allow": "true", "fields": ["/a"], "obligations": [], "reasons": []},
        {"allow": None, "fields": [], "obligations": [], "reasons": ["policy.denied"]},
        {"allow": True, "fields": ["/b", "/a"], "obligations": [], "reasons": []},
        {"allow": True, "fields": ["/a", "/a"], "obligations": [], "reasons": []},
        {"allow": True, "fields": [1], "obligations": [], "reasons": []},
        {"allow": True, "fields": "/a", "obligations": [], "reasons": []},
        {"allow": True, "fields": ["/a"], "obligations": ["seal"], "reasons": []},
        {"allow": True, "fields": ["/a"], "obligations": [{"type": "seal", "to": "x"}],
         "reasons": []},
        {"allow": True, "fields": ["/a"], "obligations": [], "reasons": [], "why": "x"},
        {"allow": True, "fields": [f"/{n:04}" for n in range(257)], "obligations": [],
         "reasons": []},
        {"allow": True, "fields": ["/" + "a" * 600], "obligations": [], "reasons": []},
    ],
)  # fmt: skip
def test_an_answer_that_is_no_decision_is_refused(engines: Engines, answer: object) -> None:
    served = bundle_of(ECHO)
    engine = engines(served)
    asked = canonical({"answer": answer})  # type: ignore[dict-item]
    assert refused_as_unavailable(engine, asked, served.revision)


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_comes_back_as_it_went_in(engines: Engines, text: str) -> None:
    served = bundle_of(ECHO)
    answer = {"allow": True, "fields": [text], "obligations": [{"type": text}], "reasons": []}
    decision = engines(served).decide(canonical({"answer": answer}), served.revision)
    assert canonical_decision(decision) == canonical(answer)


@pytest.mark.parametrize("text", PLAIN)
def test_no_text_passes_for_another(engines: Engines, text: str) -> None:
    served = bundle_of(f'{DEFAULT}decision := {ALLOWING} if input.requester == "José"\n')
    asked = {text: "José", "x": {"requester": "José"}, "requester": text}
    decision = engines(served).decide(canonical(asked), served.revision)
    assert decision.allow is (text == "José")


@pytest.mark.parametrize("text", ESCAPED)
def test_a_text_that_needs_escapes_is_not_decided_on(engines: Engines, text: str) -> None:
    served = bundle_of(ECHO)
    engine = engines(served)
    assert refused_as_unavailable(engine, canonical({"x": text}), served.revision)
    assert refused_as_unavailable(engine, canonical({text: "x"}), served.revision)


@pytest.mark.parametrize("fails", ["count(input.a)", "1 / input.a", "max(input.a)"])
def test_a_built_in_that_fails_never_becomes_a_yes(engines: Engines, fails: str) -> None:
    served = bundle_of(
        f"{DEFAULT}decision := {ALLOWING} if {{\n\tinput.a == 0\n\tnot denied\n}}\n\n"
        f"denied if {fails} == 3\n"
    )
    engine = engines(served)
    assert refused_as_unavailable(engine, b'{"a":0}', served.revision)


def test_two_rules_that_contradict_each_other_decide_nothing(engines: Engines) -> None:
    served = bundle_of(
        f"{DEFAULT}decision := {ALLOWING} if input.a == 1\n\n"
        f"decision := {ALLOWING.replace('/a', '/b')} if input.b == 1\n"
    )
    engine = engines(served)
    assert engine.decide(b'{"a":1}', served.revision).allow
    assert refused_as_unavailable(engine, b'{"a":1,"b":1}', served.revision)


def test_an_undefined_decision_is_no_decision(engines: Engines) -> None:
    served = bundle_of(
        f"package exchange\n\ndecision := {REFUSING} if not input.a\n\n"
        f"decision := {ALLOWING} if input.a == 1\n"
    )
    engine = engines(served)
    assert engine.decide(b'{"a":1}', served.revision).allow
    assert refused_as_unavailable(engine, b'{"a":2}', served.revision)


CALLS = {
    "abs": "abs(-3) == 3", "array.concat": "array.concat([1], [2]) == [1, 2]",
    "array.reverse": "array.reverse([1, 2]) == [2, 1]",
    "concat": 'concat("é", ["a", "ß"]) == "aéß"', "contains": 'contains("José", "sé")',
    "count": 'count("José") == 4', "endswith": 'endswith("José", "é")',
    "is_array": "is_array([])", "is_boolean": "not is_boolean(1)", "is_null": "is_null(null)",
    "is_number": "is_number(1)", "is_object": "is_object({})", "is_set": "is_set(set())",
    "is_string": 'is_string("a")', "max": 'max({"a", "é", "z"}) == "é"',
    "min": "min([3, 1, 2]) == 1", "object.filter": 'object.filter({"a": 1, "b": 2}, ["a"]).a == 1',
    "object.get": 'object.get({"a": 1}, "b", "é") == "é"',
    "object.remove": 'not object.remove({"a": 1, "b": 2}, ["a"]).a',
    "object.subset": 'object.subset({"a": 1, "b": 2}, {"a": 1})',
    "object.union": 'object.union({"a": 1}, {"a": 2}).a == 2',
    "sort": 'sort(["é", "z", "Z", "/a/*", "/a", "/a-b"]) == ["/a", "/a-b", "/a/*", "Z", "z", "é"]',
    "startswith": 'startswith("José", "Jos")', "sum": "sum([1, 2]) == 3",
}  # fmt: skip
SETS = {
    "intersection": ('intersection({{"/a", "/b"}, {"/b"}})', ("/b",)),
    "object.keys": ('object.keys({"/b": 1, "/a/*": 2, "/a-b": 3})', ("/a-b", "/a/*", "/b")),
    "set": ('{"/é", "/z", "/Z"} | set()', ("/Z", "/z", "/é")),
    "union": ('union({{"/b"}, {"/a", "/a/b"}})', ("/a", "/a/b", "/b")),
}


def test_every_built_in_that_rules_may_call_is_tried_on_both() -> None:
    assert CALLS.keys() | SETS.keys() == ALLOWED


def test_both_engines_compute_values_alike(engines: Engines) -> None:
    checks = "\n\t".join(CALLS.values())
    served = bundle_of(f"{DEFAULT}decision := {ALLOWING} if {{\n\tinput.go\n\t{checks}\n}}\n")
    assert engines(served).decide(b'{"go":true}', served.revision).allow


@pytest.mark.parametrize(("call", "members"), SETS.values(), ids=SETS)
def test_both_engines_compute_sets_alike(
    engines: Engines, call: str, members: tuple[str, ...]
) -> None:
    allowing = ALLOWING.replace('["/a"]', f"sort({call})")
    served = bundle_of(f"{DEFAULT}decision := {allowing} if input.go\n")
    assert engines(served).decide(b'{"go":true}', served.revision).fields == members
