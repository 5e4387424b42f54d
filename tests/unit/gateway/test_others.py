"""Others: whom a record speaks of besides the person asked for, in what leaves of it alone."""

from dataclasses import replace

import pytest

from gateway.minimise import minimise
from gateway.model import Field, Transform, TransformKind
from gateway.others import MAX_OTHERS, concerned
from gateway.policy.catalogue import luhn
from kernel.errors import Reason, Refusal
from kernel.names import Subject
from tests.unit.gateway import parts

NAME, PARTNER, SHOT = "/children/*/name", "/partner/income", "/children/*/shots/*/date"
SERVICE = replace(
    parts.SERVICE,
    fields={
        **parts.SERVICE.fields,
        NAME: Field(NAME, {"en": "Name"}, "children", "child"),
        SHOT: Field(SHOT, {"en": "Vaccinations"}, "health", "child"),
        PARTNER: Field(PARTNER, {"en": "Income"}, "income", "partner"),
    },
    concerns={"child": "/children/*/number", "partner": "/partner/number"},
)


def number(place: int) -> str:
    """Return the place-th well-formed resident number."""
    six = str(200_000 + place)
    return next(f"RN-{six}{check}" for check in range(10) if luhn(f"{six}{check}"))


def child(place: int, **facts: object) -> dict:
    return {"number": number(place), **facts}


def spoken_of(record: dict, *fields: str, **transforms: Transform) -> list[str]:
    permit = replace(parts.permit(*fields), transforms=transforms.get("transforms", {}))
    warrant = parts.warrant(service=SERVICE, permit=permit)
    extract = minimise({"number": parts.NUMBER, **record}, warrant, parts.NOW, parts.named)
    assert all(one.scheme == "resident-number" for one in extract.others)
    for one in extract.others:
        assert one.value.encode() not in extract.plaintext
    return [one.value for one in extract.others]


def refused(record: dict, *fields: str, **transforms: Transform) -> str:
    with pytest.raises(Refusal) as caught:
        spoken_of(record, *fields, **transforms)
    assert caught.value.reason is Reason.SOURCE_BAD_ANSWER
    assert "RN-" not in caught.value.detail
    return caught.value.detail


def test_each_child_whose_fact_leaves_is_named_once() -> None:
    record = {"children": [child(1, birth_date="a", name="x"), child(2, birth_date="b")]}
    assert spoken_of(record, parts.BORN) == [number(1), number(2)]
    assert spoken_of(record, NAME) == [number(1)]
    assert spoken_of(record, parts.BORN, NAME) == [number(1), number(2)]


def test_nobody_is_named_where_no_fact_about_them_leaves() -> None:
    record = {"children": [child(1, birth_date="a")], "name": {"family": "Haddad"}}
    assert spoken_of(record, parts.FAMILY) == []
    assert spoken_of({"children": []}, parts.BORN) == []
    assert spoken_of({"children": [child(1), child(2, birth_date=None)]}, parts.BORN) == []


def test_a_fact_deeper_in_a_childs_item_names_that_child() -> None:
    shots = [{"date": "2026-01-01"}]
    record = {"children": [child(1, shots=shots), child(2, shots=[]), child(3)]}
    assert spoken_of(record, SHOT) == [number(1)]


def test_a_partner_is_named_outside_of_any_list() -> None:
    record = {"partner": child(7, income=1), "children": [child(1, birth_date="a")]}
    assert spoken_of(record, PARTNER) == [number(7)]
    assert set(spoken_of(record, PARTNER, parts.BORN)) == {number(7), number(1)}
    assert spoken_of({"partner": None}, PARTNER) == []


def test_who_stands_twice_is_named_once_and_the_person_themself_not_at_all() -> None:
    record = {
        "children": [
            child(1, birth_date="a"),
            child(1, birth_date="a"),
            {"number": parts.NUMBER, "birth_date": "b"},
        ]
    }
    assert spoken_of(record, parts.BORN) == [number(1)]


EXISTS = Transform(TransformKind.EXISTS, {})


def test_that_there_is_nothing_is_told_about_the_child_too() -> None:
    record = {"children": [child(1), {"name": None}]}
    assert spoken_of(record, NAME, transforms={NAME: EXISTS}) == [number(1)]


def test_an_answer_about_a_child_is_a_fact_about_the_child() -> None:
    year = Transform(TransformKind.YEAR, {})
    record = {"children": [child(1, birth_date="2026-01-01")]}
    assert spoken_of(record, parts.BORN, transforms={parts.BORN: year}) == [number(1)]


@pytest.mark.parametrize(
    "wrong", [None, "", 1234566, True, ["RN-1234566"], {}, "RN-1234567", "1234566", "RN-12345660"]
)
def test_a_child_who_is_named_in_no_proper_way_refuses_the_whole(wrong: object) -> None:
    record = {"children": [child(1, birth_date="a"), {"number": wrong, "birth_date": "b"}]}
    assert "The source cannot be used" in refused(record, parts.BORN)


def test_a_fact_without_a_name_beside_it_refuses_the_whole() -> None:
    assert "whom one of its facts is about" in refused(
        {"children": [{"birth_date": "b"}]}, parts.BORN
    )


def test_no_more_than_thirty_two_people_are_spoken_of() -> None:
    many = [child(place, birth_date="a") for place in range(MAX_OTHERS)]
    assert len(spoken_of({"children": many}, parts.BORN)) == MAX_OTHERS
    more = [*many, child(MAX_OTHERS, birth_date="a")]
    assert "more than 32 people" in refused({"children": more}, parts.BORN)


def test_only_the_people_of_the_released_fields_are_asked_for() -> None:
    assert concerned(SERVICE, frozenset({parts.FAMILY, "/nowhere"})) == {}
    assert concerned(SERVICE, frozenset({PARTNER, parts.FAMILY})) == {"partner": "/partner/number"}


def test_a_subject_has_no_text_of_its_own() -> None:
    assert parts.CHILD not in repr(Subject("resident-number", parts.CHILD))
