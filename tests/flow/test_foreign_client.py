"""The whole exchange through libraries that are not ours: npm `oauth4webapi` and `jose`."""

import json
import subprocess
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

FOREIGN = Path(__file__).parents[1] / "foreign"
AGREEMENT = "family-allowance"
SERVICE = "population/residents"


@pytest.fixture(scope="session")
def foreign_client() -> Path:
    """Return the program, with exactly the packages of its lock file installed."""
    lock, installed = FOREIGN / "package-lock.json", FOREIGN / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=FOREIGN, check=True, capture_output=True, timeout=240)
    return FOREIGN / "exchange.mjs"


def members(country: Any, agency: str, key: str) -> Any:
    """Return the private JWK of an agency, as `demo.json` leads to it."""
    return json.loads((country.state / country.agencies[agency][key]).read_text("utf-8"))


def decoded(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def test_a_foreign_client_completes_the_whole_exchange(country: Any, foreign_client: Path) -> None:
    [agreement] = [one for one in country.agreements if one["id"] == AGREEMENT]
    resident = next(one for one in country.residents if AGREEMENT in one["consents"])
    agency = agreement["agency"]
    client_id = country.agencies[agency]["client_id"]
    fields = agreement["services"][SERVICE]
    told = {
        "gateway": country.gateway,
        "client_id": client_id,
        "client_key": members(country, agency, "client_key"),
        "seal_key": members(country, agency, "seal_key"),
        "question": {
            "agreement": AGREEMENT,
            "service": SERVICE,
            "subject": {"scheme": resident["scheme"], "value": resident["value"]},
            "fields": fields,
            "case": "FA-2026-00042",
            "user": "clerk-4471",
        },
    }
    done = subprocess.run(
        ["node", str(foreign_client)],
        input=json.dumps(told).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    header, opened, claims = (
        answer["seal"]["header"],
        answer["seal"]["opened"],
        answer["receipt"]["claims"],
    )
    assert answer["token_type"] == "dpop"
    assert header["typ"] == "causeway-extract+jwe"
    assert header["cty"] == "application/json"
    assert decoded(header["apu"]) == country.issuer
    assert decoded(header["apv"]) == f"{client_id}|{answer['exchange']}"
    assert opened["exchange"] == claims["exchange"] == answer["exchange"]
    assert opened["service"] == claims["service"] == SERVICE
    assert opened["record"]["name"]["family"]
    assert set(claims["fields"]) == set(fields) - {one["field"] for one in answer["withheld"]}
    assert claims["basis"] == "consent"
    assert claims["log"]["proof"].startswith("c2sp.org/tlog-proof@v1\n")
