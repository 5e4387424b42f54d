"""Resolve: the agency's own agreement, in force, and the first thing that is wrong."""

from dataclasses import dataclass, field, replace

import pytest

from gateway.resolve import agreement_for, running, service_for
from gateway.stops import NONE, Stops
from kernel.errors import Reason, Refusal
from tests.unit.gateway import parts


@dataclass
class Registered:
    """A catalogue of one agreement and one service."""

    agreements: dict = field(default_factory=lambda: {parts.AGREEMENT.id: parts.AGREEMENT})
    services: dict = field(default_factory=lambda: {parts.SERVICE.id: parts.SERVICE})
    stops: Stops = NONE


def registered(**changes):
    return Registered({parts.AGREEMENT.id: replace(parts.AGREEMENT, **changes)})


def why_no_agreement(catalogue, ask=parts.ASK, agency="family-benefits", at=parts.NOW):
    with pytest.raises(Refusal) as refusal:
        agreement_for(catalogue, agency, ask, at)
    return refusal.value.reason


def why_no_service(*fields, service=parts.SERVICE.id, catalogue=None):
    ask = replace(parts.ASK, service=service, fields=fields or parts.ASK.fields)
    with pytest.raises(Refusal) as refusal:
        service_for(catalogue or Registered(), parts.AGREEMENT, ask)
    return refusal.value.reason, refusal.value.detail


def test_the_agencys_own_agreement_in_force_is_found():
    found = agreement_for(Registered(), "family-benefits", parts.ASK, parts.NOW)
    assert found is parts.AGREEMENT


def test_an_agreement_of_another_agency_looks_as_if_it_did_not_exist():
    unknown = replace(parts.ASK, agreement="no-such")
    assert why_no_agreement(Registered(), unknown) is Reason.AGREEMENT_UNKNOWN
    assert why_no_agreement(Registered(), agency="tax") is Reason.AGREEMENT_UNKNOWN


@pytest.mark.parametrize(
    ("name", "moves", "in_force"),
    [
        ("valid_from", 0, True),
        ("valid_from", 1, False),
        ("valid_until", 1, True),
        ("valid_until", 0, False),
        ("impact_assessment_until", 1, True),
        ("impact_assessment_until", 0, False),
    ],
)
def test_an_agreement_is_in_force_in_a_half_open_interval(name, moves, in_force):
    catalogue = registered(**{name: parts.NOW + moves})
    if in_force:
        assert agreement_for(catalogue, "family-benefits", parts.ASK, parts.NOW)
    else:
        assert why_no_agreement(catalogue) is Reason.AGREEMENT_NOT_IN_FORCE


def test_case_and_user_are_wanted_where_the_agreement_says_so():
    nothing = replace(parts.ASK, case=None, user=None)
    both = registered(case_required=True, user_required=True)
    assert why_no_agreement(both, nothing) is Reason.CASE_REQUIRED
    assert why_no_agreement(both, replace(nothing, case="FA-7")) is Reason.USER_REQUIRED
    assert agreement_for(both, "family-benefits", parts.ASK, parts.NOW)
    assert agreement_for(Registered(), "family-benefits", nothing, parts.NOW)


def test_not_in_force_comes_before_what_the_request_lacks():
    ended = registered(valid_until=parts.NOW, case_required=True)
    nothing = replace(parts.ASK, case=None)
    assert why_no_agreement(ended, nothing) is Reason.AGREEMENT_NOT_IN_FORCE


def stopped(*what):
    return Registered(stops=Stops.of([(*one, parts.NOW, "Wrong names came.", 7) for one in what]))


@pytest.mark.parametrize("what", [("agreement", "family-allowance"), ("agency", "family-benefits")])
def test_a_stopped_agreement_is_not_in_force_and_a_stranger_learns_nothing_of_it(what):
    assert why_no_agreement(stopped(what)) is Reason.AGREEMENT_NOT_IN_FORCE
    assert why_no_agreement(stopped(what), agency="tax") is Reason.AGREEMENT_UNKNOWN


def test_what_is_stopped_elsewhere_stops_nothing_here():
    others = stopped(("agreement", "letters"), ("agency", "population"), ("source", "tax"))
    assert agreement_for(others, "family-benefits", parts.ASK, parts.NOW) is parts.AGREEMENT
    running(others, parts.SERVICE)


def test_a_service_whose_source_is_stopped_is_not_available():
    with pytest.raises(Refusal) as refusal:
        running(stopped(("source", "population")), parts.SERVICE)
    assert refusal.value.reason is Reason.SOURCE_UNAVAILABLE


def test_the_agreed_service_with_its_agreed_fields_is_found():
    assert service_for(Registered(), parts.AGREEMENT, parts.ASK) is parts.SERVICE


def test_a_service_that_is_not_agreed_looks_like_one_that_does_not_exist():
    catalogue = Registered()
    catalogue.services["tax/income"] = replace(parts.SERVICE, id="tax/income")
    known = why_no_service(service="tax/income", catalogue=catalogue)
    assert known == why_no_service(service="tax/none", catalogue=catalogue)
    assert known[0] is Reason.SERVICE_NOT_AGREED


def test_an_agreed_service_that_is_not_registered_is_refused():
    assert why_no_service(catalogue=Registered(services={}))[0] is Reason.SERVICE_NOT_AGREED


def test_a_field_is_named_by_its_place_and_never_repeated():
    assert why_no_service(parts.FAMILY, "/<b>") == (
        Reason.FIELD_UNKNOWN,
        "Item 1 of `fields` cannot be asked for: the service does not have it.",
    )
    assert why_no_service(parts.BORN) == (
        Reason.FIELD_NOT_AGREED,
        "Item 0 of `fields` cannot be asked for: the agreement does not cover it.",
    )


def test_an_unknown_field_comes_before_one_that_is_not_agreed():
    assert why_no_service(parts.BORN, "/none")[0] is Reason.FIELD_UNKNOWN
