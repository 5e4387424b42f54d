"""Log: one JSON line on standard error, and of a fault its type and place alone."""

import json
import logging
import sys

import pytest
import structlog

from gateway.observing.log import LEVELS, configure, fault
from kernel.trace import Trace, follow


@pytest.fixture(autouse=True)
def configuration():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def lines(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    return [json.loads(line) for line in told.err.splitlines()]


def look_up(number):
    return {"RN-1234566": 1}[number]


def raised():
    try:
        look_up("RN-7654321")
    except KeyError as error:
        return error


def test_a_line_is_json_with_its_level_and_time(capsys):
    configure("info")
    structlog.get_logger().info("answered", status=200)
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["status"]) == ("answered", "info", 200)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_below_the_level_is_not_told(capsys, level):
    configure(level)
    for name in LEVELS:
        getattr(structlog.get_logger(), name)(name)
    order = list(LEVELS)
    assert [line["level"] for line in lines(capsys)] == order[order.index(level) :]


def test_libraries_speak_from_warnings_on(capsys):
    configure("debug")
    logging.getLogger("some.library").info("token eyJ…")
    assert capsys.readouterr().err == ""


@pytest.fixture
def request_at_hand():
    follow(Trace("0af7651916cd43dd8448eb211c80319c", 1, None, sampled=True))
    yield
    follow(None)


def test_every_line_of_a_request_has_its_trace_as_answers_and_other_hosts_tell_it(
    capsys, request_at_hand
):
    configure("info")
    structlog.get_logger().info("answered")
    logging.getLogger("some.library").warning("it is late")
    for line in lines(capsys):
        assert line["trace"] == "tr_bl3wkgiwzvb53bci5mqrzabrtq"
        assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_outside_of_a_request_a_line_has_no_trace(capsys):
    configure("info")
    structlog.get_logger().info("begun")
    (line,) = lines(capsys)
    assert not {"trace", "trace_id"} & line.keys()


def test_what_a_library_says_is_a_line_like_ours_bounded_and_without_an_errors_text(capsys):
    configure("info")
    try:
        look_up("RN-7654321")
    except KeyError:
        logging.getLogger("some.library").exception("%s\n{}", "x" * 10_000)
    (line,) = lines(capsys)
    assert (line["level"], line["logger"], line["kind"]) == ("error", "some.library", "KeyError")
    assert line["where"] == f"test_log.py:{look_up.__code__.co_firstlineno + 1}"
    assert len(line["event"]) == 4096
    assert "RN-" not in json.dumps(line)


def test_a_fault_tells_its_type_and_place_and_never_its_values(capsys):
    configure("error")
    fault(raised(), "ex_1")
    (line,) = lines(capsys)
    assert (line["event"], line["kind"], line["exchange"]) == ("fault", "KeyError", "ex_1")
    assert line["where"] == f"test_log.py:{look_up.__code__.co_firstlineno + 1}"
    assert "RN-" not in json.dumps(line)


def test_a_fault_that_was_never_raised_has_no_place(capsys):
    configure("error")
    fault(ValueError("RN-1234566"), "-")
    (line,) = lines(capsys)
    assert line["where"] == "unknown"


def test_a_line_that_a_full_disk_does_not_take_is_lost_quietly(monkeypatch):
    class Full:
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    configure("info")
    structlog.get_logger().error("answered", status=200)
