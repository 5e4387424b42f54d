"""The demo's silos, read through the catalogue's own services, each adapter for its kind."""

import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from adapters.registry import build as build_source
from adapters.registry import check
from gateway.demo.sources import Residents, build, check_digit
from kernel.chance import SystemChance
from kernel.names import Pointer
from tests.contract.asking import ask
from tests.contract.sources import at

SERVICES = sorted(Path("policies/catalogue/services").glob("*.yaml"))


@pytest.fixture(scope="module")
def residents(tmp_path_factory: pytest.TempPathFactory) -> Residents:
    return build(tmp_path_factory.mktemp("sources"), "a seed", SystemChance())


@pytest.fixture(scope="module")
def tax_url(residents: Residents) -> Iterator[str]:
    command = [sys.executable, "-m", "gateway.demo.sources.tax", "--port", "0"]
    files = ["--data", str(residents.returns), "--secret-file", str(residents.secret)]
    with subprocess.Popen([*command, *files], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def catalogued(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.stem)
def test_every_field_of_a_service_can_be_read_for_everybody(
    file: Path, residents: Residents, tax_url: str
) -> None:
    service = catalogued(file)
    pointers = [Pointer(text) for text in (*service["fields"], service["subject_at"])]
    check(service["adapter"], service["read"], pointers)
    urls = {
        "population": f"sqlite:///{residents.register}",
        "tax": tax_url,
        "education": f"file://{residents.schools}",
    }
    secret = residents.secret.read_text("ascii") if service["source"] == "tax" else None
    address = at(service["source"], urls[service["source"]], secret=secret)
    source = build_source(
        service["adapter"], service["read"], Pointer(service["subject_at"]), address
    )
    told: set[str] = set()
    for one in residents.people:
        record = ask(source, *service["fields"], number=one.number)
        assert record[service["subject_at"].removeprefix("/")] == one.number
        told |= {pointer for pointer in service["fields"] if holds(record, pointer)}
    source.close()
    assert told == set(service["fields"])


def holds(tree: Any, pointer: str) -> bool:
    for token in pointer.removeprefix("/").split("/"):
        if token == "*":
            rest = pointer.partition("/*")[2]
            return any(holds(item, rest) for item in tree)
        if not isinstance(tree, dict) or token not in tree:
            return False
        tree = tree[token]
    return True


def test_the_same_seed_makes_the_same_people_and_another_seed_others(
    residents: Residents, tmp_path: Path
) -> None:
    again = build(tmp_path, "a seed", SystemChance())
    assert again.people == residents.people
    assert again.schools.joinpath("enrolments.csv").read_bytes() == (
        residents.schools.joinpath("enrolments.csv").read_bytes()
    )
    assert again.secret.read_text("ascii") != residents.secret.read_text("ascii")
    assert build(tmp_path, "another", SystemChance()).people != residents.people


def test_there_are_two_hundred_people_with_numbers_of_their_own(residents: Residents) -> None:
    numbers = [one.number for one in residents.people]
    numbers += [child.number for one in residents.people for child in one.children]
    assert len(residents.people) == 200
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        assert number.startswith("RN-")
        assert len(number) == 10
        assert number[-1] == check_digit(number[3:9])


def test_a_check_digit_is_luhns() -> None:
    # ISO/IEC 7812-1: 7992739871 has the check digit 3.
    assert check_digit("992739871"[-6:]) == check_digit("739871")
    assert check_digit("7992739871") == "3"
    assert check_digit("000000") == "0"


def test_the_first_is_amina_with_a_newborn_child(residents: Residents) -> None:
    amina = residents.people[0]
    assert amina.given == "Amina"
    assert max(child.birth_date for child in amina.children).isoformat() == "2026-08-21"


def test_names_come_from_many_scripts(residents: Residents) -> None:
    scripts = {unicodedata.name(one.given[0]).split()[0] for one in residents.people}
    assert {"LATIN", "ARABIC", "CYRILLIC", "GREEK", "CJK", "DEVANAGARI", "GEORGIAN"} <= scripts


def test_nobodys_name_shows_in_a_repr(residents: Residents) -> None:
    assert "Amina" not in repr(residents) + repr(residents.people[0])


def test_only_their_owner_may_read_the_silos(residents: Residents) -> None:
    assert residents.secret.stat().st_mode & 0o077 == 0
    for silo in (residents.register, residents.returns, residents.schools / "enrolments.csv"):
        assert silo.parent.stat().st_mode & 0o077 == 0


def get(url: str, secret: str | None) -> tuple[int, Any]:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_tax_service_is_healthy_without_a_secret(tax_url: str) -> None:
    assert get(f"{tax_url}/healthz", None) == (200, {"status": "ok"})


@pytest.mark.parametrize("secret", [None, "wrong", ""])
def test_the_tax_service_tells_nothing_without_its_secret(
    tax_url: str, residents: Residents, secret: str | None
) -> None:
    status, said = get(f"{tax_url}/v1/people/{residents.people[0].number}?fields=/taxpayer", secret)
    assert status == 401
    assert set(said) == {"error"}


def test_the_tax_service_tells_only_what_is_asked(tax_url: str, residents: Residents) -> None:
    secret = residents.secret.read_text("ascii")
    url = f"{tax_url}/v1/people/{residents.people[0].number}"
    assert get(f"{url}?fields=/tax/due&fields=/none", secret) == (200, {"tax": {"due": 4680}})
    assert get(url, secret)[0] == 400
    assert get(f"{tax_url}/v1/people/RN-0000000?fields=/tax/due", secret)[0] == 404
    assert get(f"{tax_url}/elsewhere", secret)[0] == 410
