"""Minimise: exactly the permitted leaves of the right person's record, or nothing."""

import json
from dataclasses import replace

import pytest

from gateway.minimise import MAX_ITEMS, minimise
from gateway.model import Transform, TransformKind
from gateway.pointers import segments
from kernel.clock import Micros
from kernel.errors import Reason, Refusal
from tests.unit.gateway import parts


def cut(record, *fields, **service):
    warrant = parts.warrant(*fields, service=replace(parts.SERVICE, **service))
    extract = minimise(record, warrant, parts.NOW, parts.named)
    assert extract.exchange == "ex_1"
    return json.loads(extract.plaintext)


def about(**more):
    return {"number": parts.NUMBER, **more}


def test_the_extract_says_where_it_comes_from_and_as_of_when():
    told = cut(parts.RECORD, parts.FAMILY)
    assert told == {
        "exchange": "ex_1",
        "service": "population/residents",
        "as_of": "2026-11-18T11:06:40.000000Z",
        "record": {"name": {"family": "Haddad"}},
    }


@pytest.mark.parametrize(
    ("fields", "record"),
    [
        ([parts.FAMILY, parts.GIVEN], {"name": {"family": "Haddad", "given": "Amina"}}),
        ([parts.BORN], {"children": [{"birth_date": "2026-03-01"}]}),
        (["/number"], {"number": parts.NUMBER}),
        (["/name/middle"], {"name": {}}),
        (["/address/street"], {}),
    ],
)
def test_what_is_not_permitted_stays_and_what_is_not_there_is_left_out(fields, record):
    assert cut(parts.RECORD, *fields)["record"] == record


@pytest.mark.parametrize(
    "value", ["text", "", 0, -7, 1.5, True, False, None, "\U0001f600 \u202e", 2**53 - 1]
)
def test_a_plain_value_passes_as_it_is(value):
    assert cut(about(x=value), "/x")["record"] == {"x": value}


@pytest.mark.parametrize("value", [{"a": 1}, [1], {}, []])
def test_a_field_that_holds_more_than_a_plain_value_refuses_the_whole(value):
    assert refused(about(x=value), "/x") == "a field of its answer is not one plain value"


def refused(record, *fields, **service):
    with pytest.raises(Refusal) as refusal:
        cut(record, *fields, **service)
    assert refusal.value.reason is Reason.SOURCE_BAD_ANSWER
    assert refusal.value.exact is None
    text = refusal.value.detail
    return text.removeprefix("The source cannot be used: ").removesuffix(".")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"number": None},
        {"number": "RN-7654321"},
        {"number": f"{parts.NUMBER} "},
        {"number": [parts.NUMBER]},
        {"number": {"value": parts.NUMBER}},
        [about()],
        parts.NUMBER,
        None,
    ],
)
def test_a_record_that_does_not_speak_of_the_person_is_refused(record):
    said = refused(record, parts.FAMILY)
    assert said == "its answer does not say that it is about the person asked for"


def test_a_number_is_never_taken_for_the_text_of_an_identifier():
    warrant = parts.warrant(
        "/x", ask=replace(parts.ASK, subject=replace(parts.AMINA, value="1234566"))
    )
    with pytest.raises(Refusal, match=r"source\.bad_answer"):
        minimise({"number": 1234566, "x": 1}, warrant, parts.NOW, parts.named)


def test_the_identifier_may_stand_deep_in_the_record():
    deep = {"who": {"id/no": parts.NUMBER}, "x": 1}
    assert cut(deep, "/x", subject_at="/who/id~1no")["record"] == {"x": 1}
    assert "person asked for" in refused({"who": "x"}, "/x", subject_at="/who/id~1no")


@pytest.mark.parametrize(
    ("record", "fields", "said"),
    [
        (about(name="Haddad"), ["/name/family"], "a value where a group of fields belongs"),
        (about(name=["Haddad"]), ["/name/family"], "a value where a group of fields belongs"),
        (about(items={"a": 1}), ["/items/*/a"], "no list where a list belongs"),
        (about(items="abc"), ["/items/*"], "no list where a list belongs"),
        (about(items=[[1]]), ["/items/*"], "not one plain value"),
        (about(items=[1]), ["/items/*/a"], "a value where a group of fields belongs"),
        (about(items=[None] * (MAX_ITEMS + 1)), ["/items/*"], "more than 10000 items"),
        (about(x=2**60), ["/x"], "a value that JSON cannot carry"),
        (about(x="\ud800"), ["/x"], "a value that JSON cannot carry"),
    ],
)
def test_a_record_of_another_shape_is_refused_not_guessed_at(record, fields, said):
    assert said in refused(record, *fields)


def test_null_where_a_group_or_a_list_belongs_is_as_if_it_were_not_there():
    record = about(name=None, children=None, homes=[None, {"street": "A"}])
    told = cut(record, "/name/family", "/children/*/birth_date", "/homes/*/street")
    assert told["record"] == {"homes": [{"street": "A"}]}


def test_every_item_of_a_list_is_cut_alike():
    named = {"number": parts.CHILD}
    record = about(children=[{"birth_date": "a", **named}, {"x": 2}, {"birth_date": None}])
    assert cut(record, parts.BORN)["record"] == {
        "children": [{"birth_date": "a"}, {}, {"birth_date": None}]
    }


def test_lists_may_stand_in_lists():
    record = about(a=[{"b": [{"c": 1, "d": 2}]}, {"b": []}])
    assert cut(record, "/a/*/b/*/c")["record"] == {"a": [{"b": [{"c": 1}]}, {"b": []}]}


def test_a_list_may_have_its_most_items():
    assert len(cut(about(x=[1] * MAX_ITEMS), "/x/*")["record"]["x"]) == MAX_ITEMS


def test_where_one_pointer_lies_within_another_the_narrower_one_counts():
    record = about(name={"family": "Haddad", "given": "Amina"})
    assert cut(record, "/name", "/name/family")["record"] == {"name": {"family": "Haddad"}}


@pytest.mark.parametrize(
    ("pointer", "told"),
    [
        ("/a", ("a",)),
        ("/a~1b/m~0n", ("a/b", "m~n")),
        ("/~01", ("~1",)),
        ("/a//b", ("a", "", "b")),
        ("/children/*/x", ("children", "*", "x")),
    ],
)
def test_segments_are_unescaped_in_the_order_of_rfc_6901(pointer, told):
    assert segments(pointer) == told


def test_escaped_members_are_found_by_their_real_names():
    record = about(**{"a/b": {"m~n": 1, "m~0n": 2}, "a~1b": {"m~n": 3}})
    assert cut(record, "/a~1b/m~0n")["record"] == {"a/b": {"m~n": 1}}


def test_a_refusal_repeats_nothing_of_the_record():
    record = about(name="Haddad-Secret")
    assert "Secret" not in refused(record, "/name/family")


def test_the_time_is_that_of_the_caller():
    extract = minimise(parts.RECORD, parts.warrant(parts.FAMILY), Micros(0), parts.named)
    assert json.loads(extract.plaintext)["as_of"] == "1970-01-01T00:00:00.000000Z"


def asked(record, on=parts.NOW, **transforms):
    """Return the cut record where these members travel as answers: member names, underscored."""
    pointers = {f"/{name.replace('__', '/*/')}": how for name, how in transforms.items()}
    permit = replace(parts.permit(*pointers), transforms=pointers)
    extract = minimise(about(**record), parts.warrant(permit=permit), on, parts.named)
    return json.loads(extract.plaintext)["record"]


EXISTS = Transform(TransformKind.EXISTS, {})
YEAR = Transform(TransformKind.YEAR, {})
UNDER = Transform(TransformKind.YES_NO, {"below": 100})
ADULT = Transform(TransformKind.AT_LEAST_AGE, {"years": 18})
MASKED = Transform(TransformKind.MASK, {"keep": 4})
CANARY = "SAMPLE-0000012345"


def test_an_answer_stands_where_the_fact_stood():
    record = {"income": 70, "born": "2001-02-03", "account": CANARY, "phone": "1"}
    assert asked(record, income=UNDER, born=YEAR, account=MASKED, phone=EXISTS) == {
        "income": True,
        "born": 2001,
        "account": "****2345",
        "phone": True,
    }


def test_each_item_of_a_list_is_answered_by_itself():
    record = {"children": [{"born": "2001-02-03", "school": "x"}, {"born": "2020-02-03"}, {}]}
    assert asked(record, children__born=ADULT, children__school=EXISTS) == {
        "children": [
            {"born": True, "school": True},
            {"born": False, "school": False},
            {"school": False},
        ]
    }


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({}, {"children": [], "phone": False}),
        ({"phone": None, "children": None}, {"children": [], "phone": False}),
        ({"phone": "", "children": [None, {}]}, {"children": [{"school": False}], "phone": False}),
    ],
)
def test_whether_it_exists_is_told_also_where_the_source_has_nothing(record, told):
    assert asked(record, phone=EXISTS, children__school=EXISTS) == told


def test_that_a_group_is_not_there_is_told_of_each_question_about_it():
    warrant = parts.warrant(
        permit=replace(parts.permit("/a/b/c", "/a/d"), transforms={"/a/b/c": EXISTS})
    )
    extract = minimise(about(), warrant, parts.NOW, parts.named)
    assert json.loads(extract.plaintext)["record"] == {"a": {"b": {"c": False}}}


@pytest.mark.parametrize("how", [YEAR, UNDER, ADULT, MASKED])
def test_what_the_source_does_not_have_is_left_out_unless_that_was_the_question(how):
    assert asked({}, x=how) == {}
    assert asked({"x": None}, x=how) == {}


@pytest.mark.parametrize("how", [YEAR, UNDER, ADULT, MASKED, EXISTS])
@pytest.mark.parametrize("value", [{"a": CANARY}, [CANARY], {}, []])
def test_a_question_is_put_to_one_plain_value_only(how, value):
    with pytest.raises(Refusal, match=r"source\.bad_answer") as refusal:
        asked({"x": value}, x=how)
    assert CANARY not in refusal.value.detail


@pytest.mark.parametrize("how", [YEAR, UNDER, ADULT])
def test_a_question_without_an_answer_refuses_the_whole_and_not_the_one_field(how):
    with pytest.raises(Refusal, match=r"source\.bad_answer") as refusal:
        asked({"x": CANARY, "y": "2001-02-03"}, x=how, y=YEAR)
    assert CANARY not in refusal.value.detail


def test_an_age_is_that_of_the_moment_in_utc():
    last = Micros(1_795_305_600_000_000 - 1)
    assert asked({"born": "2008-11-22"}, last, born=ADULT) == {"born": False}
    assert asked({"born": "2008-11-22"}, Micros(last + 1), born=ADULT) == {"born": True}
