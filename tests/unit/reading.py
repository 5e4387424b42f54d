"""Reading: how hard a text is to read, and where the texts that people read stand."""

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from adapters.registry import check
from gateway.demo.country import ROOT
from gateway.model import Text
from gateway.policy.bundle import Bundle
from gateway.policy.catalogue import Catalogue

TRANSLATIONS = ROOT / "consent" / "translations"
ROOMS = ("consent", "identity", "gateway")
_METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
_KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
_PLACEHOLDER = re.compile(r"%\([a-z_]+\)[a-z]|\{[a-z_]+\}|<[^>]*>")
_SENTENCE = re.compile(r"(?<=[.!?؟:;])\s+|\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")  # noqa: RUF001 - an apostrophe as printed


def sentences(text: str) -> list[list[str]]:
    """Return the words of each sentence; what is put in later counts as one short word."""
    plain = _PLACEHOLDER.sub("it", text)
    return [words for part in _SENTENCE.split(plain) if (words := _WORD.findall(part))]


def syllables(word: str) -> int:
    """Return about how many syllables an English word has."""
    small = re.sub(
        r"(?<=[^aeiouyl])e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouycgszx])es$", "", word.lower()
    )
    return max(1, len(re.findall(r"[aeiouy]+", small)))


def grade(texts: list[str]) -> float:
    """Return the Flesch-Kincaid grade of English texts: the school years that they take."""
    parts = [part for text in texts for part in sentences(text)]
    words = [word for part in parts for word in part]
    told = sum(syllables(word) for word in words)
    return 0.39 * len(words) / len(parts) + 11.8 * told / len(words) - 15.59


def source_texts() -> Iterator[str]:
    """Yield every English text of the pages, as code and templates say it."""
    for room in ROOMS:
        for _, _, message, *_ in extract_from_dir(str(ROOT / room), _METHODS, keywords=_KEYWORDS):
            yield from (message,) if isinstance(message, str) else message


def translated(language: str) -> Iterator[str]:
    """Yield every text of the pages in a language; one that is missing or unsure is empty."""
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        for message in read_po(file, locale=language):
            if message.id:
                texts = message.string if isinstance(message.string, tuple) else (message.string,)
                yield from ("",) if message.fuzzy else texts


def missing(language: str) -> set[str]:
    """Return the texts of the pages that a language does not have."""
    path = TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        known = {
            one
            for message in read_po(file, locale=language)
            if message.id and not message.fuzzy and all(_strings(message.string))
            for one in _strings(message.id)
        }
    return set(source_texts()) - known


def _strings(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def loaded(policies: Path = ROOT / "policies") -> Catalogue:
    """Return the catalogue of a policy directory."""
    return Catalogue.load(Bundle.from_directory(policies).files, check_read=check)


def unnamed(text: str, catalogue: Catalogue) -> str:
    """Return an English text with a short word for every office's name, which is as it is."""
    for agency in catalogue.agencies.values():
        text = text.replace(agency.name["en"], "it")
    return text


def catalogue_texts(policies: Path = ROOT / "policies") -> Iterator[tuple[str, Text]]:
    """Yield where it stands, and in its languages, every text of the catalogue for people."""
    catalogue = loaded(policies)
    for agreement in catalogue.agreements.values():
        for name in ("title", "purpose_text", "if_refused", "instead"):
            yield f"{agreement.id}: {name}", getattr(agreement, name)
        for service, fields in agreement.services.items():
            for pointer, agreed in fields.items():
                if agreed.question is not None:
                    yield f"{agreement.id}: {service}#{pointer}", agreed.question
    for service in catalogue.services.values():
        yield service.id, service.title
        yield from ((f"{service.id}#{one.pointer}", one.title) for one in service.fields.values())
