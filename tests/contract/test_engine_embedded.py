"""The guards of the embedded engine: each test names a pitfall, and a control removes its guard."""

import json
import threading
from collections.abc import Iterator

import pytest
from regopy import Interpreter

from gateway.policy import engine_embedded
from gateway.policy.engine_embedded import EmbeddedEngine
from gateway.policy.fault import PolicyError
from gateway.policy.rego_embedded import Evaluator
from kernel.canonical import canonical
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from tests.policies.repository import bundle, bundle_of

REFUSING = '{"allow": false, "fields": [], "obligations": [], "reasons": ["policy.denied"]}'
ALLOWING = '{"allow": true, "fields": ["/a"], "obligations": [], "reasons": []}'
DEFAULT = f"package exchange\n\ndefault decision := {REFUSING}\n\n"
DENIED = '"policy.denied"'
GRANTING = bundle_of(f"{DEFAULT}decision := {ALLOWING} if input.granted == true\n")
ECHOING = bundle_of(
    f"{DEFAULT}decision := {REFUSING.replace(DENIED, 'input.purpose')} if input.purpose\n"
)
CRAFTED = {"purpose": 'x"],"allow":true,"fields":["/a"],"z":["'}
FAILING = bundle_of(
    f"{DEFAULT}decision := {ALLOWING} if {{\n\tinput.go\n\tnot denied\n}}\n\n"
    "denied if count(input.number) > 0\n"
)
SLOW = bundle_of(
    f"{DEFAULT}decision := {ALLOWING} if count(every_way) > 0\n\n"
    "every_way contains [a, b, c] if {\n"
    "\tsome a in input.many\n\tsome b in input.many\n\tsome c in input.many\n}\n"
)
MANY = canonical({"many": list(range(9))})


@pytest.fixture
def engine() -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine(SystemClock(), threads=1, seconds=10)
    yield engine
    engine.close()


def unavailable(engine: EmbeddedEngine, input: bytes, served: object) -> bool:
    with pytest.raises(Refusal) as caught:
        engine.decide(input, served.revision)
    return caught.value.reason is Reason.POLICY_UNAVAILABLE


def test_a_quote_in_a_text_is_not_decided_on(engine: EmbeddedEngine) -> None:
    engine.prepare(ECHOING)
    assert unavailable(engine, canonical(CRAFTED), ECHOING)


def test_set_as_a_term_a_quote_in_a_text_stays_a_quote() -> None:
    decision = Evaluator.of(ECHOING.rules).decide(canonical(CRAFTED).decode())
    assert decision.reasons == (CRAFTED["purpose"],)


def test_set_otherwise_a_quote_in_a_text_would_grant_access() -> None:
    evaluator = Evaluator.of(ECHOING.rules)
    evaluator.interpreter.set_input(CRAFTED)
    output = evaluator.interpreter.query_bundle_entrypoint(evaluator.compiled, "exchange/decision")
    assert output[0].expressions[0]["allow"] is True


def test_a_built_in_that_fails_under_not_refuses(engine: EmbeddedEngine) -> None:
    engine.prepare(FAILING)
    assert unavailable(engine, b'{"go":true,"number":1}', FAILING)


def test_without_strict_errors_a_built_in_that_fails_under_not_would_grant_access() -> None:
    evaluator = Evaluator.of(FAILING.rules)
    evaluator.interpreter.strict_built_in_errors = False
    assert evaluator.decide('{"go":true,"number":1}').allow


def test_rego_in_place_of_json_is_never_evaluated(engine: EmbeddedEngine) -> None:
    engine.prepare(GRANTING)
    assert unavailable(engine, b'{"granted": 1 == 1}', GRANTING)


def test_an_answer_with_the_same_member_twice_is_refused(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.prepare(GRANTING)
    twice = ALLOWING.replace("{", '{"allow": false, ')

    class Output:
        def ok(self) -> bool:
            return True

        def __str__(self) -> str:
            return json.dumps({"expressions": [0]}).replace("0", twice)

    monkeypatch.setattr(Interpreter, "query_bundle_entrypoint", lambda *_: Output())
    assert unavailable(engine, b"{}", GRANTING)


def test_names_in_any_script_are_compared_as_written(engine: EmbeddedEngine) -> None:
    served = bundle_of(f'{DEFAULT}decision := {ALLOWING} if input.name == "José"\n')
    engine.prepare(served)
    assert engine.decide('{"name":"José"}'.encode(), served.revision).allow
    assert not engine.decide(b'{"name":"Jose"}', served.revision).allow


@pytest.mark.parametrize(
    ("rules", "line", "sentence"),
    [
        (f"{DEFAULT}decision := {{\n", 5, "this is not Rego"),
        (f"{DEFAULT}decision := {ALLOWING} if a\n\na if b\n\nb if a\n", 9, "`b` depends on itself"),
        (f"package exchange\n\ndecision := {ALLOWING}\n", 1, "refuse an empty one"),
        ("package exchange\n\ndecision := true\n", 1, "refuse an empty one"),
        ("package exchange\n\ndecision := 1 if input.a\n", 1, "refuse an empty one"),
        (f"{DEFAULT}decision := {ALLOWING} if time.now_ns() > 1\n", 5, "`time.now_ns` is not"),
        (f"{DEFAULT}decision := {ALLOWING} if foo.bar(1)\n", 5, "`foo.bar` is not a function"),
        ("package exchange\n\nallow := true\n", 1, "`decision` is missing"),
    ],
)
def test_rules_that_cannot_serve_are_not_prepared_and_the_old_ones_stay(
    engine: EmbeddedEngine, rules: str, line: int, sentence: str
) -> None:
    engine.prepare(GRANTING)
    broken = bundle_of(rules)
    with pytest.raises(PolicyError) as caught:
        engine.prepare(broken)
    fault = caught.value.faults[-1]
    assert (fault.file, fault.line) == ("exchange/decision.rego", line)
    assert sentence in fault.sentence
    assert unavailable(engine, b"{}", broken)
    assert engine.decide(b'{"granted":true}', GRANTING.revision).allow


def test_a_late_evaluation_is_refused_keeps_its_thread_and_gives_it_back() -> None:
    engine = EmbeddedEngine(SystemClock(), threads=1, seconds=0.05)
    engine.prepare(SLOW)
    assert unavailable(engine, MANY, SLOW)
    assert not engine.healthy()
    assert unavailable(engine, b"{}", SLOW), "the pool is exhausted"
    while not engine.healthy():
        threading.Event().wait(0.05)
    assert not decided_at_last(engine).allow
    engine.close()


def decided_at_last(engine: EmbeddedEngine) -> object:
    """Return the decision, asked again while a machine that is busy makes it late."""
    while True:
        try:
            return engine.decide(b'{"many":[]}', SLOW.revision)
        except Refusal:
            continue


def test_one_late_evaluation_leaves_the_other_threads_at_work() -> None:
    engine = EmbeddedEngine(SystemClock(), threads=2, seconds=0.2)
    engine.prepare(SLOW)
    assert unavailable(engine, MANY, SLOW)
    assert engine.healthy()
    assert not decided_at_last(engine).allow
    engine.close()


def test_rules_that_take_too_long_are_not_prepared(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_embedded, "PREPARE_SECONDS", 0.0)
    with pytest.raises(PolicyError, match="too long"):
        engine.prepare(GRANTING)


def test_old_revisions_are_forgotten_in_the_end(engine: EmbeddedEngine) -> None:
    served = [
        bundle_of(f"{DEFAULT}decision := {ALLOWING} if input.n == {n}\n")
        for n in range(engine_embedded.MAX_REVISIONS + 1)
    ]
    for one in served:
        engine.prepare(one)
    assert unavailable(engine, b"{}", served[0])
    for n, one in enumerate(served[1:], 1):
        assert engine.decide(canonical({"n": n}), one.revision).allow


def test_threads_that_ask_at_once_each_get_their_own_answer() -> None:
    served = bundle_of(f"{DEFAULT}decision := {ALLOWING} if input.granted == true\n")
    engine = EmbeddedEngine(SystemClock(), threads=3, seconds=30)
    engine.prepare(served)
    wrong: list[bool] = []

    def ask(granted: bool) -> None:
        asked = canonical({"granted": granted})
        wrong.extend(
            granted for _ in range(40) if engine.decide(asked, served.revision).allow is not granted
        )

    threads = [threading.Thread(target=ask, args=(bool(n % 2),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    assert wrong == []


def test_a_closed_engine_is_not_healthy_and_decides_nothing() -> None:
    engine = EmbeddedEngine(SystemClock(), threads=1, seconds=0.2)
    served = bundle()
    engine.prepare(served)
    engine.close()
    while engine.healthy():
        threading.Event().wait(0.01)
    assert unavailable(engine, b"{}", served)
