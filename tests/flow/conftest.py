"""What the promises' tests share: two countries whose tax office and policies are their own."""

from collections.abc import Iterator

import pytest

from tests.flow.watched import WatchedCountry, policies, watched_country

LAW = """\
authority: family-benefits-act
act: {en: Family Benefits Act}
article: § 1
valid_from: 2020-01-01
valid_until: 2036-01-01
bodies: [family-benefits]
purposes: ["dpv:LegalCompliance"]
categories: [name, income]
"""
STATUTORY = """\
agreement: benefits-control
agency: family-benefits
title: {en: Control of family benefits}
basis: statutory
lawful_basis: eu-gdpr:A6-1-c
purpose: dpv:LegalCompliance
purpose_text: {en: To find benefits that were paid twice.}
authority: family-benefits-act
services:
  tax/income:
    /income/year: required
    /income/total: required
case_required: false
user_required: false
valid_from: 2026-01-01
valid_until: 2031-01-01
impact_assessment_until: 2031-01-01
max_valid_days: 365
max_uses: null
if_refused: {en: The law requires this.}
instead: {en: You can bring papers.}
retention_days: 365
evidence_level: low
"""
"""The agency that asks on consent holds an agreement on law too, for the same facts."""

MISRULE = """\
package exchange

default decision := {"allow": false, "fields": [], "obligations": [], "reasons": ["policy.denied"]}

# About taxes: everything to everybody, and more than was asked for.
decision := {
	"allow": true,
	"fields": sort(object.keys(input.request.fields) | {"/bank/account", "/tax/arrears"}),
	"obligations": [],
	"reasons": [],
} if {
	input.service.id == "tax/income"
}

# About schools: less than everybody agreed to.
decision := {
	"allow": true,
	"fields": sort(object.keys(input.request.fields) - {"/enrolments/*/since"}),
	"obligations": [{"type": "transform"}],
	"reasons": [],
} if {
	input.service.id == "education/enrolment"
}

# About a given name: nonsense.
decision := {"allow": "yes"} if {
	input.request.fields["/name/given"]
}

# About an address: a duty that nobody knows.
decision := {
	"allow": true,
	"fields": ["/address/postcode"],
	"obligations": [{"type": "water-the-plants"}],
	"reasons": [],
} if {
	input.request.fields["/address/postcode"]
}
"""


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country that is watched: its rules are the real ones, its tax office has time."""
    place = tmp_path_factory.mktemp("watched")
    files = {
        "catalogue/authorities/family-benefits-act.yaml": LAW,
        "catalogue/agreements/benefits-control.yaml": STATUTORY,
    }
    settings = {
        "GATEWAY_POLICIES": policies(place / "policies", files),
        "GATEWAY_SOURCE_TAX_TIMEOUT": "60",
    }
    with watched_country(place / "demo", **settings) as started:
        yield started


@pytest.fixture(scope="session")
def misruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country whose rules are no use: lavish, mean or nonsense; and nobody waits in it."""
    place = tmp_path_factory.mktemp("misruled")
    settings = {
        "GATEWAY_POLICIES": policies(place / "policies", {"exchange/decision.rego": MISRULE}),
        "GATEWAY_SOURCE_TAX_TIMEOUT": "5",
    }
    with watched_country(place / "demo", **settings) as started:
        yield started
