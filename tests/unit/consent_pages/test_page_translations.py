"""The languages are in step with the code, complete, certain, and compiled as they stand."""

import gettext
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from consent.pages.language import LANGUAGES
from tests.unit.reading import TRANSLATIONS, source_texts

OTHERS = sorted(set(LANGUAGES) - {"en"})
PLACE = re.compile(r"%\([a-z]+\)s")
ISOLATED = re.compile(r"[\u2066-\u2069\u202a-\u202e]")


def place(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES"


def catalogue(language: str) -> Catalog:
    with (place(language) / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def strings(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_text_and_no_other(language: str):
    told = [one for one in catalogue(language) if one.id]
    known = {text for one in told for text in strings(one.id)}
    assert known == set(source_texts())
    assert [one.id for one in told if one.fuzzy] == []
    assert [one.id for one in told if not all(strings(one.string))] == []
    assert len(catalogue(language).obsolete) == 0


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_names_what_the_text_names(language: str):
    count = {"%(num)s"}
    wrong = [
        text
        for one in catalogue(language)
        if one.id
        for text in strings(one.string)
        if {*PLACE.findall(text)} - count != {*PLACE.findall(strings(one.id)[-1])} - count
    ]
    assert wrong == []


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_what_is_written(language: str):
    with (place(language) / "messages.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    different = [
        one.id
        for one in catalogue(language)
        if one.id and isinstance(one.id, str) and compiled.gettext(one.id) != one.string
    ]
    assert different == []
    plurals = [one for one in catalogue(language) if isinstance(one.id, tuple | list)]
    assert plurals
    for one in plurals:
        for count in range(120):
            assert compiled.ngettext(*one.id, count) in one.string


@pytest.mark.parametrize(
    ("count", "words"), [(1, "يوم واحد"), (2, "يومان"), (3, "أيام"), (11, "يومًا"), (100, "يوم")]
)
def test_arabic_counts_as_arabic_does(count: int, words: str):
    with (place("ar") / "messages.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    told = compiled.ngettext("%(num)s day", "%(num)s days", count) % {"num": count}
    assert told.removeprefix(f"{count} ") == words


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_turns_the_direction_by_itself(language: str):
    texts = [text for one in catalogue(language) if one.id for text in strings(one.string)]
    assert [text for text in texts if ISOLATED.search(text)] == []
