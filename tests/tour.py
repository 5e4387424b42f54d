"""Tour: every page that links lead to, found as a visitor finds them and named by its route."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urljoin, urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from gateway.http.routes import PEOPLE, ROUTES
from tests.person import Page, Someone

PAGE_ROUTES = [one for one in ROUTES if one.audience in PEOPLE]
NOT_VISITED = {"/login", "/officer/login", "/login/callback", "/officer/login/callback"}
"""Where a visit would change who is signed in."""
MOST = 100
PAGED = {"before", "to", "lang", "v"}
"""Parameters that lead to more of the same."""

_ELEMENT = re.compile(r"<[a-z][^\s>]*(?:[^>]* class=\"[^\"]*\")?")
_URLS = Map(
    [
        Rule(one.rule, endpoint=one.rule, methods=[one.method])
        for one in ROUTES
        if one.method == "GET"
    ],
    merge_slashes=False,
).bind("")


@dataclass(frozen=True, order=True)
class Stop:
    """One page as the table of routes names it, with the parameters that make it another."""

    rule: str
    parameters: tuple[str, ...] = ()


def stop_of(path: str) -> Stop | None:
    """Return what page an address is, or None where nothing is served."""
    parts = urlsplit(path)
    try:
        rule, _ = _URLS.match(parts.path, method="GET")
    except HTTPException:
        return None
    asked = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)} - PAGED)
    return Stop(rule, tuple(asked))


@dataclass
class Tour:
    """The pages of one visitor: an address for each, and what was wrong on the way."""

    paths: dict[Stop, str] = field(default_factory=dict)
    posts: dict[str, str] = field(default_factory=dict)
    """The addresses that forms are sent to, and the page that each form stands on."""
    broken: list[str] = field(default_factory=list)
    files: set[Stop] = field(default_factory=set)
    """Addresses that answer with a file, or send the reader on."""

    shapes: dict[Stop, frozenset[str]] = field(default_factory=dict)
    """The elements with their classes on each page: what there is to get wrong."""

    def rules(self) -> set[str]:
        """Return the rules of all pages found."""
        return {one.rule for one in self.paths}


def walk(visitor: Someone, starts: Iterable[str]) -> Tour:
    """Open every page that can be reached by links, each kind once."""
    tour, waiting = Tour(), list(starts)
    while waiting:
        path = waiting.pop(0)
        stop = stop_of(path)
        if stop is None:
            tour.broken.append(f"{path} is no address of ours")
        elif stop not in tour.paths and stop.rule not in NOT_VISITED:
            tour.paths[stop] = path
            page = visitor.get(path)
            if page.status == 303 or not page.header("content-type").startswith("text/html"):
                tour.files.add(stop)
            else:
                tour.shapes[stop] = frozenset(_ELEMENT.findall(page.text))
            waiting += _further(tour, visitor, path, page)
        assert len(tour.paths) < MOST, f"more than {MOST} kinds of pages"
    return tour


def _further(tour: Tour, visitor: Someone, path: str, page: Page) -> list[str]:
    if page.status == 303:
        return [page.header("location")]
    if page.status != 200:
        tour.broken.append(f"{path} answers {page.status}")
        return []
    if not page.header("content-type").startswith("text/html"):
        return []
    for form in page.forms:
        if form.method == "post":
            tour.posts.setdefault(urlsplit(urljoin(page.url, form.action)).path, path)
    found = [urljoin(page.url, one) for one in (*page.links, *page.parsed.assets)]
    ours = [urlsplit(one) for one in found if one.startswith(visitor.gateway)]
    return [one._replace(scheme="", netloc="", fragment="").geturl() for one in ours]


def different(tours: Iterable[tuple[str, Tour]]) -> Iterator[tuple[str, Stop, str]]:
    """Yield who, stop and address of every page that has something which no page of the same stop
    before it had."""
    known: dict[Stop, frozenset[str]] = {}
    for who, tour in tours:
        for stop, shape in tour.shapes.items():
            if not shape <= known.get(stop, frozenset()):
                known[stop] = known.get(stop, frozenset()) | shape
                yield who, stop, tour.paths[stop]
