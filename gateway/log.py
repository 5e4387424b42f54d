"""Log: one JSON line per request or event, on standard error, about nobody."""

import logging
import sys
from contextlib import suppress

import structlog

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Lines(structlog.PrintLogger):
    """Writes lines; one that a full disk does not take is lost, and no answer with it."""

    def msg(self, message: str) -> None:
        """Write a line, or lose it."""
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warning = error = critical = msg


def configure(level: str) -> None:
    """Set up structlog; libraries speak from warnings on, since some print tokens below that."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s", force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Lines(sys.stderr),
        cache_logger_on_first_use=True,
    )


def fault(error: Exception, exchange: str) -> None:
    """Report a fault that should not exist: its type and place, never its text or its values."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown"
    structlog.get_logger().error(
        "fault", kind=type(error).__qualname__, where=where.rpartition("/")[2], exchange=exchange
    )
