"""One governed exchange through the real server."""

from tests.country import ENROLMENT, INCOME, RESIDENTS, RunningCountry


def test_a_consented_exchange_returns_exactly_the_fields_asked_for(country: RunningCountry):
    agency, resident = country.agency(), country.consenting()
    answer = agency.exchange(resident.number, RESIDENTS, ["/name/family", "/address/postcode"])
    opened = agency.open(answer)
    assert opened["record"] == {
        "name": {"family": resident.family},
        "address": {"postcode": resident.postcode},
    }
    assert answer.json["withheld"] == []
    assert sorted(agency.claims(answer)["fields"]) == ["/address/postcode", "/name/family"]


def test_all_three_sources_answer(country: RunningCountry):
    agency, resident = country.agency(), country.consenting()
    income = agency.open(agency.exchange(resident.number, INCOME, ["/income/year"]))
    enrolled = agency.open(agency.exchange(resident.number, ENROLMENT, ["/enrolments/*/since"]))
    assert income["record"] == {"income": {"year": 2025}}
    assert [one["since"] for one in enrolled["record"].get("enrolments", [])] == [
        one.since.isoformat() for one in resident.enrolments
    ]


def test_nobody_asked_means_nothing_is_released(country: RunningCountry):
    answer = country.agency().exchange(country.resident().number, RESIDENTS, ["/name/family"])
    assert (answer.status, answer.reason) == (403, "subject.not_released")


def test_an_optional_field_that_was_not_granted_is_withheld_and_said_so(country: RunningCountry):
    agency = country.agency()
    resident = country.consenting("--field", f"{RESIDENTS}#/name/family")
    answer = agency.exchange(resident.number, RESIDENTS, ["/name/family", "/address/postcode"])
    assert agency.open(answer)["record"] == {"name": {"family": resident.family}}
    assert answer.json["withheld"] == [
        {"field": "/address/postcode", "reason": "field.not_consented"}
    ]
