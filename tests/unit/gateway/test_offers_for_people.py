"""What the catalogue says to people: in their language, with a notice of exactly that."""

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest

from adapters.registry import check
from consent.offer import Directory, Halt, Level, Pause, Words
from gateway.demo.country import ROOT
from gateway.model import Basis
from gateway.people.offers import Offers
from gateway.policy.bundle import Bundle
from gateway.policy.catalogue import Catalogue
from gateway.stops import NONE, Stops
from kernel.clock import SECOND, Micros
from kernel.errors import Outdated
from kernel.names import AgencyId, AgreementId, Pointer, Revision, ServiceId

ALLOWANCE = AgreementId("family-allowance")
BENEFITS = AgencyId("family-benefits")
RESIDENTS = ServiceId("population/residents")
FIRST = Revision("0" * 64)
YEAR_2027, YEAR_2040 = (Micros(seconds * SECOND) for seconds in (1_800_000_000, 2_210_000_000))


@dataclass
class InForce:
    """One revision of the demo's policies."""

    catalogue: Catalogue
    revision: Revision = FIRST
    stops: Stops = NONE

    @property
    def agreements(self):
        return self.catalogue.agreements

    @property
    def agencies(self):
        return self.catalogue.agencies

    @property
    def services(self):
        return self.catalogue.services


@dataclass
class Control:
    """Says what is in force; sometimes the epoch moves meanwhile."""

    held: InForce
    moves: int = 0

    def now(self) -> InForce:
        if self.moves:
            self.moves -= 1
            raise Outdated
        return self.held


@dataclass
class Clock:
    at: Micros = field(default=YEAR_2027)

    def now(self) -> Micros:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    bundle = Bundle.from_directory(ROOT / "policies")
    return Catalogue.load(bundle.files, check_read=check)


@pytest.fixture
def control(catalogue: Catalogue) -> Control:
    return Control(InForce(catalogue))


@pytest.fixture
def offers(control: Control) -> Directory:
    return Offers(control, Clock())


def test_an_offer_speaks_the_readers_language(offers: Directory):
    told = offers.offer(ALLOWANCE, "fr")
    assert told.agency_name == Words("Allocations familiales", "fr")
    assert told.title.language == told.purpose.language == told.instead.language == "fr"
    assert told.level is Level.SUBSTANTIAL
    assert told.by_consent
    assert told.in_force


def test_a_language_that_the_catalogue_lacks_is_english_and_says_so(offers: Directory):
    told = offers.offer(ALLOWANCE, "de")
    assert told.agency_name == Words("Family Benefits", "en")
    assert told.notice.language == "de"


def test_a_fact_tells_whose_it_is_and_what_travels(offers: Directory):
    facts = {one.grant: one for one in offers.offer(ALLOWANCE, "en").facts}
    child = facts[RESIDENTS, Pointer("/children/*/resident_number")]
    assert (child.about, child.answer, child.optional) == ("child", "exists", False)
    assert child.question == Words("Is your child registered?", "en")
    name = facts[RESIDENTS, Pointer("/name/family")]
    assert (name.about, name.answer, name.question) == ("subject", None, None)
    assert name.provider_name.text == "Population Register"


def test_the_notice_is_the_digest_of_all_that_is_said(offers: Directory):
    told = offers.offer(ALLOWANCE, "en")
    assert told.notice.digest == sha256(told.notice.content.encode()).hexdigest()
    said = json.loads(told.notice.content)
    assert said["agreement_revision"] == told.terms.revision
    assert said["if_refused"] == told.if_refused.text
    assert [one["question"] for one in said["facts"]] == [
        one.question.text if one.question else None for one in told.facts
    ]
    others = {offers.offer(ALLOWANCE, one).notice.digest for one in ("fr", "ar", "de")}
    assert len(others | {told.notice.digest}) == 4


def test_the_notice_changes_with_every_word(control: Control, offers: Directory):
    before = offers.offer(ALLOWANCE, "en").notice.digest
    changed = Bundle.from_directory(ROOT / "policies").files
    title = "Is your child registered?"
    files = {name: text.replace(title, f"{title} ") for name, text in changed.items()}
    control.held = InForce(Catalogue.load(files, check_read=check), FIRST)
    assert offers.offer(ALLOWANCE, "en").notice.digest == before, "one revision says one thing"
    files = {name: text.replace(title, f"Really? {title}") for name, text in changed.items()}
    control.held = InForce(Catalogue.load(files, check_read=check), Revision("1" * 64))
    assert offers.offer(ALLOWANCE, "en").notice.digest != before


def test_an_agreement_is_in_force_in_its_time_alone(control: Control):
    assert Offers(control, Clock(YEAR_2027)).offer(ALLOWANCE, "en").in_force
    assert not Offers(control, Clock(YEAR_2040)).offer(ALLOWANCE, "en").in_force
    assert not Offers(control, Clock(Micros(0))).offer(ALLOWANCE, "en").in_force


def test_an_offer_by_law_names_the_law(offers: Directory, catalogue: Catalogue):
    by_law = [one for one in offers.offers("en") if not one.by_consent]
    assert len(by_law) == sum(one.basis is Basis.STATUTORY for one in catalogue.agreements.values())
    assert all(one.law is not None and one.law.article for one in by_law)
    assert all(one.law is None for one in offers.offers("en") if one.by_consent)


def test_what_the_catalogue_does_not_have_keeps_its_identifier(offers: Directory):
    assert offers.offer(AgreementId("gone"), "en") is None
    assert offers.agency_name(AgencyId("gone"), "ar") == Words("gone", "en")
    assert offers.service_title(ServiceId("gone/one"), "ar") == Words("gone/one", "en")
    assert offers.fact_title(RESIDENTS, Pointer("/gone"), "ar") == Words("/gone", "en")
    assert offers.about(ServiceId("gone/one"), Pointer("/gone")) == "subject"
    assert offers.provider(ServiceId("gone/one")) == "gone"
    assert offers.provider(RESIDENTS) == "population"


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("https://family-benefits.example/applications", True),
        ("https://family-benefits.example/applications/", False),
        ("https://family-benefits.example/applications?x=1", False),
        ("HTTPS://family-benefits.example/applications", False),
        ("https://family-benefits.example.evil/applications", False),
        ("", False),
    ],
)
def test_a_way_back_is_registered_letter_by_letter(offers: Directory, address: str, known: bool):
    assert offers.returns_to(BENEFITS, address) is known
    assert offers.returns_to(AgencyId("tax"), address) is False


def test_a_move_of_the_epoch_is_looked_past_once(control: Control, offers: Directory):
    control.moves = 1
    assert offers.offer(ALLOWANCE, "en") is not None
    control.moves = 2
    with pytest.raises(Outdated):
        offers.offer(ALLOWANCE, "en")


def test_an_offer_is_made_once_for_a_revision_and_a_language(offers: Directory):
    assert offers.offer(ALLOWANCE, "en") is offers.offer(ALLOWANCE, "en")


def halted(*what: tuple[str, str]) -> Stops:
    rows = [(*one, 7_000_000 + place, "Wrong names came.", place) for place, one in enumerate(what)]
    return Stops.of(rows)


def test_a_stop_rests_an_agreement_or_one_office_of_it(control: Control, offers: Directory):
    before = offers.offer(ALLOWANCE, "en")
    assert (before.pauses, before.paused, offers.halts()) == ((), False, ())
    for name in (("agreement", ALLOWANCE), ("agency", BENEFITS)):
        control.held = replace(control.held, stops=halted(name, ("source", "tax")))
        told = offers.offer(ALLOWANCE, "en")
        assert told.pauses == (Pause(Micros(7_000_000), None),)
        assert told.paused
        assert told.in_force, "nobody's consent is lost"
        assert told.notice == before.notice
    control.held = replace(control.held, stops=halted(("source", "tax"), ("agreement", "other")))
    told = offers.offer(ALLOWANCE, "fr")
    assert told.pauses == (Pause(Micros(7_000_000), offers.agency_name(AgencyId("tax"), "fr")),)
    assert not told.paused
    control.held = replace(control.held, stops=NONE)
    assert offers.offer(ALLOWANCE, "en") == before


def test_officers_are_told_what_is_stopped_the_newest_first(control: Control, offers: Directory):
    control.held = replace(control.held, stops=halted(("source", "tax"), ("agency", "education")))
    assert offers.halts() == (
        Halt("agency", "education", Micros(7_000_001), "Wrong names came."),
        Halt("source", "tax", Micros(7_000_000), "Wrong names came."),
    )
