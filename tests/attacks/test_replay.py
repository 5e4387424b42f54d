"""Replay: an assertion and a proof count once, also when fifty come at the same moment."""

import http.client
import json
import threading
from collections import Counter
from urllib.parse import urlencode, urlsplit

from tests.agency import ASSERTION, Agency, Answer
from tests.attacks.ledger_watch import DECISION, RELEASE, nothing_written, standing, written
from tests.country import RESIDENTS, RunningCountry

TOKEN = "/oauth2/token"
API = "/v1/exchanges"
AT_ONCE = 50


def at_once(
    agency: Agency, path: str, requests: list[tuple[bytes, dict[str, str]]]
) -> list[Answer]:
    """Send all requests at the same moment, each on a connection that is open already."""
    to, barrier = urlsplit(agency.gateway), threading.Barrier(len(requests))
    answers: list[Answer] = []

    def one(body: bytes, headers: dict[str, str]) -> None:
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
        connection.connect()
        barrier.wait()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answers.append(Answer(answer.status, dict(answer.getheaders()), answer.read()))
        connection.close()

    threads = [threading.Thread(target=one, args=made) for made in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def token_request(agency: Agency, *, assertion: str | None = None, proof: str | None = None):
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": assertion or agency.assertion(),
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "DPoP": proof or agency.proof("POST", TOKEN),
    }
    return urlencode(form).encode(), headers


def exchange_request(agency: Agency, number: str, proof: str | None = None):
    body = {
        "agreement": "family-allowance",
        "service": RESIDENTS,
        "subject": {"scheme": "resident-number", "value": number},
        "fields": ["/name/family"],
    }
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"DPoP {agency.token}",
        "DPoP": proof or agency.proof("POST", API, agency.token),
    }
    return json.dumps(body).encode(), headers


def test_an_assertion_counts_once(country: RunningCountry) -> None:
    """T14: in a request that is fresh in all the rest."""
    agency = country.agency()
    assertion = agency.assertion()
    first, again = (
        agency.request("POST", TOKEN, *token_request(agency, assertion=assertion)) for _ in range(2)
    )
    assert first.status == 200
    assert (again.status, again.json["error"]) == (401, "invalid_client")


def test_another_clients_jti_is_its_own(country: RunningCountry) -> None:
    """T14: one client cannot use up what another may still send."""
    for name in ("family-benefits", "child-maintenance"):
        agency = country.agency(name)
        made = agency.assertion(jti="the-same-jti-for-two-clients")
        assert agency.ask_token(client_assertion=made).status == 200


def test_of_fifty_same_assertions_exactly_one_wins(country: RunningCountry) -> None:
    """T14."""
    agency = country.agency()
    assertion = agency.assertion()
    made = [token_request(agency, assertion=assertion) for _ in range(AT_ONCE)]
    with nothing_written(country):
        answers = at_once(agency, TOKEN, made)
    assert Counter(answer.status for answer in answers) == {200: 1, 401: AT_ONCE - 1}


def test_of_fifty_same_proofs_exactly_one_binds_a_token(country: RunningCountry) -> None:
    """D-13, at the token endpoint."""
    agency = country.agency()
    proof = agency.proof("POST", TOKEN)
    made = [token_request(agency, proof=proof) for _ in range(AT_ONCE)]
    answers = at_once(agency, TOKEN, made)
    assert Counter(answer.status for answer in answers) == {200: 1, 400: AT_ONCE - 1}
    errors = {answer.json["error"] for answer in answers if answer.status != 200}
    assert errors == {"invalid_dpop_proof"}


def test_a_proof_counts_once_at_the_api(country: RunningCountry) -> None:
    """D-13, sequentially."""
    agency, resident = country.agency(), standing(country)
    body, headers = exchange_request(agency, resident.number)
    with written(country, DECISION, RELEASE):
        assert agency.request("POST", API, body, headers).status == 200
        for _ in range(3):
            answer = agency.request("POST", API, body, headers)
            assert (answer.status, answer.reason) == (401, "dpop.replayed")
            assert 'error="invalid_dpop_proof"' in answer.headers["www-authenticate"]


def test_of_fifty_same_proofs_exactly_one_releases(country: RunningCountry) -> None:
    """D-13, all at once: one exchange opens, one answer is released."""
    agency, resident = country.agency(), standing(country)
    made = [exchange_request(agency, resident.number)] * AT_ONCE
    with written(country, DECISION, RELEASE):
        answers = at_once(agency, API, made)
    assert Counter(answer.status for answer in answers) == {200: 1, 401: AT_ONCE - 1}
    reasons = {answer.reason for answer in answers if answer.status != 200}
    assert reasons == {"dpop.replayed"}


def test_a_proof_of_the_token_endpoint_is_worth_nothing_at_the_api(
    country: RunningCountry,
) -> None:
    """D-21."""
    agency, resident = country.agency(), standing(country)
    proof = agency.proof("POST", TOKEN)
    body, headers = token_request(agency, proof=proof)
    assert agency.request("POST", TOKEN, body, headers).status == 200
    with nothing_written(country):
        again = agency.request("POST", API, *exchange_request(agency, resident.number, proof))
    assert (again.status, again.reason) == (401, "dpop.invalid")


def test_a_proof_is_used_up_by_a_refusal_too(country: RunningCountry) -> None:
    agency, resident = country.agency(), country.resident()
    body, headers = exchange_request(agency, resident.number)
    assert agency.request("POST", API, body, headers).reason == "subject.not_released"
    with nothing_written(country):
        assert agency.request("POST", API, body, headers).reason == "dpop.replayed"
