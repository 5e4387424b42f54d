"""Every address has an audience, and there is no other address."""

import pytest
from flask import Flask

from gateway.routes import ROUTES, Audience, register
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


def test_a_person_has_no_repr():
    assert "RN-1234566" not in repr(Subject("resident-number", "RN-1234566"))
