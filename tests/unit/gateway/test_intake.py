"""Intake: a body is there, whole and small, before the application runs; or it is told why not."""

import threading
from io import BytesIO

import pytest
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from gateway import intake

LIMIT = 8


class Trickle(BytesIO):
    """A body that comes in pieces of two bytes."""

    def read(self, size=-1):
        return super().read(min(size, 2))


class Stuck:
    """A body that never comes."""

    def __init__(self):
        self.over = threading.Event()

    def read(self, _=-1):
        self.over.wait()
        return b""


def arrived(stream, **environ):
    """Return what the application reads."""
    read = []

    def application(environ, start_response):
        read.append(environ["wsgi.input"].read())
        return []

    intake.Intake(application, LIMIT)({"wsgi.input": stream, **environ}, None)
    return read[0]


@pytest.mark.parametrize("size", [1, LIMIT])
def test_a_body_that_came_whole_is_handed_on(size):
    assert arrived(Trickle(b"x" * size), CONTENT_LENGTH=str(size)) == b"x" * size
    assert arrived(Trickle(b"x" * size), HTTP_TRANSFER_ENCODING="chunked") == b"x" * size


@pytest.mark.parametrize("length", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}])
def test_without_a_length_there_is_no_body(length):
    assert arrived(BytesIO(b"smuggled"), **length) == b""


@pytest.mark.parametrize("said", [{"CONTENT_LENGTH": "9"}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(said):
    with pytest.raises(RequestEntityTooLarge):
        arrived(BytesIO(b"x" * 9), **said)


def test_a_body_shorter_than_it_says_is_refused():
    with pytest.raises(BadRequest):
        arrived(BytesIO(b"abc"), CONTENT_LENGTH="5")


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(intake, "WITHIN", 0.01)
    stuck = Stuck()
    with pytest.raises(BadRequest):
        arrived(stuck, CONTENT_LENGTH="5")
    stuck.over.set()


def test_an_application_that_does_not_read_is_not_disturbed_by_a_bad_body():
    served = intake.Intake(lambda environ, start_response: [b"fine"], LIMIT)
    assert served({"wsgi.input": BytesIO(), "CONTENT_LENGTH": "99"}, None) == [b"fine"]
