"""A form is taken apart once: what no page of ours sends is refused before anybody reads it."""

import pytest

from consent.pages.form import MAX_LENGTH, MAX_MEMBERS, TOKEN, parse_form, parse_query
from kernel.errors import Reason, Refusal

FORM = "application/x-www-form-urlencoded"


def test_members_are_taken_by_name():
    taken = parse_form(b"token=t&answer=+yes+&fact=1&fact=2", FORM).take("answer", many=("fact",))
    assert taken.one("answer") == "yes"
    assert taken.all("fact") == ("1", "2")
    assert taken.one("absent") == ""
    assert taken.all("absent") == ()


@pytest.mark.parametrize(
    "body",
    [
        b"answer=yes&answer=no",
        b"answer=yes&more=1",
        b"answer=" + b"a" * (MAX_LENGTH + 1),
        b"answer=%ff",
        b"answer=%00",
        b"answer=a%1bb",
        b"answer",
        b"&&",
        b"&".join(b"fact=%d" % one for one in range(MAX_MEMBERS + 1)),
        "answer=é".encode(),
    ],
)
def test_what_no_page_sends_is_refused(body: bytes):
    with pytest.raises(Refusal) as refused:
        parse_form(body, FORM).take("answer", many=("fact",)).one("answer")
    assert refused.value.reason is Reason.REQUEST_MALFORMED


def test_a_refusal_repeats_nothing_of_the_form():
    with pytest.raises(Refusal) as refused:
        parse_form(b"c4n4ry=c4n4ry", FORM).take("answer")
    assert "c4n4ry" not in refused.value.detail


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", ""])
def test_another_media_type_is_refused(kind: str):
    with pytest.raises(Refusal) as refused:
        parse_form(b"answer=yes", kind)
    assert refused.value.reason is Reason.REQUEST_MEDIA_TYPE


def test_a_charset_does_not_make_another_type():
    assert parse_form(b"a=1", f"{FORM}; charset=UTF-8").take("a").one("a") == "1"


def test_the_token_is_no_member_of_the_page():
    assert parse_form(f"{TOKEN}=x".encode(), FORM).take().all("answer") == ()


def test_an_empty_form_and_an_empty_query_hold_nothing():
    assert parse_form(b"", FORM).members == parse_query("").members == {}
