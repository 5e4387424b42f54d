"""`python -m client` against the real gateway and the real sources."""

import json
import os
import subprocess
from pathlib import Path

from tests import commands
from tests.country import AGREEMENT, ENROLMENT, INCOME, RESIDENTS, SCHEME, RunningCountry


def ask(
    country: RunningCountry, number: str, service: str, *more: str
) -> subprocess.CompletedProcess[str]:
    """Ask as a clerk of Family Benefits does."""
    matter = ("--agreement", AGREEMENT, "--service", service, "--subject", f"{SCHEME}:{number}")
    clerk = ("--case", "FA-2026-00042", "--user", "clerk-4471")
    return client(country, "exchange", *matter, *clerk, *more)


def client(country: RunningCountry, command: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Family Benefits' system, without the gateway's settings."""
    home = country.agencies["family-benefits"]
    options = {
        "--gateway": country.gateway,
        "--client-id": home["client_id"],
        "--key": str(country.state / home["client_key"]),
        "--seal-key": str(country.state / home["seal_key"]),
    }
    environ = {name: value for name, value in os.environ.items() if "GATEWAY" not in name}
    return commands.run(("client", command, *sum(options.items(), ()), *more), environ)


def test_the_command_opens_an_answer_of_every_source(country: RunningCountry) -> None:
    resident = country.consenting()
    told = {
        service: json.loads(ask(country, resident.number, service, "--field", field).stdout)
        for service, field in (
            (RESIDENTS, "/name/family"),
            (INCOME, "/income/total"),
            (ENROLMENT, "/enrolments/*/since"),
        )
    }
    assert told[RESIDENTS] == {"name": {"family": resident.family}}
    income = resident.taxes.employment + resident.taxes.capital
    assert told[INCOME] == {"income": {"total": income < 60_000}}
    assert told[ENROLMENT] == {
        "enrolments": [{"since": one.since.isoformat()} for one in resident.enrolments]
    }


def test_a_kept_receipt_is_what_the_ledgers_verifier_accepts(
    country: RunningCountry, tmp_path: Path
) -> None:
    resident, receipt = country.consenting(), tmp_path / "receipt.jws"
    kept = ["--receipt", str(receipt), "--vkey", str(tmp_path / "vkey")]
    done = ask(country, resident.number, RESIDENTS, "--field", "/name/family", *kept)
    assert (done.returncode, done.stderr) == (0, "")
    verifier = ["gateway", "audit", "verify", "--vkey", str(tmp_path / "vkey")]
    country.run("gateway", "audit", "export", str(tmp_path / "log"))
    done = country.run(*verifier, "--dir", str(tmp_path / "log"), "--receipt", str(receipt))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_refusal_is_said_and_nothing_is_kept(country: RunningCountry, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.jws"
    number = country.resident().number
    done = ask(country, number, RESIDENTS, "--field", "/name/family", "--receipt", str(receipt))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("subject.not_released: ")
    assert number not in done.stderr
    assert not receipt.exists()


def test_a_person_is_asked_and_the_agency_learns_that_they_answered(
    country: RunningCountry,
) -> None:
    person = country.resident()
    wish = ("--agreement", AGREEMENT, "--subject", f"{SCHEME}:{person.number}")
    fields = ("--field", f"{INCOME}#/income/year", "--field", f"{ENROLMENT}#/enrolments/*/school")
    made = json.loads(client(country, "ask", *wish, *fields).stdout)
    assert made["url"] == f"{country.gateway}/requests/{made['request']}"
    again = client(country, "ask", *wish, *fields)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("quota.exceeded: ")
    before = client(country, "asked", "--request", made["request"])
    assert json.loads(before.stdout) == {"request": made["request"], "state": "open"}
    refused = country.consents("refuse", person)
    assert refused.returncode == 0, refused.stderr
    after = client(country, "asked", "--request", made["request"])
    assert json.loads(after.stdout) == {"request": made["request"], "state": "answered"}
