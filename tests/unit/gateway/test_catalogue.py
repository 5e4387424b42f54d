"""The catalogue is read as strictly as code: each mistake is told by file, line and sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway.model import Basis
from gateway.policy.catalogue import Catalogue, CatalogueError, luhn
from gateway.policy.catalogue_yaml import BadYaml, read_yaml
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId
from tests.policies.repository import NOW, bundle, changed

FILES = bundle().files
ALLOWANCE = "catalogue/agreements/family-allowance.yaml"
TAX_LETTERS = "catalogue/agreements/tax-correspondence.yaml"
INCOME = "catalogue/services/tax-income.yaml"
TAX_ACT = "catalogue/authorities/tax-procedure-act.yaml"
AGENCIES = "catalogue/agencies.yaml"
SCHEME = "catalogue/scheme.yaml"


def findings(files: Mapping[str, str]) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load(files, NOW)
    assert str(caught.value) == "\n".join(map(str, caught.value.findings))
    return [str(finding) for finding in caught.value.findings]


def test_the_registered_catalogue_loads() -> None:
    registered = Catalogue.load(FILES, NOW)
    allowance = registered.agreements[AgreementId("family-allowance")]
    assert allowance.basis is Basis.CONSENT
    assert allowance.agency == AgencyId("family-benefits")
    assert allowance.services[ServiceId("tax/income")][Pointer("/income/total")] is True
    assert allowance.services[ServiceId("tax/income")][Pointer("/income/year")] is False
    assert registered.authority_of(allowance) is None
    letters = registered.agreements[AgreementId("tax-correspondence")]
    law = registered.authority_of(letters)
    assert law is not None
    assert law.bodies == {"tax"}
    assert len(registered.services) == 3


def test_services_tell_more_than_any_agreement_covers() -> None:
    registered = Catalogue.load(FILES)
    for service in registered.services.values():
        agreed = {
            pointer
            for agreement in registered.agreements.values()
            for pointer in agreement.services.get(service.id, {})
        }
        assert agreed < service.fields.keys()


def test_the_revision_of_an_agreement_is_the_digest_of_what_it_says_not_how() -> None:
    def revision(files: Mapping[str, str]) -> str:
        return Catalogue.load(files).agreements[AgreementId("family-allowance")].revision

    spaced = changed(FILES, ALLOWANCE, "basis: consent", "basis:   'consent' # as agreed")
    wider = changed(FILES, ALLOWANCE, "/income/total: optional", "/income/total: required")
    assert revision(FILES) == revision(spaced) != revision(wider)
    assert len(revision(FILES)) == 64


@pytest.mark.parametrize(
    ("path", "before", "after", "finding"),
    [
        (ALLOWANCE, "agency:", "agancy:", ":@: `agancy` is not a member"),
        (ALLOWANCE, "basis: consent\n", "", ":1: `basis` is missing"),
        (ALLOWANCE, "days: 365", "days: many", ":@: `max_valid_days` must be a whole number"),
        (ALLOWANCE, "days: 365", "days: 0", ":@: `max_valid_days` must be 1 or more"),
        (ALLOWANCE, "days: 365", "days: 1.5", ":@: `max_valid_days` must be a whole number"),
        (ALLOWANCE, "case_required: false", "case_required: no", "must be true or false"),
        (ALLOWANCE, "basis: consent", "basis: curiosity", ":@: `basis` must be 'consent' or"),
        (ALLOWANCE, "valid_from: 2026-01-01", "valid_from: 2026-02-30", "must be a day, as in"),
        (ALLOWANCE, "valid_from: 2026-01-01", "valid_from: 20260101", "must be text"),
        (ALLOWANCE, "valid_from: 2026-01-01", "valid_from: 2031-01-01", "after `valid_from`"),
        (ALLOWANCE, "valid_from: 2026-01-01", "valid_from: 2026-1-1", "must be a day"),
        (ALLOWANCE, "lawful_basis: eu-gdpr:A6-1-a", "lawful_basis: a b", "must be vocabulary:Term"),
        (ALLOWANCE, "  en: Family", "  de: Family", "`title` must have an `en` text"),
        (ALLOWANCE, "  en: Family", "  e_n: Family", "must be a language tag"),
        (ALLOWANCE, "/income/year: required", "/income/year: maybe", "must be 'required' or"),
        (ALLOWANCE, "/income/year:", "/income/yaer:", "`tax/income` has no field `/income/yaer`"),
        (ALLOWANCE, "/income/year:", "income:", "must be a path such as"),
        (ALLOWANCE, "tax/income:", "tax/incomes:", "there is no service `tax/incomes`"),
        (ALLOWANCE, "agency: family-benefits", "agency: families", "no agency `families`"),
        (ALLOWANCE, "agency: f", "agency: tax\nagency: f", "`agency` stands here twice"),
        (ALLOWANCE, "basis: consent", "basis: consent\nauthority: tax-procedure-act", "one basis"),
        (ALLOWANCE, "impact_assessment_until: 2031-01-01", "impact_assessment_until: 2026-11-22",
         ":@: the impact assessment expired on 2026-11-22"),
        (ALLOWANCE, "agreement: family-allowance", "agreement: tax-correspondence",
         f"`tax-correspondence` is already registered in {ALLOWANCE}:1"),
        (TAX_LETTERS, "authority: tax-procedure-act", "authority: other", "no authority `other`"),
        (TAX_LETTERS, "authority: tax-procedure-act\n", "", "there is no authority ``"),
        (TAX_LETTERS, "agency: tax", "agency: education", "does not name the body `education`"),
        (TAX_LETTERS, "purpose: dpv:LegalCompliance", "purpose: dpv:PublicBenefit",
         ":@: `tax-procedure-act` does not name the purpose `dpv:PublicBenefit`"),
        (TAX_LETTERS, "/address/street: required", "/nationality: required",
         "does not name the category `nationality` of `/nationality`"),
        (TAX_LETTERS, "valid_from: 2026-01-01", "valid_from: 2019-12-31",
         "`tax-procedure-act` is in force from 2020-01-01"),
        (TAX_LETTERS, "valid_until: 2031-01-01", "valid_until: 2036-01-02",
         "`tax-procedure-act` is in force until 2036-01-01"),
        (TAX_ACT, "bodies: [tax]", "bodies: [tax, post]", ":@: there is no agency `post`"),
        (TAX_ACT, "bodies: [tax]", "bodies: []", "`bodies` must not be empty"),
        (TAX_ACT, "[name, address]", "[name, adress]", "no service has a field of the category"),
        (TAX_ACT, "valid_until: 2036-01-01", "valid_until: 2020-01-01", "after `valid_from`"),
        (TAX_ACT, "article: § 14 (1)", "article: ' '", "must be a line of text"),
        (INCOME, "service: tax/income", "service: taxes/income", ":@: there is no agency `taxes`"),
        (INCOME, "service: tax/income", "service: tax", "must be provider/service"),
        (INCOME, "  /income/year:", "  /income:", "`/income` contains `/income/total`"),
        (INCOME, "category: bank", "category: Bank", "must be lower-case-words-with-hyphens"),
        (INCOME, "subject_at: /taxpayer", "subject_at: taxpayer", "must be a path such as"),
        (AGENCIES, "id: education", "id: tax", f"`tax` is already registered in {AGENCIES}:8"),
        (AGENCIES, "agencies:\n", "agencies: 1\nothers:\n", "`agencies` must be a list"),
        (SCHEME, "check: luhn", "check: none", "`check` must be 'luhn'"),
        (SCHEME, "digits: 7", "digits: 99", "`digits` must be 18 or less"),
        (SCHEME, "prefix: RN-", "prefix: rn", "must be capitals and a -"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_on_its_line(path: str, before: str, after: str, finding: str) -> None:
    line = FILES[path][: FILES[path].index(before)].count("\n") + 1
    finding = finding.replace("@", str(line))
    told = findings(changed(FILES, path, before, after))
    assert any(line.startswith("catalogue/") and finding in line for line in told), told


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "the file is empty"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: &x 1\n", 1, "anchors and aliases"),
        ("a: 1\nb: *x\n", 2, "anchors and aliases"),
        ("a: !!python/object:os.system 1\n", 1, "a tag"),
        ("%YAML 1.2\n---\na: 1\n", 1, "a directive"),
        ("a: 1\na: 2\n", 2, "`a` stands here twice"),
        ("a: {b: 1, b: 2}\n", 1, "`b` stands here twice"),
        ("? [a]\n: 1\n", 1, "must be plain text"),
        ("a: [1\n", 2, "this is not YAML"),
        ("a: b: c\n", 1, "this is not YAML"),
        ("\ta: 1\n", 1, "this is not YAML"),
        ("a: \x00\n", 1, "a character that YAML does not allow"),
        ("a: 99999999999999999999\n", 1, "too large"),
        ("a: 9007199254740992\n", 1, "too large"),
        ("a: " + "[" * 20 + "]" * 20 + "\n", 1, "nests deeper"),
        ("#" * (64 * 1024 + 1), 1, "larger than"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(text: str, line: int, sentence: str) -> None:
    with pytest.raises(BadYaml) as caught:
        read_yaml("a.yaml", text)
    assert sentence in caught.value.sentence
    assert caught.value.line == line


def test_only_true_false_null_and_decimals_are_no_text() -> None:
    text = "a: [no, on, 2031-01-01, 0x10, 010, 1_000, 1.5, .inf, ~, true, null, -7, '7', Yes]\n"
    assert read_yaml("a.yaml", text).value == {
        "a": ["no", "on", "2031-01-01", "0x10", "010", "1_000", "1.5", ".inf", "~", True, None, -7,
              "7", "Yes"]
    }  # fmt: skip


def test_deep_yaml_does_not_break_the_reader() -> None:
    with pytest.raises(BadYaml):
        read_yaml("a.yaml", "[" * 30_000)


def test_a_file_that_the_catalogue_does_not_have_is_told() -> None:
    assert "this file is none of them" in findings({**FILES, "catalogue/more.yaml": "a: 1"})[0]


def test_a_catalogue_without_a_scheme_is_told() -> None:
    files = {path: text for path, text in FILES.items() if path != SCHEME}
    assert findings(files) == ["catalogue/scheme.yaml:1: the file is missing"]


def test_several_mistakes_are_told_at_once_in_order() -> None:
    files = changed(FILES, ALLOWANCE, "max_valid_days: 365", "max_valid_days: x")
    files = changed(files, TAX_ACT, "article:", "artikel:")
    told = findings(files)
    paths = [line.partition(":")[0] for line in told]
    assert paths == sorted(paths)
    assert set(paths) == {ALLOWANCE, TAX_ACT}


def test_an_expired_impact_assessment_is_left_to_the_policies_where_no_day_is_given() -> None:
    expired = changed(
        FILES,
        ALLOWANCE,
        "impact_assessment_until: 2031-01-01",
        "impact_assessment_until: 2026-01-02",
    )
    assert Catalogue.load(expired).agreements


def test_the_read_block_is_checked_by_the_adapters_with_every_pointer_of_the_service() -> None:
    seen: dict[str, Sequence[str]] = {}

    def check(kind: str, read: Mapping[str, Any], pointers: Sequence[str]) -> None:
        seen[kind] = pointers
        if kind == "rest":
            raise ValueError("`path` is missing.")

    with pytest.raises(CatalogueError, match=r"tax-income\.yaml:\d+: `read`: `path` is missing"):
        Catalogue.load(FILES, NOW, check)
    assert seen.keys() == {"sql", "rest", "files"}
    assert seen["rest"][-1] == "/taxpayer"


@pytest.mark.parametrize(
    ("digits", "sound"),
    [
        ("0000000", True),
        ("0000018", True),
        ("0000019", False),
        ("1234566", True),
        ("1234567", False),
    ],
)
def test_the_check_digit_is_luhns(digits: str, sound: bool) -> None:
    assert luhn(digits) is sound


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("passport", "RN-0000018"), ("", ""), ("resident-number", "RN-0000019"),
        ("resident-number", "RN-000018"), ("resident-number", "RN-00000018"),
        ("resident-number", "rn-0000018"), ("resident-number", "RN-0000018\n"),
        ("resident-number", " RN-0000018"), ("resident-number", "RN-٠٠٠٠٠١٨"),
        ("resident-number", "RN-000001²"), ("Resident-Number", "RN-0000018"),
    ],
)  # fmt: skip
def test_an_identifier_that_is_not_the_schemes_is_refused_and_never_repeated(
    scheme: str, value: str
) -> None:
    with pytest.raises(Refusal) as caught:
        Catalogue.load(FILES).parse_subject(scheme, value)
    assert caught.value.reason is Reason.SUBJECT_MALFORMED
    assert not value or value not in caught.value.detail


def test_an_identifier_of_the_scheme_names_a_person() -> None:
    subject = Catalogue.load(FILES).parse_subject("resident-number", "RN-0000018")
    assert (subject.scheme, subject.value) == ("resident-number", "RN-0000018")
