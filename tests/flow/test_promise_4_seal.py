"""P4, sealed for the asker: nobody else can open an answer, and clear text is nowhere beside it.

`test_canary.py` looks for it on the disk after everything that can go wrong.
"""

import base64
import json

import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from tests.country import INCOME, RESIDENTS
from tests.flow.canary import files_under, forms, found
from tests.flow.office import TOTAL, YEAR, record_of
from tests.flow.watched import WatchedCountry

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]


def test_p4_sealed_for_the_asker_only_the_key_that_it_registered_opens_the_answer(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.consented()
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert agency.open(answer)["record"] == {"income": {"year": 2025, "total": False}}
    others = [
        ECKey.import_key(key)
        for key in (
            watched.agency("child-maintenance").sealing,
            watched.agency("tax").sealing,
            agency.signing,
        )
    ]
    for key in (*others, agency.proof_key):
        with pytest.raises((JoseError, ValueError)):
            jwe.decrypt_compact(answer.json["sealed"], key, algorithms=ALGORITHMS)


def test_p4_sealed_for_the_asker_nothing_beside_the_seal_tells_what_is_in_it(
    watched: WatchedCountry,
):
    agency, resident = watched.agency("child-maintenance"), watched.consented(children=1)
    # By law the days of birth travel as they are; on consent only an age group would.
    born = ["/children/*/birth_date"]
    answer = agency.exchange(resident.number, RESIDENTS, born, agreement="child-maintenance")
    protected, *rest = answer.json["sealed"].split(".")
    header = json.loads(base64.urlsafe_b64decode(protected + "=="))
    assert (header["alg"], header["enc"]) == tuple(ALGORITHMS)
    assert header["kid"] == agency.sealing["kid"]
    claims = agency.claims(answer)
    state = agency.get(f"/v1/exchanges/{answer.json['exchange']}")
    assert state.status == 200
    visible = [
        answer.body,
        state.body,
        json.dumps([header, claims]).encode(),
        *map(str.encode, rest),
    ]
    told = [child.birth_date.isoformat() for child in resident.children]
    opened = agency.open(answer)["record"]["children"]
    assert sorted(child["birth_date"] for child in opened) == sorted(told) != []
    for value in (resident.number, *told):
        assert not [form for form in forms(value) if any(form in text for text in visible)]


def test_p4_sealed_for_the_asker_a_record_passes_through_and_leaves_nothing_on_the_disk(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.consented()
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert answer.status == 200
    values = [resident.number, str(record_of(resident.number)["income"]["total"])]
    places = files_under(watched.state / "gateway", watched.state / "logs")
    assert found(values, places) == set()
