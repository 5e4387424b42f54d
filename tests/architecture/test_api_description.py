"""The API's description is the API: addresses, scopes, reasons, statuses, and live answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from gateway.http.api_page import HERE, page
from gateway.http.problems import EXPLANATIONS
from gateway.http.routes import API as AGENCY_API
from gateway.http.routes import Audience
from identity.model import Scope
from kernel.errors import Reason
from tests.country import INCOME, RESIDENTS, RunningCountry

TEXT = (HERE / "openapi.json").read_text(encoding="utf-8")
API: dict[str, Any] = json.loads(TEXT)
NEVER_AN_ANSWER = {Reason.FIELD_NOT_CONSENTED}
"""A reason that stands in `withheld`, and is never the reason of a refusal."""
OPERATION = {
    "type": "object",
    "required": ["operationId", "summary", "description", "tags", "security", "responses"],
    "properties": {
        "summary": {"type": "string", "minLength": 1},
        "description": {"type": "string", "minLength": 1},
        "operationId": {"type": "string", "pattern": "^[a-z_]+$"},
        "tags": {"type": "array", "minItems": 1, "maxItems": 1},
        "security": {"type": "array", "items": {"type": "object"}},
        "parameters": {
            "type": "array",
            "items": {"type": "object", "required": ["name", "in", "schema", "example"]},
        },
        "requestBody": {"type": "object", "required": ["required", "content"]},
        "responses": {
            "type": "object",
            "required": ["default"],
            "anyOf": [{"required": ["200"]}, {"required": ["201"]}],
            "propertyNames": {"pattern": "^([1-5][0-9][0-9]|default)$"},
        },
    },
    "additionalProperties": False,
}
SHAPE = {
    "type": "object",
    "required": ["openapi", "info", "servers", "tags", "paths", "components"],
    "properties": {
        "openapi": {"pattern": r"^3\.1\."},
        "servers": {"type": "array", "minItems": 1},
        "tags": {
            "type": "array",
            "items": {"type": "object", "required": ["name", "description"]},
        },
        "info": {"type": "object", "required": ["title", "version", "summary", "description"]},
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"enum": ["get", "post"]},
                "additionalProperties": OPERATION,
            },
        },
        "components": {
            "type": "object",
            "propertyNames": {"enum": ["securitySchemes", "responses", "schemas"]},
        },
    },
    "additionalProperties": False,
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in API["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def described(rule: str) -> str:
    return rule.replace("<", "{").replace(">", "}")


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found = API
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(schema: dict[str, Any]) -> Validator:
    """Return a validator of a schema within the description, whose references it follows."""
    return Draft202012Validator({"components": API["components"], **schema})


def answer_schema(method: str, path: str, status: str) -> dict[str, Any]:
    responses = API["paths"][path][method]["responses"]
    response = resolved(responses.get(status, responses["default"]))
    return next(iter(response["content"].values()))["schema"]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from nodes(below)


def test_the_description_has_the_shape_of_openapi():
    errors = [error.message for error in Draft202012Validator(SHAPE).iter_errors(API)]
    assert errors == []


def test_every_reference_leads_somewhere_and_every_part_is_used():
    used = {node["$ref"] for node in nodes(API) if "$ref" in node}
    for target in used:
        assert resolved({"$ref": target})
    parts = {
        f"#/components/{kind}/{name}"
        for kind in ("responses", "schemas")
        for name in API["components"][kind]
    }
    assert parts - used - {"#/components/responses/Refused405"} == set()


def test_every_address_is_described_and_no_other_is():
    assert {(method, path) for method, path, _ in operations()} == {
        (route.method, described(route.rule)) for route in AGENCY_API
    }


@pytest.mark.parametrize("route", AGENCY_API, ids=lambda route: f"{route.method} {route.rule}")
def test_an_address_is_described_under_its_view_with_what_it_needs(route):
    operation = API["paths"][described(route.rule)][route.method.lower()]
    assert operation["operationId"] == route.view
    needs = {
        Audience.AGENCY: {"token", "proof"},
        Audience.CLIENT: {"proof"},
        Audience.ANYONE: set(),
        Audience.OPERATOR: set(),
    }[route.audience]
    assert {name for one in operation["security"] for name in one} == needs
    named = {parameter["name"] for parameter in operation.get("parameters", ())}
    assert named == {part[1:-1] for part in route.rule.split("/") if part.startswith("<")}


def test_the_scopes_are_those_that_there_are():
    flow = API["components"]["securitySchemes"]["token"]["flows"]["clientCredentials"]
    assert set(flow["scopes"]) == {scope.value for scope in Scope}
    used = {
        scope
        for _, _, operation in operations()
        for one in operation["security"]
        for scope in one.get("token", ())
    }
    assert used <= set(flow["scopes"])


def test_every_reason_is_described_with_its_status_and_words():
    told = {one["const"]: one for one in API["components"]["schemas"]["Reason"]["oneOf"]}
    assert list(told) == [reason.value for reason in EXPLANATIONS]
    for reason, explanation in EXPLANATIONS.items():
        one = told[reason.value]
        assert one["title"] == explanation.title
        assert one["description"] == f"{explanation.meaning} {explanation.remedy}"
        assert one["x-status"] == explanation.status


def test_every_status_of_a_refusal_names_its_reasons():
    expected: dict[str, list[str]] = {}
    for reason, explanation in EXPLANATIONS.items():
        if reason not in NEVER_AN_ANSWER:
            expected.setdefault(f"Refused{explanation.status}", []).append(reason.value)
    told = {
        name: response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
        for name, response in API["components"]["responses"].items()
        if name.startswith("Refused")
    }
    assert {name: members["reason"]["enum"] for name, members in told.items()} == expected
    for name, members in told.items():
        assert name == f"Refused{members['status']['const']}"


@pytest.mark.parametrize("name", API["components"]["schemas"])
def test_every_schema_is_one(name: str):
    Draft202012Validator.check_schema(API["components"]["schemas"][name])


def test_every_example_is_what_its_schema_says():
    shown = [node for node in nodes(API) if "example" in node and "schema" in node]
    assert len(shown) > 10
    for node in shown:
        errors = [error.message for error in validator(node["schema"]).iter_errors(node["example"])]
        assert errors == []


def test_the_page_shows_the_description_and_nothing_from_outside():
    html = (HERE / "docs.html").read_text(encoding="utf-8")
    assert html == page(API), "run `python -m gateway.http.api_page`"
    for method, path, operation in operations():
        assert f'<h3 id="{operation["operationId"]}"><code>{method} {path}</code></h3>' in html
    for reason in Reason:
        assert f'href="/errors/{reason.value}"' in html
    assert not any(found in html for found in ("<script", "<style", "<link", "<img", "http://www"))


@pytest.mark.parametrize(
    "path", [path for method, path, _ in operations() if method == "GET" and "{" not in path]
)
def test_a_live_answer_is_what_the_description_says(path: str, country: RunningCountry):
    agency = country.agency()
    needs = API["paths"][path]["get"]["security"]
    answer = agency.get(path) if needs else agency.request("GET", path)
    content = resolved(API["paths"][path]["get"]["responses"]["200"])["content"]
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] in content
    if "application/json" in content:
        errors = list(validator(answer_schema("get", path, "200")).iter_errors(answer.json))
        assert [error.message for error in errors] == []


def test_a_live_exchange_is_what_the_description_says(country: RunningCountry):
    agency, resident = country.agency(), country.consenting("--field", f"{RESIDENTS}#/name/family")
    done = agency.exchange(resident.number, RESIDENTS, ["/name/family", "/address/postcode"])
    refused = agency.exchange(resident.number, INCOME, ["/income/year"])
    state = agency.get(f"/v1/exchanges/{done.json['exchange']}")
    token = agency.ask_token()
    for answer, method, path in (
        (done, "post", "/v1/exchanges"),
        (refused, "post", "/v1/exchanges"),
        (state, "get", "/v1/exchanges/{exchange}"),
        (token, "post", "/oauth2/token"),
    ):
        schema = answer_schema(method, path, str(answer.status))
        errors = [error.message for error in validator(schema).iter_errors(answer.json)]
        assert (path, errors) == (path, [])
    assert done.json["withheld"]
    assert (refused.status, refused.reason) == (403, "subject.not_released")


def test_a_live_request_for_consent_is_what_the_description_says(country: RunningCountry):
    agency, person = country.agency(), country.resident()
    path = "/v1/consent-requests"
    asked = agency.ask_consent(person.number, {INCOME: ["/income/year"]})
    again = agency.ask_consent(person.number, {INCOME: ["/income/year"]})
    state = agency.get(f"{path}/{asked.json['request']}")
    assert [asked.status, again.status, state.status] == [201, 429, 200]
    for answer, method, of in (
        (asked, "post", path),
        (again, "post", path),
        (state, "get", f"{path}/{{request}}"),
    ):
        schema = answer_schema(method, of, str(answer.status))
        errors = [error.message for error in validator(schema).iter_errors(answer.json)]
        assert (of, errors) == (of, [])


def test_nobody_is_served_a_page_about_a_reason_that_does_not_exist(country: RunningCountry):
    agency = country.agency()
    for reason in Reason:
        assert agency.request("GET", f"/errors/{reason.value}").status == 200
    assert agency.request("GET", "/errors/%3Cscript%3E").reason == "request.not_found"
