"""Words of the pages that depend on language, moment and fault."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from consent.model import Standing
from consent.pages import language, wording
from consent.pages.errors import words_for
from kernel.clock import SECOND, Micros
from kernel.errors import Reason

AT = Micros(1_795_356_187 * SECOND + 999_999)
EVENTS = ("requested", "deferred", "given", "renewed", "refused", "withdrawn", "suspended")
LATER = ("resumed", "narrowed", "revoked", "invalidated")


@contextmanager
def reading(tag: str) -> Iterator[None]:
    """Be a reader of a language."""
    app = Flask("words", static_folder=None)
    language.install(app)
    with app.test_request_context(headers={"Accept-Language": tag}):
        yield


@pytest.mark.parametrize(
    ("tag", "moment", "day"),
    [
        ("en", "22 November 2026, 14:03:07 UTC", "22 November 2026"),
        ("fr", "22 novembre 2026 à 14:03:07 UTC", "22 novembre 2026"),
        ("ar", "22 نوفمبر 2026، 14:03:07 UTC", "22 نوفمبر 2026"),
    ],
)
def test_a_moment_reads_by_language_and_says_its_zone(tag: str, moment: str, day: str):
    machine = '<time datetime="2026-11-22T14:03:07Z">'
    with reading(tag):
        assert language.moment(AT) == f"{machine}{moment}</time>"
        assert language.day(AT) == f"{machine}{day}</time>"
        assert language.clock(AT) == f"{machine}14:03:07 UTC</time>"


@pytest.mark.parametrize("tag", sorted(language.LANGUAGES))
@pytest.mark.parametrize("reason", list(Reason))
def test_every_fault_has_a_title_and_a_next_step(tag: str, reason: Reason):
    with reading(tag):
        for too_old in (True, False):
            told = words_for(reason, too_old=too_old)
            assert told.title
            assert told.next.endswith(".")
            assert reason.value not in told.title + told.next


@pytest.mark.parametrize("tag", sorted(language.LANGUAGES))
def test_every_standing_and_event_has_a_word_of_its_own(tag: str):
    with reading(tag):
        standings = [wording.standing_tag(one).text for one in Standing]
        events = [wording.event_words(f"consent.{one}") for one in (*EVENTS, *LATER)]
    assert len({*standings}) == len(standings)
    assert len({*events}) == len(events)
    assert not [one for one in events if one.startswith("consent.")]


def test_a_word_that_is_not_known_is_shown_as_it_is():
    with reading("en"):
        assert wording.event_words("consent.dreamt") == "consent.dreamt"
        assert wording.method_words("pigeon") == "pigeon"
        assert wording.about_words("neighbour") == "about somebody else"
        assert wording.answer_words("new_kind") == "The fact itself"


def test_the_readers_own_facts_need_no_word():
    with reading("fr"):
        assert not wording.about_words("subject")
        assert wording.about_words("child") == "sur votre enfant"
