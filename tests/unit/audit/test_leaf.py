"""The leaf is what ADR 1 says, for ever, and holds nothing of the person."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import jsonschema
import pytest

from audit import leaf, verify_leaf
from audit.verify_tree import Defect
from kernel.canonical import canonical
from kernel.chance import SystemChance
from kernel.entry import Entry, EntryType
from tests.contract import ledger_stage as stage
from tests.unit.audit import golden

ASSETS = Path(__file__).parents[2] / "assets"
SCHEMA = json.loads((ASSETS / "leaf.schema.json").read_text(encoding="utf-8"))
ENTRIES = list(golden.entries())


def kept(entry: Entry) -> dict:
    return json.loads((golden.LEAVES / f"{entry.type.value}.json").read_text(encoding="ascii"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.type.value)
def test_every_type_of_leaf_is_the_golden_one_to_the_byte(entry):
    assert golden.make(entry) == kept(entry)


def test_there_is_a_golden_leaf_of_every_type():
    assert {entry.type for entry in ENTRIES} == set(EntryType)
    assert {path.stem for path in golden.LEAVES.iterdir()} == {kind.value for kind in EntryType}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.type.value)
def test_a_golden_leaf_satisfies_the_schema_and_the_verifier(entry):
    text = kept(entry)["leaf"].encode()
    jsonschema.validate(json.loads(text), SCHEMA)
    assert verify_leaf.parse(text)["type"] == entry.type.value


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.type.value)
def test_each_digest_is_that_of_one_disclosure_as_rfc_9901_says(entry):
    record = kept(entry)
    digests = json.loads(record["leaf"])["_sd"]
    made = [
        urlsafe_b64decode(digest + "=") == sha256(text.encode("ascii")).digest()
        for digest, text in zip(
            sorted(digests),
            sorted(record["disclosures"], key=leaf.digest),
            strict=True,
        )
    ]
    assert all(made)
    for text in record["disclosures"]:
        salt, name, _ = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        assert len(urlsafe_b64decode(salt + "=")) == 32
        assert name in leaf.DISCLOSED | {"subject"}


def test_the_rfcs_own_example_gives_its_digest():
    # RFC 9901 §4.2.3: the digest of the disclosure for family_name.
    text = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert leaf.digest(text) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"


def test_writer_verifier_and_schema_know_the_same_types_and_members():
    from_schema = {
        each["properties"]["type"]["const"]: (
            set(each["required"]) - verify_leaf._ALWAYS,
            set(each["properties"]) - set(each["required"]),
        )
        for each in SCHEMA["oneOf"]
    }
    from_writer = {kind.value: (set(a), set(b)) for kind, (a, b) in leaf.HEADERS.items()}
    from_verifier = {
        kind: (set(a.split()), set(b.split())) for kind, (a, b) in verify_leaf._MEMBERS.items()
    }
    assert from_schema == from_writer == from_verifier


def test_a_leaf_holds_nothing_of_the_person_it_concerns():
    record = kept(stage.decision("ex_1", stage.person(1)))
    leaf_text = record["leaf"]
    for secret in ("RN-", stage.person(1).ref, "clerk-4471", "resident-number"):
        assert secret not in leaf_text


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"exchange": "ex_1", "consumer": "a", "subject": "RN-0000001"},
        {"exchange": "ex_1", "consumer": "a", "reason": "consent.absent"},
        {"exchange": "ex_1", "consumer": "two words"},
        {"exchange": "ex_1", "consumer": "José"},
        {"exchange": "ex_1", "consumer": ""},
        {"exchange": "ex_1", "consumer": "x" * 201},
        {"exchange": "ex_1", "consumer": None},
        {"exchange": "ex_1", "consumer": "a", "policy": "short"},
        {"exchange": "ex_1", "consumer": "a", "decision": "maybe"},
        {"exchange": "ex_1", "consumer": "a", "type": "log.opened"},
    ],
)
def test_a_header_that_adr_1_does_not_know_is_refused(header):
    with pytest.raises(leaf.BadEntry):
        leaf.draft(Entry(EntryType.EXCHANGE_REFUSAL, header), SystemChance())


@pytest.mark.parametrize(
    "entry",
    [
        replace(stage.refusal("ex_1"), disclosures={"subject": "RN-0000001"}),
        replace(stage.refusal("ex_1"), disclosures={"name": "Amina"}),
        replace(stage.refusal("ex_1"), disclosures={"input": "x" * leaf.MAX_DISCLOSED}),
        replace(stage.refusal("ex_1"), concerned=(stage.person(1), stage.person(1))),
        replace(stage.refusal("ex_1"), concerned=tuple(map(stage.person, range(1, 66)))),
    ],
    ids=["subject", "unknown name", "too much", "twice", "crowd"],
)
def test_disclosures_and_people_beyond_the_caps_are_refused(entry):
    with pytest.raises(leaf.BadEntry):
        leaf.draft(entry, SystemChance())


def test_a_leaf_over_eight_kibibytes_is_refused(monkeypatch):
    monkeypatch.setattr(leaf, "MAX_LEAF", 300)
    drafted = leaf.draft(stage.decision("ex_1"), SystemChance())
    with pytest.raises(leaf.BadEntry):
        leaf.leaf(drafted, "2026-11-22T04:30:00.123456Z", [])


def good() -> dict:
    return json.loads(kept(stage.decision("ex_1"))["leaf"])


def changed(**members: object) -> bytes:
    value = good() | members
    return canonical({name: item for name, item in value.items() if item is not ...})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"nan",
        b"\xff",
        canonical(good()) + b" ",
        canonical(good()).replace(b'"v":1', b'"v":1,"v":1'),
        canonical(good()).replace(b'"v":1', b'"v":1.0'),
        canonical(good()).replace(b"/", b"\\/"),
        b"[" * 5000,
        changed(v=2),
        changed(v=True),
        changed(type="exchange.unknown"),
        changed(type=None),
        changed(time="2026-11-22T04:30:00Z"),
        changed(consumer=7),
        changed(consumer="two words"),
        changed(consumer=...),
        changed(name="Amina"),
        changed(_sd=...),
        changed(_sd=[good()["_sd"][0]] * 2),
        changed(_sd=good()["_sd"][::-1]),
        changed(_sd=["short"]),
        changed(_sd="x"),
        changed(_sd_alg="sha-512"),
        changed(_sd=[f"{n:043d}" for n in range(200)]),
    ],
)
def test_the_verifier_refuses_a_leaf_that_is_not_exactly_so(text):
    with pytest.raises(Defect):
        verify_leaf.parse(text)
