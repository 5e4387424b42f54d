"""A tired parent understands the pages, in a second language, on an old phone."""

import re

import pytest

from gateway.demo.country import ROOT
from gateway.model import Text
from tests.unit.reading import (
    catalogue_texts,
    grade,
    loaded,
    missing,
    sentences,
    source_texts,
    syllables,
    translated,
    unnamed,
)

HARDEST = 9.0
"""The Flesch-Kincaid grade that no text may pass: nine years of school."""
ENOUGH = 8
"""Words that a text must have before its own grade means anything."""
USUAL = 6.0
"""The grade of all texts together."""
LONGEST = 20
"""Words in an English sentence."""
LONGEST_TRANSLATED = 25
LANGUAGES = ("ar", "fr")

Told = list[tuple[str, str]]
"""English texts, each with where it stands."""


@pytest.fixture(scope="module")
def catalogue() -> list[tuple[str, Text]]:
    return list(catalogue_texts())


@pytest.fixture(scope="module")
def english(catalogue: list[tuple[str, Text]]) -> Told:
    whole = loaded()
    told = [(at, unnamed(text["en"], whole)) for at, text in catalogue]
    return [*((text, text) for text in sorted(set(source_texts()))), *told]


def test_there_is_something_to_read(english: Told, catalogue):
    assert len(english) > len(catalogue) + 100
    assert len(catalogue) > 20


def test_no_english_text_is_harder_than_nine_years_of_school(english: Told):
    long = [one for one in english if sum(map(len, sentences(one[1]))) >= ENOUGH]
    hard = {at: round(grade([text]), 1) for at, text in long if grade([text]) > HARDEST}
    assert hard == {}


def test_all_english_texts_together_are_easy(english: Told):
    assert grade([text for _, text in english if sentences(text)]) <= USUAL


def test_english_sentences_are_short(english: Told):
    assert too_long((text for _, text in english), LONGEST) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translated_sentences_are_short(catalogue, language: str):
    told = [one[language] for _, one in catalogue if language in one]
    assert too_long([*translated(language), *told], LONGEST_TRANSLATED) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_pages_is_translated(language: str):
    assert missing(language) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_catalogue_is_translated(catalogue, language: str):
    assert [at for at, one in catalogue if not one.get(language)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "consent" / "templates").glob("*.html")))
def test_no_template_speaks_past_the_translations(path):
    assert untranslatable(path.read_text(encoding="utf-8")) == []


def too_long(texts, most: int) -> list[str]:
    return [" ".join(part) for text in texts for part in sentences(text) if len(part) > most]


def untranslatable(template: str) -> list[str]:
    """Return the words of a template that stand outside of any expression."""
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;", "\n", template, flags=re.DOTALL)
    return [line.strip() for line in bare.split("\n") if re.search(r"[^\W\d_]{2,}", line)]


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("stop", 1),
        ("agreed", 2),
        ("asked", 1),
        ("started", 2),
        ("people", 2),
        ("residence", 3),
        ("offices", 3),
        ("why", 1),
        ("income", 2),
        ("allowance", 3),
        ("used", 1),
    ],
)
def test_syllables_are_counted_as_they_are_spoken(word: str, count: int):
    assert syllables(word) == count


def test_the_grade_tells_an_easy_text_from_a_hard_one():
    easy = "You can say no. Then bring papers. Saying no does not end your application."
    hard = (
        "The aforementioned authorisation constitutes an irrevocable acknowledgement regarding"
        " interorganisational transmission of personally identifiable information."
    )
    assert grade([easy]) < 4
    assert grade([hard]) > 20
    assert too_long([" ".join(["word"] * 21)], LONGEST) != []
