"""Keys follow one another while hosts serve: what the one before signed stays believed, what a
stolen one signed does not; and the ledger has when each began."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from client.receipt import receipt_keys
from crypto import base64url
from crypto.keys import DAY
from tests.country import RESIDENTS, RunningCountry, running
from tests.serving import Host, serving

FIELDS = ["/name/family"]
PATHS = {"token": "/oauth2/jwks", "receipt": "/v1/receipts/keys"}


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    with running(tmp_path_factory.mktemp("rotation") / "demo", 200) as started:
        yield started


def rotate(country: RunningCountry, *what: str) -> str:
    told = country.run("gateway", "keys", "rotate", *what)
    assert told.returncode == 0, told.stderr
    return told.stdout.partition(" ")[0]


def days_pass(country: RunningCountry, name: str, days: int = 1) -> None:
    path = country.state / "gateway" / "keys" / f"{name}.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "created": held["created"] - days * DAY}))


def kids(host: Host, name: str) -> list[str]:
    answer = host.agency().request("GET", PATHS[name])
    return [key["kid"] for key in answer.json["keys"]]


def kid_of(text: str) -> str:
    head = text.partition(".")[0]
    return str(json.loads(base64url.decode(head))["kid"])


def test_hosts_that_start_one_after_the_other_believe_each_other(
    country: RunningCountry, tmp_path: Path
) -> None:
    number = country.consenting().number
    following = {name: rotate(country, name) for name in PATHS}
    early = country.run("gateway", "keys", "rotate", "token")
    assert early.returncode == 1
    assert "signs from" in early.stderr
    with serving(country) as before:
        first = {name: kids(before, name)[0] for name in PATHS}
        assert {name: kids(before, name) for name in PATHS} == {
            name: [first[name], following[name]] for name in PATHS
        }
        for name in PATHS:
            days_pass(country, f"{name}.next")
            assert rotate(country, name) == following[name]
        with serving(country) as after:
            assert {name: kids(after, name) for name in PATHS} == {
                name: [following[name], first[name]] for name in PATHS
            }
            agencies = [before.agency(), after.agency()]
            assert [kid_of(one.token) for one in agencies] == [first["token"], following["token"]]
            crossed = [replace(agencies[0], at=after.at), replace(agencies[1], at=before.at)]
            answers = [one.exchange(number, RESIDENTS, FIELDS) for one in (*agencies, *crossed)]
            assert [one.status for one in answers] == [200] * 4
            signed = [kid_of(one.json["receipt"]) for one in answers[:2]]
            assert signed == [first["receipt"], following["receipt"]]
            jwks = after.agency().request("GET", PATHS["receipt"]).body
            assert receipt_keys(jwks).keys() == {first["receipt"], following["receipt"]}
            stolen = after.agency()
            assert kid_of(stolen.token) == following["token"]
            fresh = rotate(country, "token", "--stolen")
            with serving(country) as last:
                assert following["token"] not in kids(last, "token")
                answer = replace(stolen, at=last.at).exchange(number, RESIDENTS, FIELDS)
                assert (answer.status, answer.json["reason"]) == (401, "token.invalid")
                assert last.agency().exchange(number, RESIDENTS, FIELDS).status == 200
    added = [leaf for leaf in country.leaves(tmp_path / "log") if leaf["type"] == "key.added"]
    assert [(leaf["use"], leaf["key"]) for leaf in added] == [
        *((name, following[name]) for name in PATHS),
        ("token", fresh),
    ]


def test_doctor_tells_of_a_key_that_signs_for_long(country: RunningCountry) -> None:
    assert "keys rotate" not in country.run("gateway", "doctor").stdout
    days_pass(country, "receipt", 91)
    told = country.run("gateway", "doctor")
    assert told.returncode == 0
    assert "fix: python -m gateway keys rotate receipt" in told.stdout
    assert "keys rotate token" not in told.stdout
