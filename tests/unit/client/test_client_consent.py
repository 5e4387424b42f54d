"""The client asks a person for consent, and believes only what a gateway may say to that."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from client import CalledWrongly, Client, NotTrustworthy, Refused, Subject, Wish, ask, state_of
from client.__main__ import main
from tests.unit.client.standin import QUESTION, REQUEST, Standin, standing_in

pytestmark = pytest.mark.enable_socket
WISH = Wish(
    "family-allowance",
    Subject("resident-number", "RN-1234566"),
    {"tax/income": ["/income/year"]},
    "FA-1",
    "https://family.example/back",
)


@pytest.fixture
def gateway() -> Iterator[Standin]:
    with standing_in() as standin:
        yield standin


@pytest.fixture
def client(gateway: Standin) -> Client:
    return Client(gateway.url, gateway.identity())


def test_a_wish_is_sent_as_it_is_with_token_and_proof(gateway: Standin, client: Client) -> None:
    made = ask(client, WISH)
    assert (made.request, made.state) == (REQUEST, "open")
    assert made.url == f"{gateway.url}/requests/{REQUEST}"
    path, headers, body = gateway.seen[-1]
    assert path == "/v1/consent-requests"
    assert {"authorization", "dpop"} <= {name.lower() for name in headers}
    assert json.loads(body) == {
        "agreement": "family-allowance",
        "subject": {"scheme": "resident-number", "value": "RN-1234566"},
        "fields": {"tax/income": ["/income/year"]},
        "case": "FA-1",
        "return_url": "https://family.example/back",
    }
    assert "RN-1234566" not in repr(WISH)


def test_each_token_covers_what_it_is_for_alone(gateway: Standin, client: Client) -> None:
    ask(client, WISH)
    with suppress(Exception):
        client.exchange(QUESTION)
    state_of(client, REQUEST)
    forms = [parse_qs(body.decode()) for path, _, body in gateway.seen if path == "/oauth2/token"]
    assert [form["scope"] for form in forms] == [["consent.request"], ["exchange.request"]]


def test_what_was_not_said_is_not_sent(gateway: Standin, client: Client) -> None:
    ask(client, Wish("a", WISH.subject, WISH.fields))
    assert set(json.loads(gateway.seen[-1][2])) == {"agreement", "subject", "fields"}


def test_a_refusal_is_told_by_its_reason(gateway: Standin, client: Client) -> None:
    problem = {"reason": "quota.exceeded", "detail": "Too many."}
    gateway.changes["asked"] = lambda _: (429, problem)
    with pytest.raises(Refused) as refused:
        ask(client, WISH)
    assert (refused.value.reason, refused.value.status) == ("quota.exceeded", 429)


def test_the_state_of_a_request_is_one_word(client: Client) -> None:
    assert state_of(client, REQUEST) == "answered"


def test_a_word_that_there_is_not_is_not_believed(gateway: Standin, client: Client) -> None:
    gateway.changes["state"] = lambda _: (200, {"request": REQUEST, "state": "given"})
    with pytest.raises(NotTrustworthy):
        state_of(client, REQUEST)


@pytest.mark.parametrize("name", ["url", "request", "expires"])
def test_an_answer_with_a_part_missing_is_not_believed(
    gateway: Standin, client: Client, name: str
) -> None:
    gateway.changes["asked"] = lambda told: (
        201,
        {one: value for one, value in told[1].items() if one != name},
    )
    with pytest.raises(NotTrustworthy, match=name):
        ask(client, WISH)


@pytest.mark.parametrize("name", ["", "rq_1", "../exchanges/ex_1", "rq_" + "a" * 27])
def test_only_a_requests_name_is_asked_for(gateway: Standin, client: Client, name: str) -> None:
    with pytest.raises(CalledWrongly):
        state_of(client, name)
    assert gateway.seen == []


# ------------------------------------------------------------------ the commands


@pytest.fixture
def keys(gateway: Standin, tmp_path: Path) -> list[str]:
    options = ["--gateway", gateway.url, "--client-id", "family-benefits-1"]
    for name, key in (("key", gateway.client_key), ("seal-key", gateway.seal_key)):
        file = tmp_path / f"{name}.jwk.json"
        file.write_text(json.dumps(key.as_dict(private=True)))
        options += [f"--{name}", str(file)]
    return options


def test_ask_prints_the_request_with_the_persons_address(
    gateway: Standin, keys: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    subject = ["--subject", "resident-number:RN-1234566", "--agreement", "family-allowance"]
    fields = ["--field", "tax/income#/income/year", "--field", "tax/income#/income/total"]
    assert main(["ask", *keys, *subject, *fields]) == 0
    told = json.loads(capfdbinary.readouterr().out)
    assert told == gateway.consent_request()
    sent = json.loads(gateway.seen[-1][2])
    assert sent["fields"] == {"tax/income": ["/income/year", "/income/total"]}


def test_asked_prints_whether_there_was_an_answer(
    keys: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["asked", *keys, "--request", REQUEST]) == 0
    assert json.loads(capfdbinary.readouterr().out) == {"request": REQUEST, "state": "answered"}


@pytest.mark.parametrize("field", ["tax/income", "#/income/year", "tax/income#"])
def test_a_field_without_its_service_is_called_wrongly(
    gateway: Standin, keys: list[str], field: str
) -> None:
    subject = ["--subject", "resident-number:RN-1234566", "--agreement", "family-allowance"]
    assert main(["ask", *keys, *subject, "--field", field]) == 2
    assert gateway.seen == []
