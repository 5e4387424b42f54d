"""Every address has an audience, and there is no other address."""

import pytest
from flask import Flask

from gateway.http.routes import PAGES, ROUTES, Audience, register
from kernel.names import Subject
from tests.country import RunningCountry


def test_the_table_is_the_whole_url_map():
    app = Flask("routes", static_folder=None)
    register(app, {route.view: lambda **_: None for route in ROUTES})
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD"}
    }
    assert served == {(route.method, route.rule) for route in ROUTES}


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.audience is Audience.AGENCY], ids=lambda one: one.rule
)
def test_an_address_for_agencies_asks_everybody_for_a_token(route, country: RunningCountry):
    path = route.rule.replace("<", "").replace(">", "").replace("/index", "/1")
    answer = country.agency().request(route.method, path, b"{}" if route.method == "POST" else None)
    assert (answer.status, answer.reason) == (401, "token.missing")


@pytest.mark.parametrize(
    "route",
    [one for one in PAGES if one.audience in {Audience.RESIDENT, Audience.OFFICER}],
    ids=lambda one: f"{one.method} {one.rule}",
)
def test_a_page_behind_sign_in_shows_a_visitor_the_way_to_it(route, country: RunningCountry):
    path = route.rule.replace("<", "").replace(">", "").replace("int:", "").replace("/number", "/1")
    headers = {"Origin": country.gateway, "Content-Type": "application/x-www-form-urlencoded"}
    body = b"" if route.method == "POST" else None
    answer = country.agency().request(route.method, path, body, headers)
    login = "/officer/login" if route.audience is Audience.OFFICER else "/login"
    assert answer.status == 303
    assert answer.headers["location"].startswith(f"{login}?to=")


def test_a_page_of_the_officer_is_below_their_own_path():
    assert {one.audience for one in PAGES if one.rule.startswith("/officer")} <= {
        Audience.OFFICER,
        Audience.VISITOR,
    }
    assert all(one.rule.startswith("/officer") for one in PAGES if one.audience is Audience.OFFICER)


def test_a_person_has_no_repr():
    assert "RN-1234566" not in repr(Subject("resident-number", "RN-1234566"))
