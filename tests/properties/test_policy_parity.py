"""Any question that the input's schema allows is decided alike on both engines, to the byte."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.policy.decision import canonical_decision
from gateway.policy.engine_embedded import EmbeddedEngine
from gateway.policy.engine_opa import OpaEngine
from gateway.policy.engines import PreparedEngine
from kernel.canonical import Json, canonical
from kernel.clock import SystemClock
from kernel.errors import Refusal
from tests.policies.repository import POLICIES, bundle, opa_server

INPUT = Draft202012Validator(json.loads((POLICIES / "schemas/input.json").read_text()))
DECISION = Draft202012Validator(json.loads((POLICIES / "schemas/decision.json").read_text()))
REVISION = bundle().revision
KINDS = ["at_least_age", "band", "exists", "mask", "year", "yes_no"]
STATES = INPUT.schema["properties"]["consent"]["properties"]["state"]["enum"]

texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), max_size=8
)
agencies = st.sampled_from(["tax", "family-benefits", "José"]) | texts
purposes = st.sampled_from(["dpv:ServiceProvision", "dpv:LegalCompliance", "dpv:Marketing"])
pointers = st.sampled_from(["/a", "/a-b", "/a/*/b", "/b", "/Z", "/é"]) | texts.map("/{}".format)
sets = st.dictionaries(pointers, st.just(value=True), max_size=5)
instants = st.integers(95, 105) | st.sampled_from([0, 2**31, 2**53 - 1])
laws = st.fixed_dictionaries(
    {
        "id": texts,
        "valid_from": instants,
        "valid_until": instants,
        "bodies": st.dictionaries(agencies, st.just(value=True), max_size=2),
        "purposes": st.dictionaries(purposes, st.just(value=True), max_size=2),
        "fields": sets,
    }
)
inputs = st.fixed_dictionaries(
    {
        "at": instants,
        "requester": st.fixed_dictionaries({"agency": agencies}),
        "agreement": st.fixed_dictionaries(
            {
                "id": texts,
                "agency": agencies,
                "basis": st.sampled_from(["consent", "statutory"]),
                "purpose": purposes | texts,
                "valid_from": instants,
                "valid_until": instants,
                "impact_assessment_until": instants,
                "case_required": st.booleans(),
                "user_required": st.booleans(),
                "required": sets,
                "optional": sets,
                "transforms": st.dictionaries(pointers, st.sampled_from(KINDS), max_size=3),
            }
        ),
        "service": st.fixed_dictionaries({"id": texts, "provider": agencies}),
        "request": st.fixed_dictionaries(
            {"fields": sets, "case": st.booleans(), "user": st.booleans()}
        ),
        "consent": st.fixed_dictionaries({"state": st.sampled_from(STATES), "fields": sets}),
        "blocks": st.just({}) | st.dictionaries(texts, st.just(value=True), max_size=2),
        "authority": st.none() | laws,
    }
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def likely(draw: st.DrawFn) -> Json:
    """A question that has most things right, so that allowing is as likely as refusing."""
    value = draw(inputs)
    value["agreement"]["agency"] = value["requester"]["agency"]
    value["agreement"] |= {"valid_from": 90, "valid_until": 110, "impact_assessment_until": 110}
    value["at"] = draw(st.integers(89, 110))
    fields = {**value["agreement"]["required"], **value["agreement"]["optional"]}
    value["request"] = {"fields": fields or {"/a": True}, "case": True, "user": True}
    value["consent"] = {"state": "given", "fields": draw(st.sampled_from([fields, {}]))}
    value["blocks"] = {}
    value["agreement"]["basis"] = "consent"
    value["agreement"]["purpose"] = "dpv:ServiceProvision"
    if draw(st.booleans()):
        value["agreement"] |= {"basis": "statutory", "purpose": "dpv:LegalCompliance"}
        value["authority"] = {
            "id": "law",
            "valid_from": 90,
            "valid_until": 110,
            "bodies": {value["requester"]["agency"]: True},
            "purposes": {"dpv:LegalCompliance": True},
            "fields": fields,
        }
    return value


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[PreparedEngine, PreparedEngine]]:
    embedded = EmbeddedEngine(SystemClock(), threads=1, seconds=20)
    embedded.prepare(bundle())
    with opa_server(bundle()) as url:
        yield embedded, OpaEngine(url, SystemClock(), seconds=20)
    embedded.close()


def answer(engine: PreparedEngine, value: Json) -> bytes:
    try:
        return canonical_decision(engine.decide(canonical(value), REVISION))
    except Refusal as refusal:
        return refusal.reason.value.encode()


unhurried = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@unhurried
@given(value=inputs | likely())
def test_both_engines_decide_alike_on_whatever_the_schema_allows(
    pair: tuple[PreparedEngine, PreparedEngine], value: Json
) -> None:
    INPUT.validate(value)
    embedded, opa = (answer(engine, value) for engine in pair)
    assert embedded == opa
    DECISION.validate(json.loads(embedded))


@unhurried
@given(value=inputs, wrong=anything, data=st.data())
def test_both_engines_refuse_alike_what_the_schema_does_not_allow(
    pair: tuple[PreparedEngine, PreparedEngine],
    value: dict[str, Json],
    wrong: Json,
    data: st.DataObject,
) -> None:
    member = data.draw(st.sampled_from(sorted(value)))
    value = {**value, member: wrong}
    embedded, opa = (answer(engine, value) for engine in pair)
    assert (b'"allow":true' in embedded) == (b'"allow":true' in opa)


@unhurried
@given(value=likely())
def test_what_is_allowed_was_asked_agreed_and_granted(
    pair: tuple[PreparedEngine, PreparedEngine], value: dict[str, Json]
) -> None:
    decision = json.loads(answer(pair[0], value))
    granted = value["consent" if value["agreement"]["basis"] == "consent" else "authority"]
    agreed = value["agreement"]["required"].keys() | value["agreement"]["optional"].keys()
    assert set(decision["fields"]) <= value["request"]["fields"].keys() & agreed
    assert set(decision["fields"]) <= granted["fields"].keys()
    answered = set(decision["fields"]) & value["agreement"]["transforms"].keys()
    assert ({"type": "transform"} in decision["obligations"]) == bool(answered)


def test_a_field_that_begins_another_stands_in_the_same_order_on_both_engines(
    pair: tuple[PreparedEngine, PreparedEngine],
) -> None:
    fields = {"/a": True, "/a!": True, "/a b": True}
    value: Json = {
        "at": 90,
        "requester": {"agency": "tax"},
        "agreement": {
            "id": "a",
            "agency": "tax",
            "basis": "consent",
            "purpose": "dpv:ServiceProvision",
            "valid_from": 90,
            "valid_until": 110,
            "impact_assessment_until": 110,
            "case_required": False,
            "user_required": False,
            "required": {},
            "optional": fields,
            "transforms": {},
        },
        "service": {"id": "s", "provider": "p"},
        "request": {"fields": fields, "case": True, "user": True},
        "consent": {"state": "given", "fields": fields},
        "blocks": {},
        "authority": None,
    }
    embedded, opa = (answer(engine, value) for engine in pair)
    assert embedded == opa
    assert json.loads(embedded)["fields"] == sorted(fields)
