"""Views for agency systems: proof first, and nobody sees what is another's."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from gateway.http.routes import ROUTES
from gateway.http.views import AgencyViews
from gateway.http.web import application
from gateway.model import Answer, Receipt
from gateway.observing.metrics import Metrics
from gateway.stops import NONE
from identity.model import Scope
from kernel.errors import Outdated, Reason, Refusal
from tests.unit.gateway import parts

ENTRY = {"type": "exchange.release", "consumer": "family-benefits", "provider": "population"}


@dataclass
class Site:
    """The views over stand-ins for everything behind them."""

    caller: object = parts.CALLER
    epoch: int = 3
    wanted: list = field(default_factory=list)
    handled: list = field(default_factory=list)
    agreements: tuple = (parts.AGREEMENT, replace(parts.AGREEMENT, id="letters", agency="tax"))

    def __post_init__(self):
        views = AgencyViews(self, self, self, self, self)
        by_name = {route.view: getattr(views, route.view, lambda **_: None) for route in ROUTES}
        front = parts.front(Metrics(), lambda *_: None)
        self.client = application(front, by_name).test_client()

    def __call__(self, credentials, scope):
        self.wanted.append(scope)
        self.credentials = credentials
        if isinstance(self.caller, Refusal):
            raise self.caller
        return self.caller

    def refresh(self, caller):
        return replace(caller, epoch=self.epoch)

    def at(self, epoch):
        if epoch != self.epoch:
            raise Outdated
        return SimpleNamespace(
            agreements={one.id: one for one in self.agreements},
            services={parts.SERVICE.id: parts.SERVICE},
            stops=NONE,
        )

    def handle(self, credentials, posted):
        self.handled.append((credentials, posted))
        return Answer("ex_1", parts.SEALED, Receipt("r.e.c"), (parts.GIVEN,))

    def find(self, exchange, client):
        if (exchange, client) == ("ex_1", "fb-1"):
            return {"exchange": "ex_1", "state": "open"}
        return None

    def header(self, index):
        return ENTRY if index == 7 else None

    def proof(self, index):
        return f"proof of {index}"


@pytest.fixture
def site():
    return Site()


def reason(answer):
    return answer.status_code, answer.get_json(force=True)["reason"]


def test_an_exchange_answers_what_leaves_and_what_was_withheld(site):
    answer = site.client.post(
        "/v1/exchanges",
        data=b"body",
        headers={
            "Content-Type": "application/json",
            "Authorization": "DPoP token",
            "DPoP": "proof",
        },
    )
    assert answer.json == {
        "exchange": "ex_1",
        "sealed": parts.SEALED.jwe,
        "receipt": "r.e.c",
        "withheld": [{"field": parts.GIVEN, "reason": "field.not_consented"}],
    }
    ((credentials, posted),) = site.handled
    assert credentials == parts.CREDENTIALS
    assert (posted.body, posted.content_type) == (b"body", "application/json")
    assert (posted.query, posted.idempotency_key) == (False, False)


def test_what_was_said_about_the_body_is_handed_on(site):
    headers = {"Content-Encoding": "gzip", "Idempotency-Key": ""}
    site.client.post("/v1/exchanges?x", data=b"", headers=headers)
    ((credentials, posted),) = site.handled
    assert (posted.content_encoding, posted.query, posted.idempotency_key) == ("gzip", True, True)
    assert (credentials.authorization, credentials.dpop) == ((), ())


def test_a_client_sees_its_own_exchange_and_no_other(site):
    assert site.client.get("/v1/exchanges/ex_1").json == {"exchange": "ex_1", "state": "open"}
    assert reason(site.client.get("/v1/exchanges/ex_2")) == (404, "exchange.unknown")
    assert site.wanted == [Scope.EXCHANGE_REQUEST] * 2


@pytest.mark.parametrize(
    "path",
    [
        "/v1/services",
        "/v1/services/population/residents",
        "/v1/agreements",
        "/v1/agreements/family-allowance",
        "/v1/exchanges/ex_1",
        "/audit/log/proof/7",
    ],
)
def test_nothing_is_told_to_who_is_not_proven(site, path):
    site.caller = Refusal(Reason.TOKEN_EXPIRED, "")
    assert reason(site.client.get(path)) == (401, "token.expired")


def test_the_directory_tells_services_without_their_sources(site):
    listed = site.client.get("/v1/services").json["services"]
    assert listed == [site.client.get("/v1/services/population/residents").json]
    assert listed[0]["id"] == "population/residents"
    assert "source" not in listed[0]
    assert "read" not in listed[0]
    assert reason(site.client.get("/v1/services/tax/none")) == (404, "request.not_found")
    assert site.wanted == [Scope.DIRECTORY_READ] * 3


def test_an_agency_sees_its_own_agreements_and_no_other(site):
    listed = site.client.get("/v1/agreements").json["agreements"]
    assert [one["id"] for one in listed] == ["family-allowance"]
    assert site.client.get("/v1/agreements/family-allowance").json == listed[0]
    for name in ("letters", "none"):
        assert reason(site.client.get(f"/v1/agreements/{name}")) == (403, "agreement.unknown")


def test_the_directory_looks_again_where_the_rules_changed(site):
    site.epoch = 4
    assert site.client.get("/v1/agreements").status_code == 200


@pytest.mark.parametrize(
    ("agency", "scopes", "told"),
    [
        ("family-benefits", set(), True),
        ("population", set(), True),
        ("tax", {Scope.AUDIT_ENTRIES}, True),
        ("tax", {Scope.EXCHANGE_REQUEST}, False),
    ],
)
def test_a_proof_is_for_the_parties_and_the_auditor(site, agency, scopes, told):
    site.caller = replace(parts.CALLER, agency=agency, scopes=frozenset(scopes))
    answer = site.client.get("/audit/log/proof/7")
    if told:
        assert answer.text == "proof of 7"
    else:
        assert reason(answer) == (404, "request.not_found")
    assert site.wanted == [None]


def test_an_entry_that_is_not_there_looks_like_one_of_others(site):
    others = replace(parts.CALLER, agency="tax")
    site.caller = others
    theirs = site.client.get("/audit/log/proof/7").get_json(force=True)
    none = site.client.get("/audit/log/proof/8").get_json(force=True)
    assert theirs | {"trace": ""} == none | {"trace": ""}
    site.caller = replace(others, scopes=frozenset({Scope.AUDIT_ENTRIES}))
    assert site.client.get("/audit/log/proof/8").status_code == 404


@pytest.mark.parametrize("index", ["x", "-1", "1e3", "007", "\u0667", "9" * 19, "7 "])
def test_an_entry_has_one_number_in_one_spelling(site, index):
    assert reason(site.client.get(f"/audit/log/proof/{index}")) == (404, "request.not_found")
    assert site.wanted == []
