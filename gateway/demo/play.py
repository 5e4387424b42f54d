"""Play: the demo from the first file to the last word."""

import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.demo.agencies import asking
from gateway.demo.country import Country, Place, document, found
from gateway.demo.processes import Processes, Program
from gateway.demo.state import prepare, write_document
from gateway.demo.story import ASKER, BEYOND, Story
from gateway.demo.waiting import Clicks
from kernel.names import Pointer

Say = Callable[[str], None]


def play(state: Path, port: int, *, leave: bool, say: Say) -> None:
    """Set the country up, tell its story, and stay until told to stop, or `leave` at once.

    Raises `NotOurs`, `NotStarted` or `StoryBroken`, each with plain words.
    """
    Processes.claim(port, port + 1, port + 2)
    place = Place(prepare(state), port)
    country = found(place)
    processes = Processes(
        place.state / "logs", lambda name: _restarted(country, processes, name, say)
    )
    signal.signal(signal.SIGTERM, lambda _, __: sys.exit(0))
    try:
        processes.start(programs(country))
        write_document(place.state / "demo.json", document(country, processes.pids()))
        Story(country, say, None if leave else Clicks(sys.stdin, say)).tell()
        if not leave:
            _tell_addresses(country, say)
            signal.pause()
    except KeyboardInterrupt:
        say("")
    finally:
        processes.stop()


def programs(country: Country) -> list[Program]:
    """Return what runs beside the story: the sources that are processes, and the gateway."""
    place, sources = country.place, country.sources
    tax = [
        "gateway.demo.sources.tax",
        "--port",
        str(place.port + 2),
        "--data",
        str(sources.returns),
        "--secret-file",
        str(sources.secret),
    ]
    signin = [
        "gateway.demo.signin",
        "--port",
        str(place.port + 1),
        "--data",
        str(place.state / "signin" / "people.json"),
    ]
    return [
        Program("signin", signin, country.environ(), f"{place.signin}/healthz"),
        Program("tax", tax, country.environ(), f"{place.tax}/healthz"),
        Program(
            "gateway",
            ["gateway", "serve", "--port", str(place.port)],
            country.environ(),
            f"{place.gateway}/readyz",
        ),
    ]


def _restarted(country: Country, processes: Processes, name: str, say: Say) -> None:
    write_document(country.place.state / "demo.json", document(country, processes.pids()))
    say(f"The process {name!r} ended and was started again.")


def _tell_addresses(country: Country, say: Say) -> None:
    service = BEYOND[0]
    line = asking(country, ASKER, service, [Pointer("/name/family")])
    consenting = country.sources.people[1].number
    shown = [part.replace(country.amina.number, consenting) for part in line]
    say(
        f"\nThe gateway stays up at {country.place.gateway}; settings and people are in"
        f" {country.place.state / 'demo.json'}.\nSign in there as any resident; the officer's pages"
        f" are at {country.place.gateway}/officer.\nTry, for somebody with a standing consent:\n"
        f"\n  {shlex.join(['python', '-m', *shown])}\n\nCtrl-C ends it."
    )
