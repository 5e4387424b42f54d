import gzip
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Never
from urllib.parse import urlencode

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from identity.model import Credentials, Scope
from identity.server import OAuthViews
from kernel.errors import Reason, Refusal
from kernel.names import ClientId
from tests.unit.identity.parts import URL, Agency, World

TOKEN_URL = f"{URL}/oauth2/token"
FORM = "application/x-www-form-urlencoded"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def http(world: World) -> FlaskClient:
    app = Flask(__name__)
    views = OAuthViews(world.checks, world.ring.token_jwks()).by_name()
    for name, rule, method in (
        ("token", "/oauth2/token", "POST"),
        ("token_keys", "/oauth2/jwks", "GET"),
        ("server_metadata", "/.well-known/oauth-authorization-server", "GET"),
        ("resource_metadata", "/.well-known/oauth-protected-resource", "GET"),
    ):
        app.add_url_rule(rule, name, views[name], methods=[method], provide_automatic_options=False)
    return app.test_client()


def form(agency: Agency, **more: Any) -> dict[str, str]:
    parameters = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": agency.assertion(),
        **more,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def proof(agency: Agency, **claims: Any) -> str:
    return agency.proof(**{"htu": TOKEN_URL, **claims})


def ask(
    http: FlaskClient,
    agency: Agency,
    headers: Any = None,
    query: Any = "",
    body: Any = None,
    **more: Any,
) -> TestResponse:
    return http.post(
        f"/oauth2/token{query}",
        data=urlencode(form(agency, **more)) if body is None else body,
        headers={"Content-Type": FORM, "DPoP": proof(agency), **(headers or {})},
    )


def refused(answer: Any, status: Any, error: Any) -> str:
    assert (answer.status_code, answer.json["error"]) == (status, error)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json) <= {"error", "error_description"}
    assert "WWW-Authenticate" not in answer.headers
    return answer.json["error_description"]


def test_a_client_that_proves_itself_and_its_key_gets_a_bound_token(
    http: FlaskClient, world: World
) -> None:
    answer = ask(http, world.agency, scope="exchange.request")
    assert answer.status_code == 200
    members = dict(answer.json)
    token = world.tokens.verify(members.pop("access_token"))
    assert members == {
        "token_type": "DPoP",
        "expires_in": 300,
        "scope": "exchange.request",
    }
    assert token.jkt == world.agency.jkt()
    assert token.scopes == {Scope.EXCHANGE_REQUEST}


def test_t31_a_token_is_never_stored(http: FlaskClient, world: World) -> None:
    answer = ask(http, world.agency)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


def test_t31_no_token_or_assertion_is_logged_at_any_level(
    http: FlaskClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = world.agency.assertion()
    token = ask(http, world.agency, client_assertion=text).json["access_token"]
    ask(http, world.agency, client_assertion=text)
    assert token not in caplog.text
    assert text not in caplog.text
    assert all(text not in report for report in world.reports)


def test_without_a_scope_the_client_gets_all_of_its_own(http: FlaskClient, world: World) -> None:
    other = world.join(Agency(world.clock, id="o"), frozenset({Scope.DIRECTORY_READ}))
    assert ask(http, other).json["scope"] == "directory.read"
    assert ask(http, other, scope="").json["scope"] == "directory.read"


@pytest.mark.parametrize(
    "scope",
    ["exchange.request", "directory.read exchange.request", "root", "*", "é", "a\nb", '"', "\\"],
)
def test_t24_a_scope_beyond_the_clients_is_refused_not_narrowed(
    http: FlaskClient, world: World, scope: Any
) -> None:
    other = world.join(Agency(world.clock, id="o"), frozenset({Scope.DIRECTORY_READ}))
    refused(ask(http, other, scope=scope), 400, "invalid_scope")


def test_every_failed_authentication_has_the_same_answer(http: FlaskClient, world: World) -> None:
    stranger = Agency(world.clock, id="stranger")
    thief = Agency(world.clock)
    disabled = world.join(Agency(world.clock, id="disabled"))
    world.clients.disable(ClientId("disabled"))
    used = world.agency.assertion()
    assert ask(http, world.agency, client_assertion=used).status_code == 200
    answers = [
        ask(http, stranger),
        ask(http, thief),
        ask(http, disabled),
        ask(http, world.agency, client_assertion=used),
        ask(http, world.agency, client_assertion="x"),
        ask(http, world.agency, client_assertion=world.agency.assertion(aud=TOKEN_URL)),
        ask(http, world.agency, client_id="other"),
        ask(http, world.agency, client_assertion=None),
        ask(http, world.agency, client_assertion=None, client_secret="s"),
        ask(http, world.agency, client_assertion=None, client_id="family-benefits"),
        ask(http, world.agency, client_assertion_type=None),
        ask(http, world.agency, client_assertion_type="urn:x"),
        ask(http, world.agency, {"Authorization": "Basic YTpi"}, client_assertion=None),
    ]
    for answer in answers:
        refused(answer, 401, "invalid_client")
    assert len({answer.data for answer in answers}) == 1
    assert len(world.reports) == 7


@pytest.mark.parametrize(
    "line", ["Basic YTpi", "Basic \xff\xfe", "Basic YQ", "Basic " + "A" * 60_000, "Bearer x", ""]
)
def test_t20_two_client_authentications(http: FlaskClient, world: World, line: Any) -> None:
    answer = ask(http, world.agency, {"Authorization": line.encode("latin-1").decode("latin-1")})
    refused(answer, 400, "invalid_request")


def test_t20_an_assertion_and_a_secret(http: FlaskClient, world: World) -> None:
    refused(ask(http, world.agency, client_secret="s"), 400, "invalid_request")


def test_a_proof_that_fails(http: FlaskClient, world: World) -> None:
    for headers in (
        {"DPoP": ""},
        {"DPoP": "x"},
        {"DPoP": proof(world.agency, htm="GET")},
        {"DPoP": proof(world.agency, htu=URL + "/v1/exchanges")},
        {"DPoP": proof(world.agency, header={"typ": "jwt"})},
        {"DPoP": f"{proof(world.agency)},{proof(world.agency)}"},
        {"DPoP": proof(world.agency, iat=int(world.clock.seconds) - 61)},
    ):
        refused(ask(http, world.agency, headers), 400, "invalid_dpop_proof")
    answer = http.post("/oauth2/token", data=form(world.agency))
    refused(answer, 400, "invalid_dpop_proof")


def test_two_dpop_headers(http: FlaskClient, world: World) -> None:
    headers = [("Content-Type", FORM), ("DPoP", proof(world.agency)), ("DPoP", "x")]
    answer = http.post("/oauth2/token", data=urlencode(form(world.agency)), headers=headers)
    refused(answer, 400, "invalid_dpop_proof")


def test_a_proof_used_twice(http: FlaskClient, world: World) -> None:
    headers = {"DPoP": proof(world.agency)}
    assert ask(http, world.agency, headers).status_code == 200
    refused(ask(http, world.agency, headers), 400, "invalid_dpop_proof")


def test_t14_of_fifty_replays_at_once_exactly_one_wins(http: FlaskClient, world: World) -> None:
    body, barrier = urlencode(form(world.agency)), threading.Barrier(50)
    proofs = [proof(world.agency) for _ in range(50)]

    def run(one: Any) -> int:
        barrier.wait()
        client = http.application.test_client()
        headers = {"Content-Type": FORM, "DPoP": one}
        return client.post("/oauth2/token", data=body, headers=headers).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(run, proofs))
    assert sorted(statuses) == [200] + [401] * 49


def test_t17_parameters_in_the_url(http: FlaskClient, world: World) -> None:
    for query in ("?scope=exchange.request", "?grant_type=client_credentials", "?x", "?a=b"):
        refused(ask(http, world.agency, query=query), 400, "invalid_request")


def test_t18_a_repeated_parameter(http: FlaskClient, world: World) -> None:
    body = urlencode(form(world.agency))
    for more in (
        "&scope=a&scope=b",
        "&grant_type=client_credentials",
        "&x=&x=",
        "&%73cope=a&scope=",
    ):
        refused(ask(http, world.agency, body=body + more), 400, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        f"{FORM}; charset=utf-16",
        f"{FORM}; charset=iso-8859-1",
        f"{FORM}; boundary=x",
        f"{FORM}, application/json",
    ],
)
def test_t19_another_media_type(http: FlaskClient, world: World, content_type: Any) -> None:
    answer = ask(http, world.agency, {"Content-Type": content_type})
    refused(answer, 400, "invalid_request")


def test_t19_utf_8_may_be_named_and_nothing_may_be_encoded(http: FlaskClient, world: World) -> None:
    headers = {"Content-Type": f"{FORM}; charset=UTF-8"}
    assert ask(http, world.agency, headers).status_code == 200
    body = gzip.compress(urlencode(form(world.agency)).encode())
    answer = ask(http, world.agency, {"Content-Encoding": "gzip"}, body=body)
    refused(answer, 400, "invalid_request")


def test_t16_a_body_too_large(http: FlaskClient, world: World) -> None:
    answer = ask(http, world.agency, x="a" * 17_000)
    refused(answer, 413, "invalid_request")
    answer = ask(http, world.agency, client_assertion=world.agency.assertion(jti="j" * 10**6))
    refused(answer, 413, "invalid_request")


def test_t22_a_body_that_is_no_form(http: FlaskClient, world: World) -> None:
    good = urlencode(form(world.agency)).encode()
    for body in (
        b"",
        b"{}",
        b"\xff\xfe",
        b"a=%ff",
        b"a=%",
        b"\xef\xbb\xbf" + good,
        good + b"&" + b"&".join(b"p%d=1" % n for n in range(20)),
        good + b"&x",
    ):
        answer = ask(http, world.agency, body=body)
        assert answer.status_code in {400, 401}
        refused(answer, answer.status_code, answer.json["error"])


def test_t23_other_methods_and_overrides(http: FlaskClient, world: World) -> None:
    for method in ("get", "put", "delete", "patch", "head", "options"):
        assert getattr(http, method)("/oauth2/token").status_code == 405
    answer = http.get("/oauth2/token", headers={"X-HTTP-Method-Override": "POST"})
    assert answer.status_code == 405


def test_t25_details_are_not_granted_by_being_ignored(http: FlaskClient, world: World) -> None:
    for details in ("[]", '[{"type":"data-request"}]', "x"):
        answer = ask(http, world.agency, authorization_details=details)
        refused(answer, 400, "invalid_authorization_details")


def test_t26_a_token_for_another_resource(http: FlaskClient, world: World) -> None:
    refused(ask(http, world.agency, resource="https://other.example"), 400, "invalid_target")
    assert ask(http, world.agency, resource=URL).status_code == 200


@pytest.mark.parametrize(
    "grant", ["authorization_code", "password", "refresh_token", "x", '"', "é"]
)
def test_t27_another_grant(http: FlaskClient, world: World, grant: Any) -> None:
    refused(ask(http, world.agency, grant_type=grant), 400, "unsupported_grant_type")


def test_a_grant_type_that_is_missing(http: FlaskClient, world: World) -> None:
    for grant in (None, ""):
        refused(ask(http, world.agency, grant_type=grant), 400, "invalid_request")


def test_t30_an_unknown_parameter_is_ignored(http: FlaskClient, world: World) -> None:
    assert ask(http, world.agency, audience="https://other.example", x="y").status_code == 200


@pytest.mark.parametrize("text", ["<script>", "x\r\nSet-Cookie: a=b", 'x"y\\z', "é\u2028"])
def test_t32_nothing_sent_comes_back(http: FlaskClient, world: World, text: str) -> None:
    for more in (
        {"grant_type": text},
        {"scope": text},
        {"client_id": text},
        {"client_assertion": text},
        {"client_assertion_type": text},
        {"resource": text},
        {text: text},
    ):
        answer = ask(http, world.agency, **more)
        assert "Set-Cookie" not in answer.headers
        if answer.status_code != 200:
            description = refused(answer, answer.status_code, answer.json["error"])
            assert text not in description
            assert all(" " <= c <= "~" and c not in '"\\' for c in description)


@pytest.mark.parametrize("reason", [Reason.STATE_UNAVAILABLE, Reason.LEDGER_UNAVAILABLE])
def test_a_store_that_fails_issues_nothing(
    http: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    def fails(*_: Any) -> Never:
        raise Refusal(reason, "The store is away.")

    monkeypatch.setattr(world.replay, "claim", fails)
    refused(ask(http, world.agency), 503, "temporarily_unavailable")


def test_a_proof_that_the_store_cannot_judge_issues_nothing(
    http: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = world.replay.claim

    def fails(audience: Any, *rest: Any) -> bool:
        if audience == "dpop":
            raise Refusal(Reason.STATE_UNAVAILABLE, "The store is away.")
        return claim(audience, *rest)

    monkeypatch.setattr(world.replay, "claim", fails)
    refused(ask(http, world.agency), 503, "temporarily_unavailable")


def test_any_host_header_leads_to_the_same_checks(http: FlaskClient, world: World) -> None:
    assert ask(http, world.agency, {"Host": "evil.example"}).status_code == 200
    answer = ask(
        http,
        world.agency,
        {
            "Host": "evil.example",
            "DPoP": proof(world.agency, htu="http://evil.example/oauth2/token"),
        },
    )
    refused(answer, 400, "invalid_dpop_proof")


def test_the_token_keys_are_public_alone(http: FlaskClient, world: World) -> None:
    (key,) = http.get("/oauth2/jwks").json["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert not ECKey.import_key(key).is_private


def test_the_server_metadata_is_what_rfc_8414_asks(http: FlaskClient) -> None:
    document = http.get("/.well-known/oauth-authorization-server").json
    # Authlib wants a response type; there is none, since there is no authorization endpoint.
    assert document["response_types_supported"] == []
    AuthorizationServerMetadata({**document, "response_types_supported": ["none"]}).validate()
    assert document["issuer"] == URL
    assert document["token_endpoint"] == TOKEN_URL
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    algorithms = ["ES256", "PS256", "EdDSA", "Ed25519"]
    assert document["dpop_signing_alg_values_supported"] == algorithms
    assert "registration_endpoint" not in document


def test_the_resource_metadata_is_what_rfc_9728_asks(http: FlaskClient) -> None:
    document = http.get("/.well-known/oauth-protected-resource").json
    assert document["resource"] == URL
    assert document["authorization_servers"] == [URL]
    assert document["dpop_bound_access_tokens_required"] is True
    assert document["scopes_supported"] == [scope.value for scope in Scope]


def test_a_token_from_the_endpoint_opens_the_api_once_per_proof(
    http: FlaskClient, world: World
) -> None:
    token = ask(http, world.agency).json["access_token"]
    credentials = Credentials(
        "POST", "/v1/exchanges", (f"DPoP {token}",), (world.agency.proof(token),)
    )
    caller = world.authenticate(credentials, Scope.EXCHANGE_REQUEST)
    assert caller.client_id == "family-benefits"
    answer = json.dumps(http.get("/oauth2/jwks").json)
    assert world.ring.token.kid in answer
