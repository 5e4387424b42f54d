"""The policy repository holds what its README promises, on every engine that is there."""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from adapters.registry import check as check_read
from gateway.model import Ask
from gateway.policy.cases import Found
from gateway.policy.check import PolicyCheck, cases_of
from gateway.policy.decision import canonical_decision
from gateway.policy.opa_command import OpaCommand, OpaFailed, find_opa
from gateway.policy.pdp import PERMITTING, PRECEDENCE, Facts, question
from kernel.clock import SystemClock
from kernel.names import Subject
from tests.policies.repository import NOW, POLICIES, catalogue, opa_command


def schema(name: str) -> Draft202012Validator:
    written = json.loads((POLICIES / "schemas" / name).read_text())
    Draft202012Validator.check_schema(written)
    return Draft202012Validator(written)


@pytest.fixture
def checker() -> PolicyCheck:
    return PolicyCheck(SystemClock(), check_read, opa_command())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def write(directory: Path, path: str, before: str, after: str) -> None:
    text = (directory / path).read_text()
    assert before in text
    (directory / path).write_text(text.replace(before, after, 1))


def test_nothing_is_wrong_with_the_repository(checker: PolicyCheck) -> None:
    assert checker.check(POLICIES) == []


def test_every_case_and_every_rego_test_passes_on_both_engines(checker: PolicyCheck) -> None:
    tested = checker.test(POLICIES)
    assert tested.faults == ()
    assert tested.engines == ("embedded", "opa")
    assert tested.cases >= 25


def test_without_opa_the_embedded_engine_is_still_tested() -> None:
    tested = PolicyCheck(SystemClock(), None, None).test(POLICIES)
    assert (tested.engines, tested.faults) == (("embedded",), ())


def test_every_reason_and_both_bases_have_a_case() -> None:
    cases = cases_of(POLICIES, catalogue())
    told = {reason for case in cases for reason in case.expected.reasons}
    allowed = {
        json.loads(case.input)["agreement"]["basis"] for case in cases if case.expected.allow
    }
    assert told == {reason.value for reason in PRECEDENCE}
    assert allowed == {"consent", "statutory"}


def test_the_decision_schema_names_every_reason_that_the_gateway_understands() -> None:
    reasons = schema("decision.json").schema["properties"]["reasons"]["items"]["enum"]
    assert set(reasons) == {reason.value for reason in PRECEDENCE}


def test_the_input_schema_has_every_state_that_permits() -> None:
    states = schema("input.json").schema["properties"]["consent"]["properties"]["state"]["enum"]
    assert set(states) >= PERMITTING


def test_what_the_gateway_asks_is_what_the_input_schema_says() -> None:
    registered = catalogue()
    for agreement in registered.agreements.values():
        for service in registered.services.values():
            facts = Facts(
                requester=agreement.agency,
                agreement=agreement,
                service=service,
                ask=Ask(
                    agreement.id,
                    service.id,
                    Subject("resident-number", "RN-0000018"),
                    tuple(service.fields),
                    "FA-2026-00042",
                    "clerk-4471",
                ),
                finding=Found("given", None, frozenset((service.id, p) for p in service.fields)),
                blocks=frozenset({"locked"}),
                authority=registered.authority_of(agreement),
                at=NOW,
            )
            asked = question(facts).input
            schema("input.json").validate(json.loads(asked))
            for secret in (b"RN-", b"FA-2026", b"clerk-4471", b"resident-number"):
                assert secret not in asked, "the input names nobody"


def test_every_expected_decision_is_what_the_decision_schema_says() -> None:
    for case in cases_of(POLICIES, catalogue()):
        schema("decision.json").validate(json.loads(canonical_decision(case.expected)))


@pytest.mark.parametrize("path", sorted((POLICIES / "exchange").rglob("*.rego")), ids=str)
def test_every_rule_file_explains_itself_and_is_tested(path: Path) -> None:
    if path.name.endswith("_test.rego"):
        assert "\ntest_" in path.read_text()
        return
    assert path.read_text().startswith("# METADATA\n# title: ")
    assert path.read_text().count("# description:") >= 1
    assert path.with_name(f"{path.stem}_test.rego").is_file()


@pytest.mark.parametrize(
    ("path", "before", "after", "fault"),
    [
        (
            "exchange/blocks/blocks.rego", "input.blocks", "input.blokcs",
            "exchange/blocks/blocks.rego:13: undefined ref: input.blokcs",
        ),
        (
            "exchange/blocks/blocks.rego", "unblocked if count", "unblocked   if count",
            "exchange/blocks/blocks.rego:1: is not as `opa fmt --write` writes it",
        ),
        (
            "exchange/consent/consent.rego", "not stands", "not stends",
            "exchange/consent/consent.rego:24: `stends` is nothing here",
        ),
        (
            "catalogue/agreements/family-allowance.yaml", "agency: family-benefits",
            "agency: family-benefit",
            "catalogue/agreements/family-allowance.yaml:2: there is no agency `family-benefit`",
        ),
        (
            "catalogue/agreements/family-allowance.yaml", "impact_assessment_until: 2031-01-01",
            "impact_assessment_until: 2026-01-02",
            "the impact assessment expired on 2026-01-02",
        ),
        (
            "catalogue/services/tax-income.yaml", "path: /v1", "pth: /v1",
            "catalogue/services/tax-income.yaml:",
        ),
        (".manifest", "exchange", "everything", ".manifest must say"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_on_its_line(
    checker: PolicyCheck, copy: Path, path: str, before: str, after: str, fault: str
) -> None:
    write(copy, path, before, after)
    assert any(fault in str(found) for found in checker.check(copy)), checker.check(copy)


def test_a_rule_that_is_weakened_fails_its_tests_and_its_cases(
    checker: PolicyCheck, copy: Path
) -> None:
    write(copy, "exchange/consent/consent.rego", '{"given", ', '{"given", "withdrawn", ')
    found = [str(fault) for fault in checker.test(copy).faults]
    assert any("consent_test.rego" in line and "every_other_state" in line for line in found)
    assert any("embedded: The person stopped it: expected" in line for line in found)
    assert any("opa: The person stopped it: expected" in line for line in found)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            "state: given, fields: all",
            "state: given, feilds: all",
            "`cases.0.consent.feilds` is not",
        ),
        ("agreement: family-allowance", "agreement: allowance", "has no `allowance`"),
        ("cases:", "cases: []\nothers:", "must not be empty"),
        (", answers: [/income/total]}", "}", "`answers` must name each fact in `travel` that is"),
        (
            "travel: [/address/postcode, /name/family]",
            "travel: [/address/postcode, /name/family], answers: [/name/family]",
            "that is agreed as an answer, no other",
        ),
        ("cases:", "cases: &a", "anchors"),
    ],
)
def test_a_case_with_a_mistake_is_found_on_its_line(
    checker: PolicyCheck, copy: Path, before: str, after: str, fault: str
) -> None:
    write(copy, "cases/consent.yaml", before, after)
    with pytest.raises(ValueError, match=r"cases/consent\.yaml:\d+: ") as caught:
        checker.test(copy)
    assert fault in str(caught.value)


def test_rules_without_a_case_are_not_accepted(checker: PolicyCheck, copy: Path) -> None:
    shutil.rmtree(copy / "cases")
    with pytest.raises(ValueError, match="there is no case"):
        checker.test(copy)


def test_a_directory_that_is_not_there_is_one_finding(checker: PolicyCheck, tmp_path: Path) -> None:
    assert ["is not a directory" in str(found) for found in checker.check(tmp_path / "no")] == [
        True
    ]


def test_opa_is_found_where_it_is_named_then_installed_then_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_opa("", tmp_path) is None
    on_path = tmp_path / "opa"
    on_path.write_text("#!/bin/sh\n")
    on_path.chmod(0o755)
    assert find_opa("", tmp_path) == on_path
    installed = tmp_path / "causeway/bin/opa"
    installed.parent.mkdir(parents=True)
    installed.write_text("")
    assert find_opa("", tmp_path) == installed
    assert find_opa("/opt/opa", tmp_path) == Path("/opt/opa")


@pytest.mark.parametrize("script", ["exit 1", "echo no", "exit 0"])
def test_an_opa_that_does_not_work_is_a_plain_error(tmp_path: Path, script: str) -> None:
    broken = tmp_path / "opa"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    with pytest.raises(OpaFailed):
        OpaCommand(broken).test(POLICIES)
    with pytest.raises(OpaFailed, match="cannot be run"):
        OpaCommand(tmp_path / "missing").check(POLICIES)
