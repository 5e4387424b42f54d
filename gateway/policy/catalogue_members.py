"""Catalogue members: the shapes of names, pointers, days and texts, and what each is told to be."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Member

from kernel.clock import SECOND, Micros

MAX_NAME = 200
MAX_TEXT = 2000
_KEBAB = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"


def shaped(pattern: str, sentence: str) -> Callable[[str], str]:
    """Return a check that a text is of this pattern; the sentence says what it must be."""
    shape = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if len(text) > MAX_NAME or not shape.fullmatch(text):
            raise ValueError(sentence)
        return text

    return check


def instant(day: str) -> Micros:
    """Return the first moment of a day in UTC; as an end, the first that no longer counts."""
    at = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    return Micros(int(at.timestamp()) * SECOND)


def _instant(text: str) -> str:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("must be a day, as in 2031-01-31") from None
    return shaped(r"\d{4}-\d\d-\d\d", "must be a day, as in 2031-01-31")(text)


def _told(texts: Mapping[str, str]) -> Mapping[str, str]:
    if "en" not in texts:
        raise ValueError("must have an `en` text")
    if not all(0 < len(text) <= MAX_TEXT and text == text.strip() for text in texts.values()):
        raise ValueError(f"must have texts of 1 to {MAX_TEXT} characters without space around")
    return texts


Name = Annotated[str, AfterValidator(shaped(_KEBAB, "must be lower-case-words-with-hyphens"))]
ServiceName = Annotated[
    str, AfterValidator(shaped(f"{_KEBAB}/{_KEBAB}", "must be provider/service"))
]
PointerText = Annotated[
    str,
    AfterValidator(
        shaped(
            r"(/([A-Za-z0-9_-]+|\*))+", "must be a path such as /name/family or /children/*/name"
        )
    ),
]
Code = Annotated[
    str, AfterValidator(shaped(r"[A-Za-z][A-Za-z0-9-]*:[A-Za-z0-9-]+", "must be vocabulary:Term"))
]
Language = Annotated[
    str, AfterValidator(shaped(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "must be a language tag"))
]
Day = Annotated[str, AfterValidator(_instant)]
Texts = Annotated[dict[Language, str], AfterValidator(_told)]
Words = Annotated[str, AfterValidator(shaped(r"\S(.*\S)?", "must be a line of text"))]
Days = Annotated[int, Member(ge=1, le=3650)]


class Strict(BaseModel):
    """A document or a part of one: exactly its members, of exactly their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
