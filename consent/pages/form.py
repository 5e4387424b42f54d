"""Form: what a page was sent, parsed once; unknown, repeated and oversized members are refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from kernel.errors import Reason, Refusal

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_MEMBERS = 160
"""As many as an agreement may have facts, and some."""
MAX_LENGTH = 200
TOKEN = "token"  # noqa: S105 - the member's name
"""The member in which every form carries the session's token."""


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """The members of a form as they came; a page takes all that it knows, once."""

    members: Mapping[str, Sequence[str]]

    def take(self, *once: str, many: Sequence[str] = (), longer: int = MAX_LENGTH) -> "Taken":
        """Return the members that a page knows, or raise `Refusal` where there are others, where
        one that belongs there once is repeated, or where a text is longer than it may be."""
        known = {*once, *many, TOKEN}
        for name, values in self.members.items():
            if name not in known:
                raise malformed("The form holds a member that this page does not know.")
            if len(values) > 1 and name not in many:
                raise malformed("The form holds a member twice.")
            if any(len(value) > longer for value in values):
                raise malformed("A text in the form is longer than it may be.")
        return Taken(self.members)


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """Members whose names, number and length were checked."""

    members: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """Return a member's text without the space around it, empty where it is missing."""
        return next(iter(self.members.get(name, ())), "").strip()

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a member."""
        return tuple(self.members.get(name, ()))


def parse_form(body: bytes, media_type: str) -> Form:
    """Return a form, or raise `Refusal` where the body is no form of UTF-8 text."""
    if media_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Refusal(Reason.REQUEST_MEDIA_TYPE, f"A page takes {MEDIA_TYPE}.")
    if not body.isascii():
        raise malformed("The form holds a character that was not encoded.")
    return Form(_members(body.decode("ascii")))


def parse_query(query: str) -> Form:
    """Return the parameters of an address as a form."""
    return Form(_members(query))


def _members(text: str) -> Mapping[str, Sequence[str]]:
    if not text:
        return {}
    members: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_MEMBERS,
        )
    except ValueError:
        raise malformed("The form cannot be read, or has too many members.") from None
    for name, value in pairs:
        if any(ord(one) < ord(" ") and one not in "\r\n\t" for one in name + value):
            raise malformed("The form holds a character that is no text.")
        members.setdefault(name, []).append(value)
    return members


def malformed(why: str) -> Refusal:
    """Return the refusal of something that no page of ours sends."""
    return Refusal(Reason.REQUEST_MALFORMED, why)
