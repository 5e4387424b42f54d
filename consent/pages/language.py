"""Language: which one a page is in, and how dates and numbers read in it (Flask-Babel)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, g, request
from flask_babel import Babel, format_date, format_datetime, format_time
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from consent.pages import wording
from kernel.clock import SECOND, Micros

HERE = Path(__file__).parents[1]
COOKIE = "__Host-language"


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages."""

    tag: str
    name: str
    """In the language itself."""
    direction: str
    locale: str
    """How dates and numbers read (CLDR)."""
    moment: str
    """How a day is joined with the time of day, which has 24 hours everywhere."""


LANGUAGES = {
    one.tag: one
    for one in (
        Language("en", "English", "ltr", "en_GB", "d MMMM y, HH:mm:ss"),
        Language("ar", "العربية", "rtl", "ar", "d MMMM y، HH:mm:ss"),
        Language("fr", "Français", "ltr", "fr", "d MMMM y 'à' HH:mm:ss"),
    )
}
ENGLISH = LANGUAGES["en"]


def chosen() -> Language:
    """Return the language of this request: the cookie's, else the browser's, else English."""
    held: Language | None = g.get("language")
    if held is None:
        named = request.cookies.get(COOKIE, "")
        held = LANGUAGES.get(named) or _accepted(request.headers.get("Accept-Language", ""))
        g.language = held
    return held


def _accepted(header: str) -> Language:
    """Return the first of ours that a browser names, by its primary subtag (RFC 4647 §3.4)."""
    for tag, quality in parse_accept_header(header[:500], LanguageAccept):
        if quality > 0 and (found := LANGUAGES.get(tag.partition("-")[0].lower())):
            return found
    return ENGLISH


def install(app: Flask) -> None:
    """Give the application our templates, translations and filters."""
    app.jinja_loader = FileSystemLoader(HERE / "templates")
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    Babel(
        app,
        default_translation_directories=str(HERE / "translations"),
        locale_selector=lambda: chosen().locale,
    )
    app.jinja_env.filters.update(moment=moment, day=day, clock=clock, stamp=stamp)
    app.jinja_env.globals.update(
        event_words=wording.event_words,
        method_words=wording.method_words,
        answer_words=wording.answer_words,
        about_words=wording.about_words,
    )


def moment(at: Micros) -> Markup:
    """Return day and time to the second, with the time zone, for a reader and a machine."""
    return _time(at, f"{format_datetime(_utc(at), chosen().moment)} UTC")


def day(at: Micros) -> Markup:
    """Return a day, written out."""
    return _time(at, format_date(_utc(at), "long"))


def clock(at: Micros) -> Markup:
    """Return the time of day to the second, with the time zone."""
    return _time(at, f"{format_time(_utc(at), 'HH:mm:ss')} UTC")


def stamp(at: Micros) -> str:
    """Return a moment as RFC 3339 says it."""
    return _utc(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(at: Micros, words: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(stamp(at), words)


def _utc(at: Micros) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)
