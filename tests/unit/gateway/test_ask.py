"""Ask: a body is parsed once, strictly, and what is wrong is named and never repeated."""

import json

import pytest

from gateway.ask import MAX_BODY, MAX_FIELDS, parse_ask
from kernel.errors import Reason, Refusal
from tests.unit.gateway import parts


def refused(posted):
    with pytest.raises(Refusal) as refusal:
        parse_ask(posted)
    return refusal.value.reason, refusal.value.detail


def without(name):
    return {member: value for member, value in parts.BODY.items() if member != name}


def test_a_well_formed_body_is_taken_word_for_word():
    ask = parse_ask(parts.posted())
    assert (ask.agreement, ask.service) == ("family-allowance", "population/residents")
    assert (ask.subject.scheme, ask.subject.value) == ("resident-number", parts.NUMBER)
    assert ask.fields == (parts.FAMILY, parts.GIVEN)
    assert (ask.case, ask.user) == ("FA-7", "clerk-9")


def test_case_and_user_may_be_left_out():
    body = {name: value for name, value in parts.BODY.items() if name not in {"case", "user"}}
    ask = parse_ask(parts.posted(body))
    assert (ask.case, ask.user) == (None, None)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (without("agreement"), "`agreement` is missing."),
        (without("service"), "`service` is missing."),
        (without("subject"), "`subject` is missing."),
        (without("fields"), "`fields` is missing."),
        ([], "The body must be an object."),
        ("text", "The body must be an object."),
        (None, "The body must be an object."),
        ({**parts.BODY, "agreement": 7}, "`agreement` must be a string."),
        ({**parts.BODY, "agreement": ""}, "`agreement` must not be empty."),
        ({**parts.BODY, "agreement": "x" * 129}, "`agreement` is too long."),
        ({**parts.BODY, "service": None}, "`service` must be a string."),
        ({**parts.BODY, "subject": "RN-1"}, "`subject` must be an object."),
        ({**parts.BODY, "subject": {"scheme": "a"}}, "`subject/value` is missing."),
        (
            {**parts.BODY, "subject": {"scheme": "a", "value": 1234566}},
            "`subject/value` must be a string.",
        ),
        (
            {**parts.BODY, "subject": {"scheme": "a", "value": "b", "<i>": 1}},
            "A member of `subject` is not a member of this request.",
        ),
        ({**parts.BODY, "fields": []}, "`fields` must not be empty."),
        ({**parts.BODY, "fields": "/name"}, "`fields` must be a list."),
        ({**parts.BODY, "fields": {"/name": 1}}, "`fields` must be a list."),
        ({**parts.BODY, "fields": ["/a", 2]}, "`fields/1` must be a string."),
        ({**parts.BODY, "fields": ["/a", ""]}, "`fields/1` must not be empty."),
        ({**parts.BODY, "fields": ["/" + "x" * 256]}, "`fields/0` is too long."),
        (
            {**parts.BODY, "fields": [f"/{n}" for n in range(MAX_FIELDS + 1)]},
            "`fields` has more than 64 items.",
        ),
        ({**parts.BODY, "fields": ["/a", "/b", "/a"]}, "`fields` names a field twice."),
        ({**parts.BODY, "case": ""}, "`case` must not be empty."),
        ({**parts.BODY, "case": 12}, "`case` must be a string."),
        ({**parts.BODY, "case": "a\nb"}, "`case` has characters that do not belong there."),
        ({**parts.BODY, "case": "a\n"}, "`case` has characters that do not belong there."),
        ({**parts.BODY, "user": "a\x7f"}, "`user` has characters that do not belong there."),
        ({**parts.BODY, "user": True}, "`user` must be a string."),
        ({**parts.BODY, "basis": "law"}, "A member of the body is not a member of this request."),
        (
            {**parts.BODY, "<script>": 1},
            "A member of the body is not a member of this request.",
        ),
    ],
)
def test_what_is_wrong_is_named_and_never_repeated(body, detail):
    assert refused(parts.posted(body)) == (Reason.REQUEST_MALFORMED, detail)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the text is not valid JSON"),
        (b"{", "the text is not valid JSON"),
        (b"\xff", "the JSON text is not valid UTF-8"),
        (b'{"case": "\\ud800"}', "the JSON text is not valid UTF-8"),
        (b'{"fields": ["/a"], "fields": ["/b"]}', "an object has the same member twice"),
        (b"[" * 17, "the JSON text nests deeper than 16 levels"),
        (b" " * (MAX_BODY + 1), "the JSON text is larger than 16384 bytes"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(body, why):
    assert refused(parts.posted(body)) == (
        Reason.REQUEST_MALFORMED,
        f"The body cannot be read: {why}.",
    )


def test_a_body_may_have_its_most_bytes():
    text = json.dumps(parts.BODY).encode()
    assert parse_ask(parts.posted(text + b" " * (MAX_BODY - len(text)))).case == "FA-7"


@pytest.mark.parametrize("field", ["/", "name", "#/name", "/name\n"])
def test_a_text_that_no_service_lists_is_left_to_the_catalogue_to_refuse(field):
    assert parse_ask(parts.posted({**parts.BODY, "fields": [field]})).fields == (field,)


def test_as_many_fields_as_allowed_may_be_asked_for():
    fields = [f"/{n}" for n in range(MAX_FIELDS)]
    assert parse_ask(parts.posted({**parts.BODY, "fields": fields})).fields == tuple(fields)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json;",
    ],
)
def test_the_body_is_json_in_utf_8(content_type):
    assert parse_ask(parts.posted(content_type=content_type)).user == "clerk-9"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/json",
        "application/jsonp",
        "application/merge-patch+json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; profile=x",
        "multipart/form-data; boundary=x",
    ],
)
def test_any_other_type_is_refused(content_type):
    assert refused(parts.posted(content_type=content_type)) == (
        Reason.REQUEST_MEDIA_TYPE,
        "Send `Content-Type: application/json`.",
    )


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_content_coding_is_refused(coding):
    assert refused(parts.posted(content_encoding=coding))[0] is Reason.REQUEST_MEDIA_TYPE


def test_a_query_and_an_idempotency_key_are_refused():
    assert refused(parts.posted(query=True)) == (
        Reason.REQUEST_MALFORMED,
        "This address takes no query.",
    )
    assert refused(parts.posted(idempotency_key=True)) == (
        Reason.REQUEST_MALFORMED,
        "The header `Idempotency-Key` is not served yet.",
    )


def test_the_person_and_the_case_are_shown_by_nothing_that_was_parsed():
    shown = f"{parts.posted()!r} {parse_ask(parts.posted())!r}"
    assert parts.NUMBER not in shown
    assert "FA-7" not in shown
