"""Rego, cut into words: comments and strings are told apart from code, nothing is evaluated."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<comment>\#[^\n]*)
      | (?P<template>\$["`])
      | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9][0-9A-Za-z_.]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of Rego: its kind, its text, its line, and whether it begins that line."""

    kind: str
    text: str
    line: int
    first: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """A dotted name in the code; `["x"]` counts as `.x`, as it does in Rego."""

    parts: tuple[str, ...]
    line: int
    called: bool
    open_ended: bool
    """Whether a bracket follows whose content is only known when the rule is evaluated."""
    first: bool
    """Whether it begins a line, as a rule's name does."""
    before: str
    """The word in front of it."""

    @property
    def name(self) -> str:
        """Return the dotted name."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Module:
    """One Rego file as words."""

    tokens: tuple[Token, ...]

    @classmethod
    def of(cls, text: str) -> "Module":
        """Return the words of a text, comments and space left out."""
        tokens: list[Token] = []
        line = 1
        for match in _TOKEN.finditer(text):
            kind, word = str(match.lastgroup), match[0]
            if kind not in {"space", "comment"}:
                first = match.start() == 0 or text[match.start() - 1] == "\n"
                tokens.append(Token(kind, word, line, first))
            line += word.count("\n")
        return cls(tuple(tokens))

    @property
    def heads(self) -> frozenset[str]:
        """Return the names of its rules: the words that begin a line, `default` aside."""
        names = {token.text for token in self.tokens if token.kind == "name" and token.first}
        names |= {
            name.text
            for word, name in zip(self.tokens, self.tokens[1:], strict=False)
            if word.first and word.text == "default"
        }
        return frozenset(names - {"default", "import", "package"})

    def references(self) -> Iterator[Reference]:
        """Yield every dotted name in the code, in order."""
        place = 0
        while place < len(self.tokens):
            token = self.tokens[place]
            if token.kind != "name":
                place += 1
                continue
            parts, after = self._parts(place)
            yield Reference(
                parts=parts,
                line=token.line,
                called=self._sign(after) == "(",
                open_ended=self._sign(after) == "[",
                first=token.first,
                before=self.tokens[place - 1].text if place else "",
            )
            place = after

    def _parts(self, place: int) -> tuple[tuple[str, ...], int]:
        parts = [self.tokens[place].text]
        place += 1
        while True:
            if self._sign(place) == "." and self._kind(place + 1) == "name":
                parts.append(self.tokens[place + 1].text)
                place += 2
            elif (
                self._sign(place) == "["
                and self._kind(place + 1) == "string"
                and self._sign(place + 2) == "]"
            ):
                parts.append(_unquoted(self.tokens[place + 1].text))
                place += 3
            else:
                return tuple(parts), place

    def _sign(self, place: int) -> str:
        return self.tokens[place].text if self._kind(place) == "sign" else ""

    def _kind(self, place: int) -> str:
        return self.tokens[place].kind if place < len(self.tokens) else ""


def modules(rules: Mapping[str, str]) -> Mapping[str, Module]:
    """Return the words of each Rego file, by path."""
    return {path: Module.of(text) for path, text in sorted(rules.items())}


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        return text
