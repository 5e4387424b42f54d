"""Agencies: how the story's offices and its counter act, each as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.country import ROOT, SCHEME, Country, client_of
from kernel.names import AgencyId

WITHIN = 60.0


class Failed(Exception):
    """A command did not do what the story needs; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a command answered."""

    ok: bool
    out: str
    err: str

    def lines(self) -> list[dict[str, object]]:
        """Return the JSON lines that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(country: Country, *arguments: str) -> Told:
    """Run one of our own commands in this country."""
    done = subprocess.run(  # noqa: S603 - our own modules
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=country.environ(),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return Told(done.returncode == 0, done.stdout, done.stderr.strip())


def asking(country: Country, agency: AgencyId, service: str, fields: Sequence[str]) -> list[str]:
    """Return the command line with which an agency's clerk asks about Amina."""
    home = country.place.state / "agencies" / agency
    return [
        "client",
        "exchange",
        "--gateway",
        country.place.gateway,
        "--client-id",
        client_of(agency),
        "--key",
        str(home / "client.jwk.json"),
        "--seal-key",
        str(home / "seal.jwk.json"),
        "--agreement",
        "family-allowance",
        "--service",
        service,
        "--subject",
        f"{SCHEME}:{country.amina.number}",
        *(part for field in fields for part in ("--field", field)),
        "--case",
        "FA-2026-00042",
        "--user",
        "clerk-4471",
        "--receipt",
        str(receipt_of(country, agency, service)),
    ]


def receipt_of(country: Country, agency: AgencyId, service: str) -> Path:
    """Return where an agency keeps the receipt of its last exchange with a service."""
    name = f"{service.replace('/', '-')}.receipt"
    return country.place.state / "agencies" / agency / name


def counter(country: Country, act: str) -> Told:
    """Have Amina give or withdraw her consent at the counter."""
    return run(
        country,
        "gateway",
        "consents",
        act,
        "--agreement",
        "family-allowance",
        "--subject",
        f"{SCHEME}:{country.amina.number}",
        "--method",
        "counter",
        "--clerk",
        "clerk-1",
    )


def activity(country: Country) -> list[Mapping[str, object]]:
    """Return Amina's own list."""
    subject = f"{SCHEME}:{country.amina.number}"
    told = run(country, "gateway", "consents", "activity", "--subject", subject)
    if not told.ok:
        raise Failed(told.err)
    return list(told.lines())
