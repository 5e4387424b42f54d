"""The whole exchange through libraries that are not ours: npm `oauth4webapi` and `jose`."""

import json
import subprocess
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

from tests.country import AGREEMENT, RESIDENTS, SCHEME, RunningCountry

# `tests/setup` installs its packages, exactly those of its lock file.
PROGRAM = Path(__file__).parents[1] / "foreign" / "exchange.mjs"


def members(country: RunningCountry, agency: str, key: str) -> Any:
    """Return the private JWK of an agency, as `demo.json` leads to it."""
    return json.loads((country.state / country.agencies[agency][key]).read_text("utf-8"))


def decoded(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def test_a_foreign_client_completes_the_whole_exchange(country: RunningCountry) -> None:
    [agreement] = [one for one in country.document["agreements"] if one["id"] == AGREEMENT]
    agency, fields = agreement["agency"], agreement["services"][RESIDENTS]
    client_id, resident = country.agencies[agency]["client_id"], country.consenting()
    told = {
        "gateway": country.gateway,
        "client_id": client_id,
        "client_key": members(country, agency, "client_key"),
        "seal_key": members(country, agency, "seal_key"),
        "question": {
            "agreement": AGREEMENT,
            "service": RESIDENTS,
            "subject": {"scheme": SCHEME, "value": resident.number},
            "fields": fields,
            "case": "FA-2026-00042",
            "user": "clerk-4471",
        },
    }
    done = subprocess.run(
        ["node", str(PROGRAM)],
        input=json.dumps(told).encode(),
        capture_output=True,
        timeout=240,
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
    assert decoded(header["apu"]) == country.gateway
    assert decoded(header["apv"]) == f"{client_id}|{answer['exchange']}"
    assert opened["exchange"] == claims["exchange"] == answer["exchange"]
    assert opened["service"] == claims["service"] == RESIDENTS
    assert opened["record"]["name"]["family"] == resident.family
    assert set(claims["fields"]) == set(fields) - {one["field"] for one in answer["withheld"]}
    assert claims["basis"] == "consent"
    assert claims["log"]["proof"].startswith("c2sp.org/tlog-proof@v1\n")
