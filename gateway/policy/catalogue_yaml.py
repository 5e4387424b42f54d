"""Strict YAML: one plain document, every value with the line on which it stands."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from gateway.policy.fault import Fault
from kernel.canonical import MAX_SAFE_INTEGER, Json

MAX_DEPTH = 12
MAX_CHARACTERS = 64 * 1024
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_WORDS: Mapping[str, Json] = {"true": True, "false": False, "null": None, "": None}

Place = tuple[str | int, ...]
"""The way from the top of a document to a value: member names and item numbers."""


class BadYaml(ValueError):
    """The text is not YAML that we accept."""

    def __init__(self, line: int, sentence: str) -> None:
        """Keep the line, and one plain sentence."""
        super().__init__(sentence)
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Document:
    """The value of one YAML text, and the line of each place in it."""

    file: str
    value: Json
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest place around it that is there."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def fault(self, place: Place, sentence: str) -> Fault:
        """Return a fault at a place."""
        return Fault(self.file, self.line(place), sentence)


def read_yaml(file: str, text: str) -> Document:
    """Return the document in a text, or raise `BadYaml`: anchors, aliases, tags, directives, a
    second document, a repeated or non-text key, too large or too deep. Only `true`, `false`,
    `null` and decimal integers are no text when unquoted, so `no` is a country and a date a text.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadYaml(1, f"the file is larger than {MAX_CHARACTERS} characters")
    try:
        events = _Events(yaml.parse(text, Loader=yaml.BaseLoader))
        value = events.document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadYaml(line, f"this is not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise BadYaml(1, "the file holds a character that YAML does not allow") from error
    return Document(file, value, events.lines)


@dataclass(slots=True)
class _Events:
    """Builds the value out of the parser's events, and notes the lines."""

    events: Iterator[yaml.Event]
    lines: dict[Place, int] = field(default_factory=dict)

    def document(self) -> Json:
        self._next()
        start = self._next()
        if not isinstance(start, yaml.DocumentStartEvent):
            raise BadYaml(1, "the file is empty")
        if start.version or start.tags:
            raise BadYaml(_line(start), "a directive is not allowed")
        value = self._value(self._next(), ())
        self._next()
        if not isinstance(more := self._next(), yaml.StreamEndEvent):
            raise BadYaml(_line(more), "a second document is not allowed in one file")
        return value

    def _next(self) -> yaml.Event:
        return next(self.events)

    def _value(self, event: yaml.Event, place: Place) -> Json:
        if not isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent) or event.anchor:
            raise BadYaml(_line(event), "anchors and aliases are not allowed: write it out")
        if event.tag is not None:
            raise BadYaml(_line(event), "a tag is not allowed")
        if len(place) > MAX_DEPTH:
            raise BadYaml(_line(event), f"this nests deeper than {MAX_DEPTH} levels")
        self.lines.setdefault(place, _line(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(place)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        return self._members(place)

    def _items(self, place: Place) -> Json:
        items: list[Json] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _members(self, place: Place) -> Json:
        members: dict[str, Json] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                raise BadYaml(_line(event), "a member's name must be plain text")
            name = event.value
            if name in members:
                raise BadYaml(_line(event), f"`{name}` stands here twice")
            self.lines[*place, name] = _line(event)
            members[name] = self._value(self._next(), (*place, name))
        return members


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Json:
    text: str = event.value
    if event.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        if len(text) > len("-9007199254740991") or abs(int(text)) > MAX_SAFE_INTEGER:
            raise BadYaml(_line(event), "this number is too large")
        return int(text)
    return text
