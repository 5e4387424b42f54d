"""Log: one JSON line per request or event, on standard error, about nobody."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import orjson
import structlog

from kernel.clock import Clock, Micros, SystemClock, rfc3339
from kernel.trace import current

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_SYSTEM = SystemClock()
MOST = 4096
"""Characters of what a library says."""


class _Lines(structlog.WriteLogger):
    """Writes each line in one piece, since a library's thread writes to the same place; one that
    a full disk does not take is lost, and no answer with it."""

    def msg(self, message: str) -> None:
        """Write a line, or lose it."""
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warning = error = critical = msg


class Formatter(logging.Formatter):
    """What a library says, as a line like ours: of an error its type and place alone."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "event": record.getMessage()[:MOST],
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": rfc3339(Micros(int(record.created * 1_000_000))),
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            line |= {"kind": kind.__qualname__, "where": _place(trace)}
        return _written(line)


SERVER: dict[str, Any] = {
    "formatters": {"generic": {"()": Formatter}},
    "handlers": {
        "console": {"formatter": "generic", "class": "logging.StreamHandler", "stream": sys.stderr}
    },
    "loggers": {"_granian": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
"""How the server under the gateway logs: likewise."""


def configure(level: str, clock: Clock = _SYSTEM) -> None:
    """Set up structlog; libraries speak from warnings on, since some print tokens below that."""

    def written(_: object, method: str, line: MutableMapping[str, Any]) -> str:
        line["level"], line["timestamp"] = method, rfc3339(clock.now())
        return _written(line)

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.configure(
        processors=[written],  # one for all: each more would cost every request some of its time
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Lines(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _written(line: MutableMapping[str, Any]) -> str:
    """Return a line with the trace of the request at hand, as answers tell it and as other hosts'
    logs have it, in JSON."""
    if (trace := current()) is not None:
        line["trace"], line["trace_id"] = trace.name, trace.id
    return orjson.dumps(line, default=repr, option=orjson.OPT_SORT_KEYS).decode()


def fault(error: Exception, exchange: str) -> None:
    """Report a fault that should not exist: its type and place, never its text or its values."""
    structlog.get_logger().error(
        "fault",
        kind=type(error).__qualname__,
        where=_place(error.__traceback__),
        exchange=exchange,
    )


def _place(place: TracebackType | None) -> str:
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown"
    return where.rpartition("/")[2]
