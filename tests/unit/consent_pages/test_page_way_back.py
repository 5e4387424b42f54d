"""The way back after the sign-in is one that the sign-in takes, whatever the address was."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.pages.way_back import way_back
from identity.model import Realm
from identity.oidc_model import own_path


@pytest.mark.parametrize(
    ("path", "query", "back"),
    [
        ("/activity", "", "/activity"),
        ("/activity", "agency=tax&before=7", "/activity?agency=tax&before=7"),
        ("/activity", "agency=a!b", "/activity?agency=a%21b"),
        ("/activity", "agency='a'(b)*/c", "/activity?agency=%27a%27%28b%29%2A%2Fc"),
        ("/activity", "agency=é", "/activity?agency=%C3%A9"),
        ("/activity", "agency=a&agency=b", "/activity?agency=a&agency=b"),
        ("/activity", "agency", "/activity"),
        ("/activity", "agency=%ff", "/activity"),
        ("/activity", "agency=%00", "/activity"),
        ("/activity", "agency=" + "a" * 500, "/activity"),
        ("/consents/a b", "", None),
        ("/consents/..", "", None),
        ("/consents/é", "show=all", None),
        ("/consents/" + "a" * 600, "", None),
    ],
)
def test_odd_parameters_are_spelt_anew_or_left_out(path, query, back):
    assert way_back(path, query) == back


@given(path=st.from_regex(r"/[ -~]{0,40}", fullmatch=True), query=st.text(max_size=300))
def test_the_sign_in_takes_every_way_back_but_one_into_itself(path, query):
    back = way_back(path, query)
    if back is not None and not path.startswith(("/login", "/logout", "/backchannel", "/officer")):
        assert own_path(back, Realm.RESIDENT) == back


PARAMETERS = st.dictionaries(
    st.text("ab", min_size=1, max_size=3), st.text("a!/?#&=+ é", max_size=9), max_size=5
)


@given(members=PARAMETERS)
def test_the_parameters_that_are_not_too_long_mean_the_same_after_it(members):
    back = way_back("/activity", urlencode(members))
    assert dict(parse_qsl(back.partition("?")[2], keep_blank_values=True)) == members
