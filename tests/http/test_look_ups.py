"""Look-ups: one's own exchanges, the directory, the log, and what anybody may see."""

import json

import pytest
from flask import Flask

from gateway.http.pages import PublicViews
from gateway.observing.metrics import Metrics
from kernel.errors import Reason, Refusal
from tests.agency import Agency
from tests.attacks.ledger_watch import committed, nothing_written, standing
from tests.country import INCOME, RESIDENTS, RunningCountry


@pytest.fixture(scope="module")
def agency(country: RunningCountry) -> Agency:
    return country.agency()


@pytest.fixture(scope="module")
def other(country: RunningCountry) -> Agency:
    return country.agency("child-maintenance")


def narrowed(country: RunningCountry, scope: str) -> Agency:
    agency = country.agency()
    agency.held = agency.ask_token(scope=scope).json["access_token"]
    return agency


# ------------------------------------------------------------------ exchanges


def test_an_agency_sees_state_and_receipt_of_its_own_exchange(
    country: RunningCountry, agency: Agency
) -> None:
    released = agency.exchange(standing(country).number, RESIDENTS, ["/name/family"])
    exchange = released.json["exchange"]
    with nothing_written(country):
        found = agency.get(f"/v1/exchanges/{exchange}")
    assert found.status == 200
    assert set(found.json) == {"exchange", "state", "receipt"}
    assert (found.json["exchange"], found.json["state"]) == (exchange, "released")
    again = agency.claims(found)
    told = agency.claims(released)
    for claims in (again, told):
        claims["log"].pop("proof")  # the tree may have grown
    assert again == told


def test_a_refused_exchange_has_a_state_and_no_receipt(agency: Agency) -> None:
    refused = agency.exchange("RN-0000000", RESIDENTS, ["/name/family"])
    found = agency.get(f"/v1/exchanges/{refused.json['exchange']}")
    assert found.json == {"exchange": refused.json["exchange"], "state": "refused"}


def test_another_agencys_exchange_is_unknown_like_one_that_never_was(
    country: RunningCountry, agency: Agency, other: Agency
) -> None:
    released = agency.exchange(standing(country).number, RESIDENTS, ["/name/family"])
    answers = [
        other.get(f"/v1/exchanges/{exchange}")
        for exchange in (released.json["exchange"], "ex_" + "a" * 26, "x", "%27%20OR%201")
    ]
    for answer in answers:
        assert (answer.status, answer.reason) == (404, "exchange.unknown")
    assert len({answer.json["detail"] for answer in answers}) == 1


def test_looking_at_an_exchange_needs_its_scope(country: RunningCountry, agency: Agency) -> None:
    released = agency.exchange(standing(country).number, RESIDENTS, ["/name/family"])
    path = f"/v1/exchanges/{released.json['exchange']}"
    answer = narrowed(country, "directory.read").get(path)
    assert (answer.status, answer.reason) == (403, "scope.insufficient")
    assert agency.request("GET", path).reason == "token.missing"


# ------------------------------------------------------------------ directory

DIRECTORY = [
    "/v1/services",
    f"/v1/services/{RESIDENTS}",
    "/v1/agreements",
    "/v1/agreements/family-allowance",
]


@pytest.mark.parametrize("path", DIRECTORY)
def test_the_directory_needs_its_scope(country: RunningCountry, path: str) -> None:
    assert narrowed(country, "directory.read").get(path).status == 200
    without = narrowed(country, "exchange.request")
    answer = without.get(path)
    assert (answer.status, answer.reason) == (403, "scope.insufficient")
    assert without.request("GET", path).reason == "token.missing"


def test_services_tell_their_fields_and_never_where_their_source_is(agency: Agency) -> None:
    answer = agency.get("/v1/services")
    names = {service["id"] for service in answer.json["services"]}
    assert {RESIDENTS, INCOME} <= names
    one = agency.get(f"/v1/services/{INCOME}").json
    assert "/income/total" in {field["field"] for field in one["fields"]}
    for secret in (b"127.0.0.1", b"sqlite", b"/v1/people", b"taxpayer", b"column"):
        assert secret not in answer.body


def test_an_agency_sees_its_own_agreements_alone(agency: Agency, other: Agency) -> None:
    own = {one["id"] for one in agency.get("/v1/agreements").json["agreements"]}
    assert own == {"family-allowance"}
    for name in ("family-allowance", "no-such"):
        answer = other.get(f"/v1/agreements/{name}")
        assert (answer.status, answer.reason) == (403, "agreement.unknown")


@pytest.mark.parametrize("path", ["/v1/services/no/such", "/v1/services/tax", "/v1/services/"])
def test_a_service_that_is_not_there_is_not_found(agency: Agency, path: str) -> None:
    answer = agency.get(path)
    assert (answer.status, answer.reason) == (404, "request.not_found")


# ------------------------------------------------------------------ the log


def test_the_parties_to_an_entry_get_its_proof_and_nobody_else(
    country: RunningCountry, agency: Agency, other: Agency
) -> None:
    released = agency.exchange(standing(country).number, INCOME, ["/income/year"])
    index = agency.claims(released)["log"]["index"]
    path = f"/audit/log/proof/{index}"
    for party in (agency, country.agency("tax")):
        proof = party.get(path)
        assert proof.status == 200
        assert proof.body.startswith(b"c2sp.org/tlog-proof@v1\n")
        assert f"index {index}\n".encode() in proof.body
    answer = other.get(path)
    assert (answer.status, answer.reason) == (404, "request.not_found")
    assert agency.request("GET", path).reason == "token.missing"


@pytest.mark.parametrize(
    "kind", ["log.opened", "policy.activated", "client.added", "consent.given"]
)
def test_entries_to_which_an_agency_is_no_party_are_not_found(
    country: RunningCountry, other: Agency, kind: str
) -> None:
    index = [leaf["type"] for leaf in committed(country)].index(kind)
    answer = other.get(f"/audit/log/proof/{index}")
    assert (answer.status, answer.reason) == (404, "request.not_found")


@pytest.mark.parametrize(
    "index", ["99999999", "-1", "01", "1.0", "1e3", "0x1", "a", "9" * 19, "9" * 400, "%D9%A1"]
)
def test_an_entry_that_is_not_there_is_not_found(agency: Agency, index: str) -> None:
    answer = agency.get(f"/audit/log/proof/{index}")
    assert (answer.status, answer.reason) == (404, "request.not_found")


def test_anybody_sees_the_logs_head_and_its_key(agency: Agency) -> None:
    origin, size, *_ = agency.request("GET", "/audit/log/checkpoint").body.decode().splitlines()
    vkey = agency.request("GET", "/audit/log/vkey").body.decode()
    assert int(size) > 0
    assert vkey.startswith(f"{origin}+")


# ------------------------------------------------------------------ keys, metadata, health

PUBLIC = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource",
    "/oauth2/jwks",
    "/v1/receipts/keys",
    "/openapi.json",
    "/docs",
    "/livez",
    "/readyz",
    "/audit/log/checkpoint",
    "/audit/log/vkey",
]


@pytest.mark.parametrize("path", PUBLIC)
def test_what_is_public_needs_nothing_and_protects_the_browser(agency: Agency, path: str) -> None:
    answer = agency.request("GET", path)
    assert answer.status == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/oauth2/jwks", "/v1/receipts/keys"])
def test_no_private_member_of_a_key_is_public(agency: Agency, path: str) -> None:
    keys = agency.request("GET", path).json["keys"]
    assert keys
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"} & key.keys()
        assert {"kid", "use", "alg"} <= key.keys()


def test_the_gateway_says_that_it_is_alive_and_ready(agency: Agency) -> None:
    assert agency.request("GET", "/livez").body == b"ok\n"
    assert agency.request("GET", "/readyz").json == {"ready": True, "missing": []}


def test_figures_are_counted_by_route_and_reason_and_about_nobody(
    country: RunningCountry, agency: Agency
) -> None:
    number = standing(country).number
    agency.exchange(number, RESIDENTS, ["/name/family"])
    agency.request("GET", "/nowhere-in-particular")
    figures = agency.request("GET", "/metrics")
    text = figures.body.decode()
    assert figures.status == 200
    assert 'route="/v1/exchanges",status="200"' in text
    for private in (number, "family-benefits", "nowhere-in-particular", "FA-2026"):
        assert private not in text


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1", "", "unix"])
def test_figures_are_for_this_machine_alone(address: str) -> None:
    """Whatever the sender says of itself."""
    views = PublicViews(dict, None, Metrics(), list)  # type: ignore[arg-type]
    said = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    app = Flask("figures")
    with (
        app.test_request_context("/metrics", headers=said, environ_base={"REMOTE_ADDR": address}),
        pytest.raises(Refusal) as refused,
    ):
        views.metrics()
    assert refused.value.reason is Reason.REQUEST_NOT_FOUND
    for own in ("127.0.0.1", "::1"):
        with app.test_request_context("/metrics", environ_base={"REMOTE_ADDR": own}):
            assert views.metrics().status_code == 200


def test_the_api_description_names_every_route(agency: Agency) -> None:
    paths = json.loads(agency.request("GET", "/openapi.json").body)["paths"]
    assert "/v1/exchanges" in paths
