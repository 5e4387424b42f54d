"""Agencies: how the story's offices act, each command a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.country import ROOT, SCHEME, Country, client_of
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId

WITHIN = 60.0
AGREEMENT = AgreementId("family-allowance")


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
    return [
        *("client", "exchange", *_system(country, agency), *_matter(country)),
        *("--service", service),
        *(part for field in fields for part in ("--field", field)),
        *("--user", "clerk-4471"),
        *("--receipt", str(receipt_of(country, agency, service))),
    ]


def ask_her(
    country: Country, agency: AgencyId, fields: Mapping[ServiceId, Iterable[Pointer]]
) -> Mapping[str, object]:
    """Have an agency ask Amina for consent, and return what it was told."""
    named = [f"{service}#{field}" for service, chosen in fields.items() for field in chosen]
    told = run(
        country,
        *("client", "ask", *_system(country, agency), *_matter(country)),
        *(part for field in named for part in ("--field", field)),
    )
    if not told.ok:
        raise Failed(told.err)
    return dict(json.loads(told.out))


def learnt(country: Country, agency: AgencyId, request: str) -> str:
    """Return what the agency learns of its request."""
    told = run(country, "client", "asked", *_system(country, agency), "--request", request)
    if not told.ok:
        raise Failed(told.err)
    return str(json.loads(told.out)["state"])


def _system(country: Country, agency: AgencyId) -> list[str]:
    home = country.place.state / "agencies" / agency
    return [
        *("--gateway", country.place.gateway, "--client-id", client_of(agency)),
        *("--key", str(home / "client.jwk.json"), "--seal-key", str(home / "seal.jwk.json")),
    ]


def _matter(country: Country) -> list[str]:
    subject = f"{SCHEME}:{country.amina.number}"
    return ["--agreement", AGREEMENT, "--subject", subject, "--case", "FA-2026-00042"]


def receipt_of(country: Country, agency: AgencyId, service: str) -> Path:
    """Return where an agency keeps the receipt of its last exchange with a service."""
    name = f"{service.replace('/', '-')}.receipt"
    return country.place.state / "agencies" / agency / name


def consent(country: Country) -> Mapping[str, object]:
    """Return Amina's consent as it stands."""
    return _listed(country, "list")[-1]


def activity(country: Country) -> list[Mapping[str, object]]:
    """Return Amina's own list."""
    return _listed(country, "activity")


def _listed(country: Country, what: str) -> list[Mapping[str, object]]:
    subject = f"{SCHEME}:{country.amina.number}"
    told = run(country, "gateway", "consents", what, "--subject", subject)
    if not told.ok:
        raise Failed(told.err)
    return list(told.lines())
