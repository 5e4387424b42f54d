"""The catalogue is read as strictly as code: each mistake is told by file, line and sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from adapters.registry import check as check_read
from gateway.model import Agreed, Basis, Transform, TransformKind
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


def faults(files: Mapping[str, str]) -> list[str]:
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load(files, NOW)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return [str(fault) for fault in caught.value.faults]


def test_the_registered_catalogue_loads() -> None:
    registered = Catalogue.load(FILES, NOW)
    allowance = registered.agreements[AgreementId("family-allowance")]
    assert allowance.basis is Basis.CONSENT
    assert allowance.agency == AgencyId("family-benefits")
    assert allowance.services[ServiceId("tax/income")][Pointer("/income/year")] == Agreed(False)
    total = allowance.services[ServiceId("tax/income")][Pointer("/income/total")]
    assert total.optional
    assert total.transform == Transform(TransformKind.YES_NO, {"below": 60000})
    assert total.question is not None
    assert total.question["en"] == "Is your income under the limit? (not the amount)"
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
    wider = changed(FILES, ALLOWANCE, "/address/postcode: optional", "/address/postcode: required")
    assert revision(FILES) == revision(spaced) != revision(wider)
    assert len(revision(FILES)) == 64


@pytest.mark.parametrize(
    ("path", "before", "after", "fault"),
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
        (ALLOWANCE, "retention_days: 730", "retention_days: 0", "must be 1 or more"),
        (ALLOWANCE, "evidence_level: substantial", "evidence_level: some", ":@: `evidence_level`"),
        (ALLOWANCE, "instead:", "in_stead:", "`instead` is missing"),
        (ALLOWANCE, "if_refused:\n  en: >-", "if_refused:\n  de: >-", "must have an `en` text"),
        (ALLOWANCE, "  open_days: 14", "  open_days: 91", ":@: `asking.open_days` must be 90 or"),
        (ALLOWANCE, "  per_day: 1000", "  per_day: -1", ":@: `asking.per_day` must be 0 or more"),
        (ALLOWANCE, "  per_day: 1000", "  per_days: 1000", "`asking.per_day` is missing"),
        (TAX_LETTERS, "evidence_level: low",
         "evidence_level: low\nasking: {open_days: 1, again_after_days: 1, per_day: 1}",
         "an agreement that rests on law asks nobody"),
        (AGENCIES, "http://127.0.0.1/", "http://elsewhere.example/", ":@: `agencies.3.return_urls"),
        (AGENCIES, "https://family-benefits.example/applications",
         "https://family-benefits.example/?to=x", "must be an https address"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_on_its_line(path: str, before: str, after: str, fault: str) -> None:
    line = FILES[path][: FILES[path].index(before)].count("\n") + 1
    fault = fault.replace("@", str(line))
    told = faults(changed(FILES, path, before, after))
    assert any(line.startswith("catalogue/") and fault in line for line in told), told


ASKING = "asking:\n  open_days: 14\n  again_after_days: 30\n  per_day: 1000\n"


def test_an_agreement_that_rests_on_consent_says_how_often_people_may_be_asked() -> None:
    told = faults(changed(FILES, ALLOWANCE, ASKING, ""))
    assert told == [f"{ALLOWANCE}:1: `asking` is missing: how often may people be asked?"]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("as: guess", "`services.tax/income./income/total.as` must be 'yes_no', 'at_least_age',"),
        ("as: yes_no", "needs exactly one of `at_most`, `at_least`, `below`, `above`, `one_of`"),
        ("as: yes_no, below: 7, above: 3", "needs exactly one of `at_most`"),
        ("as: yes_no, below: 7, one_of: [a]", "needs exactly one of `at_most`"),
        ("as: yes_no, below: many", "below` must be a whole number"),
        ("as: yes_no, below: 1.5", "below` must be a whole number"),
        ("as: yes_no, below: true", "below` must be a whole number"),
        ("as: yes_no, one_of: []", "must list up to 100 texts or whole numbers, each once"),
        ("as: yes_no, one_of: [a, 1]", "must list up to 100 texts or whole numbers, each once"),
        ("as: yes_no, one_of: [a, a]", "must list up to 100 texts or whole numbers, each once"),
        ("as: yes_no, one_of: [true]", "must list up to 100 texts or whole numbers, each once"),
        ("as: yes_no, one_of: [[a]]", "must list up to 100 texts or whole numbers, each once"),
        ("as: yes_no, one_of: a", "must list up to 100 texts or whole numbers, each once"),
        ("as: at_least_age", "needs exactly one of `years` for `at_least_age`"),
        ("as: at_least_age, years: 0", "years` must be 1 or more"),
        ("as: at_least_age, edges: [1]", "has `edges`, which is no parameter of `at_least_age`"),
        ("as: band", "needs exactly one of `edges` for `band`"),
        ("as: band, edges: []", "edges` must not be empty"),
        ("as: band, edges: [2, 1]", "must ascend: each number larger than the one before"),
        ("as: band, edges: [1, 1]", "must ascend"),
        ("as: band, edges: [1, a]", "must be a whole number"),
        ("as: year, keep: 4", "has `keep`, which is no parameter of `year`"),
        ("as: mask", "needs exactly one of `keep` for `mask`"),
        ("as: mask, keep: 5", "keep` must be 4 or less"),
        ("as: mask, keep: 0", "keep` must be 1 or more"),
        ("as: exists, below: 1", "has `below`, which is no parameter of `exists`"),
        ("below: 7", "needs `as`: parameters and a question belong to a transform"),
        ("kind: year", "`services.tax/income./income/total.kind` is not a member"),
        ("as: year, question: {fr: Lequel}", "question` must have an `en` text"),
        ("as: year, question: Which", "question` must have members of its own"),
    ],
)
def test_a_mistake_in_a_question_is_told_on_its_line(written: str, fault: str) -> None:
    question = "" if "question" in written else ", question: {en: Which}"
    text = f"/income/total: {{need: optional, {written}{question}}}\n"
    told = faults(allowance_with(text))
    line = FILES[ALLOWANCE][: FILES[ALLOWANCE].index("/income/total:")].count("\n") + 1
    assert any(one.startswith(f"{ALLOWANCE}:{line}: ") and fault in one for one in told), told


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("{as: year, question: {en: Which}}", "need` is missing"),
        ("{need: optional, as: year}", "needs a `question`: what the answer says, in plain words"),
        ("{need: optional, question: {en: Which}}", "needs `as`"),
        ("[optional]", "must have members of its own"),
        ("null", "must have members of its own"),
    ],
)
def test_a_question_needs_its_members(written: str, fault: str) -> None:
    told = faults(allowance_with(f"/income/total: {written}\n"))
    assert any(fault in one for one in told), told


def allowance_with(text: str) -> dict[str, str]:
    """Return the files with another word about the income in the family allowance."""
    written = FILES[ALLOWANCE]
    start = written.index("/income/total:")
    return {**FILES, ALLOWANCE: written[:start] + text + written[written.index("  education/") :]}


@pytest.mark.parametrize(
    ("written", "kind", "parameters"),
    [
        ("as: yes_no, at_least: -3", TransformKind.YES_NO, {"at_least": -3}),
        ("as: yes_no, one_of: [a, b]", TransformKind.YES_NO, {"one_of": ["a", "b"]}),
        ("as: yes_no, one_of: [1, 2]", TransformKind.YES_NO, {"one_of": [1, 2]}),
        ("as: at_least_age, years: 18", TransformKind.AT_LEAST_AGE, {"years": 18}),
        ("as: band, edges: [-1, 0, 9]", TransformKind.BAND, {"edges": [-1, 0, 9]}),
        ("as: mask, keep: 4", TransformKind.MASK, {"keep": 4}),
        ("as: year", TransformKind.YEAR, {}),
        ("as: exists", TransformKind.EXISTS, {}),
    ],
)
def test_every_kind_of_question_is_registered_with_its_parameters(
    written: str, kind: TransformKind, parameters: dict[str, object]
) -> None:
    text = f"/income/total: {{need: required, {written}, question: {{en: Which}}}}\n"
    registered = Catalogue.load(allowance_with(text)).agreements[AgreementId("family-allowance")]
    agreed = registered.services[ServiceId("tax/income")][Pointer("/income/total")]
    assert agreed == Agreed(False, Transform(kind, parameters), {"en": "Which"})


RESIDENTS = "catalogue/services/population-residents.yaml"
SCHOOLS = "catalogue/services/education-enrolment.yaml"
CONCERNS = "concerns:\n  child: /children/*/resident_number\n"


@pytest.mark.parametrize(
    ("path", "before", "after", "fault"),
    [
        (RESIDENTS, CONCERNS, "", "`/children/*/birth_date` is about `child`: say in `concerns`"),
        (RESIDENTS, CONCERNS, CONCERNS + "  partner: /partner/number\n",
         "no field is about `partner`"),
        (RESIDENTS, CONCERNS, CONCERNS + "unnamed: {child: It cannot.}\n",
         "`child` stands in `concerns`: the source names them"),
        (RESIDENTS, CONCERNS, CONCERNS + "unnamed: {other: It cannot.}\n",
         "no field is about `other`"),
        (RESIDENTS, CONCERNS, CONCERNS.replace("/children/*/res", "/wards/*/res"),
         "`/children/*/birth_date` is not in the list `/wards/*` whose people"),
        (RESIDENTS, CONCERNS, "concerns:\n  child: children\n", "must be a path such as"),
        (RESIDENTS, CONCERNS, "concerns:\n  subject: /resident_number\n", "must be 'child', "),
        (RESIDENTS, "about: child", "about: nobody", "must be 'subject', 'child', 'partner' or"),
        (SCHOOLS, "unnamed:\n  child: The", "others:\n  child: The", "`others` is not a member"),
        (SCHOOLS, "child: The school", "child: ' '\nx: The school", "must be a line of text"),
    ],
)  # fmt: skip
def test_facts_about_others_say_whose_they_are(
    path: str, before: str, after: str, fault: str
) -> None:
    told = faults(changed(FILES, path, before, after))
    assert any(one.startswith(f"{path}:") and fault in one for one in told), told


def test_where_others_are_named_is_read_by_the_adapter_too() -> None:
    files = changed(FILES, RESIDENTS, "        /resident_number: resident_number\n", "")
    with pytest.raises(CatalogueError, match="does not say where the source holds /children"):
        Catalogue.load(files, NOW, check_read)


def test_a_service_registers_whose_facts_it_tells_and_where_they_are_named() -> None:
    residents = Catalogue.load(FILES).services[ServiceId("population/residents")]
    assert residents.fields[Pointer("/name/family")].about == "subject"
    assert residents.fields[Pointer("/children/*/birth_date")].about == "child"
    assert residents.concerns == {"child": "/children/*/resident_number"}


def test_an_agency_registers_where_people_are_sent_back_to_letter_by_letter() -> None:
    registered = Catalogue.load(FILES).agencies
    assert registered[AgencyId("tax")].return_urls == frozenset()
    assert "https://family-benefits.example/applications" in (
        registered[AgencyId("family-benefits")].return_urls
    )


def test_an_agreement_on_law_asks_nobody() -> None:
    letters = Catalogue.load(FILES).agreements[AgreementId("tax-correspondence")]
    assert letters.asked_per_day == 0


def texts(value: object, place: str = "") -> list[tuple[str, dict[str, str]]]:
    """Return every text of a document, with the place where it stands."""
    if isinstance(value, list):
        return [text for n, one in enumerate(value) for text in texts(one, f"{place}/{n}")]
    if not isinstance(value, dict):
        return []
    if "en" in value:
        return [(place, value)]
    return [text for name, one in value.items() for text in texts(one, f"{place}.{name}")]


@pytest.mark.parametrize("path", sorted(path for path in FILES if path.startswith("catalogue/")))
def test_every_text_is_there_in_english_french_and_arabic(path: str) -> None:
    found = texts(read_yaml(path, FILES[path]).value)
    assert found
    for place, text in found:
        assert set(text) == {"en", "fr", "ar"}, place
        assert len(set(text.values())) == 3, place
        assert any("\u0600" <= letter <= "\u06ff" for letter in text["ar"]), place


def test_each_service_of_the_allowance_has_a_plain_fact_an_optional_one_and_a_question() -> None:
    allowance = Catalogue.load(FILES).agreements[AgreementId("family-allowance")]
    for fields in allowance.services.values():
        assert any(agreed.transform is None for agreed in fields.values())
        assert any(agreed.optional for agreed in fields.values())
        assert any(agreed.transform is not None for agreed in fields.values())


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
    assert "this file is none of them" in faults({**FILES, "catalogue/more.yaml": "a: 1"})[0]


def test_a_catalogue_without_a_scheme_is_told() -> None:
    files = {path: text for path, text in FILES.items() if path != SCHEME}
    assert faults(files) == ["catalogue/scheme.yaml:1: the file is missing"]


def test_several_mistakes_are_told_at_once_in_order() -> None:
    files = changed(FILES, ALLOWANCE, "max_valid_days: 365", "max_valid_days: x")
    files = changed(files, TAX_ACT, "article:", "artikel:")
    told = faults(files)
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
