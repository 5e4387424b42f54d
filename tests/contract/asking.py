"""Asking a source, and reading its refusal."""

import pytest

from adapters.base import Source
from kernel.canonical import Json
from kernel.clock import Deadline, SystemClock
from kernel.errors import Refusal
from kernel.names import Pointer, Subject

SECRET_WORDS = ("RN-1", "Ünal", "Amina", "person", "people")


def soon(seconds: float = 20.0) -> Deadline:
    """Return a deadline that a healthy source keeps."""
    return Deadline.within(seconds, SystemClock())


def person(value: str) -> Subject:
    """Return the person with this number."""
    return Subject("resident-number", value)


def ask(source: Source, *fields: str, number: str = "RN-1", seconds: float = 20.0) -> Json:
    """Fetch some fields of a person."""
    return source.fetch(person(number), frozenset(map(Pointer, fields)), soon(seconds))


def refusal(source: Source, *fields: str, seconds: float = 20.0) -> Refusal:
    """Return the refusal of a fetch, which names the source and nothing of the person."""
    with pytest.raises(Refusal) as refused:
        ask(source, *fields, seconds=seconds)
    assert "register" in refused.value.detail
    assert "RN-1" not in refused.value.detail
    assert refused.value.exact is None
    return refused.value
