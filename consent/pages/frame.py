"""Frame: what every page has in common: who reads it, that a form is its own, how it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import quote

from flask import current_app, g, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from consent.model import Person
from consent.offer import Level
from consent.pages.assets import Assets
from consent.pages.errors import words_for
from consent.pages.form import TOKEN, Form, Taken, malformed, parse_form, parse_query
from consent.pages.language import LANGUAGES, Language, chosen
from consent.pages.ports import OFFICER, RESIDENT, FindReader, Reader
from consent.pages.way_back import way_back
from kernel.clock import Clock, Micros
from kernel.errors import Reason, Refusal

_COOKIES = {RESIDENT: "__Host-resident", OFFICER: "__Host-officer"}
_LOGIN = {RESIDENT: "/login", OFFICER: "/officer/login"}
_START = {RESIDENT: "/home", OFFICER: "/officer"}
_LEVELS = tuple(Level)
SEE_OTHER = 303
NAME = "Causeway"


class NotFromHere(Refusal):
    """A form that is not from our page, or from one that is too old: nothing was done."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Reason.REQUEST_MALFORMED, "The form is not from this page, or too old.")


@dataclass(frozen=True, slots=True, repr=False)
class Visit:
    """One request of a browser: who reads, in which language, at which moment."""

    frame: "Frame"
    who: Reader | None
    language: Language
    at: Micros
    path: str
    trace: str
    form: Form = field(default_factory=lambda: Form({}))
    """What a POST brought; its token was checked where somebody is signed in."""

    @property
    def reader(self) -> Reader:
        """Return who is signed in; the audience of the address says that somebody is."""
        if self.who is None:
            raise Refusal(Reason.INTERNAL, "A page for people who are signed in was left open.")
        return self.who

    @property
    def person(self) -> Person:
        """Return the resident who is signed in."""
        if (person := self.reader.person) is None:
            raise Refusal(Reason.INTERNAL, "A page for residents was opened for somebody else.")
        return person

    def asked(self, name: str) -> str:
        """Return a parameter of the address, empty where it is missing; a repeated one is none."""
        values = parse_query(request.query_string.decode("latin-1")).members.get(name, ())
        return values[0].strip() if len(values) == 1 and len(values[0]) <= MAX_PARAMETER else ""

    def page(self, template: str, status: int = 200, **context: object) -> Response:
        """Return a page in the reader's language."""
        return self.frame.rendered(self, template, status, context)

    def go(self, path: str) -> Response:
        """Send the reader on to an address of ours (POST, redirect, GET)."""
        answer = Response(status=SEE_OTHER)
        answer.headers["Location"] = path
        return answer

    def allows(self, level: Level) -> bool:
        """Say whether the reader signed in at a level, or a higher one."""
        return _LEVELS.index(self.reader.level) >= _LEVELS.index(level)

    def sign_in(self, level: Level, back: str) -> Response:
        """Send the reader to sign in at a level, and then back to a page of ours (RFC 9470)."""
        realm = self.who.realm if self.who else RESIDENT
        return self.go(f"{_LOGIN[realm]}?to={quote(back, safe='/')}&level={level.value}")


PageView = Callable[..., Response]
MAX_PARAMETER = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """Guards and renders every page."""

    public_url: str
    """Where our forms come from; never the request's own word."""
    signin_origins: tuple[str, ...]
    """The origins of the sign-in providers; none where sign-in is not set up."""
    find: FindReader
    clock: Clock
    assets: Assets = field(default_factory=Assets)

    def for_resident(self, view: PageView) -> PageView:
        """Return a view that only a resident who is signed in reaches."""
        return self._guarded(view, RESIDENT)

    def for_officer(self, view: PageView) -> PageView:
        """Return a view that only an officer who is signed in reaches."""
        return self._guarded(view, OFFICER)

    def for_visitor(self, view: PageView) -> PageView:
        """Return a view that everybody reaches; residents who are signed in are known."""

        def shown(**parts: str) -> Response:
            posted = request.method == "POST"
            if posted:
                self._from_here()
            visit = self._visit(self._reader(RESIDENT), posted=posted)
            return self.dressed(view(visit, **parts))

        return shown

    def _guarded(self, view: PageView, realm: str) -> PageView:
        def shown(**parts: str) -> Response:
            posted = request.method == "POST"
            if posted:
                self._from_here()
            if (who := self._reader(realm)) is None:
                return self.dressed(self._lost(realm, posted=posted))
            return self.dressed(view(self._visit(who, posted=posted), **parts))

        return shown

    def _reader(self, realm: str) -> Reader | None:
        cookie = request.cookies.get(_COOKIES[realm], "")
        return self.find(realm, cookie) if cookie else None

    def _visit(self, who: Reader | None, *, posted: bool) -> Visit:
        form = Form({})
        if posted:
            form = parse_form(request.get_data(), request.headers.get("Content-Type", ""))
            _check_token(form.take(*form.members, many=tuple(form.members), longer=10**6), who)
        return Visit(self, who, chosen(), self.clock.now(), request.path, g.trace, form)

    def _from_here(self) -> None:
        """Refuse a form that another site sent: both headers are the browser's own (Fetch §3.2,
        Fetch Metadata §2.2), and one that is missing is no excuse for the other."""
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        if origin != self.public_url or site not in {None, "same-origin"}:
            raise NotFromHere

    def _lost(self, realm: str, *, posted: bool) -> Response:
        query = "" if posted else request.query_string.decode("latin-1")
        path = page_of(request.path)
        back = (path and way_back(path, query)) or _START[realm]
        answer = Response(status=SEE_OTHER)
        answer.headers["Location"] = f"{_LOGIN[realm]}?to={quote(back, safe='/')}"
        return answer

    def rendered(
        self, visit: Visit, template: str, status: int, context: dict[str, object]
    ) -> Response:
        """Return a page from its template."""
        body = render_template(
            template,
            site=NAME,
            visit=visit,
            language=visit.language,
            languages=tuple(LANGUAGES.values()),
            here=_here(visit.path),
            style=self.assets.address("style.css"),
            icon=self.assets.address("icon.svg"),
            signin=bool(self.signin_origins),
            **context,
        )
        return Response(body, status, content_type="text/html; charset=utf-8")

    def refused(self, refusal: Refusal, status: int) -> Response:
        """Return a refusal as a page that says what to do next, with its trace."""
        visit = Visit(self, None, chosen(), self.clock.now(), request.path, g.trace)
        words = words_for(refusal.reason, too_old=isinstance(refusal, NotFromHere))
        again = page_of(request.path) if isinstance(refusal, NotFromHere) else refusal.back
        answer = visit.page("error.html", status, words=words, again=again)
        return self.dressed(answer)

    def dressed(self, answer: Response) -> Response:
        """Put the headers of every page on an answer; nothing foreign is loaded or framed."""
        form_action = " ".join(("'self'", *self.signin_origins))
        policy = (
            "default-src 'none'; style-src 'self'; img-src 'self'; "
            f"form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
        )
        for name, value in {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            # Under `no-referrer` a browser sends our own forms with `Origin: null` (Fetch §3.2).
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Content-Language", chosen().tag)
        answer.headers.add("Vary", "Cookie, Accept-Language")
        return answer


def _check_token(taken: Taken, who: Reader | None) -> None:
    """Refuse a form without its session's token; where nobody is signed in there is none."""
    if len(taken.all(TOKEN)) > 1:
        raise malformed("The form holds a member twice.")
    sent = taken.one(TOKEN)
    if who is not None and not compare_digest(sent.encode(), who.csrf.encode()):
        raise NotFromHere


def _here(path: str) -> str:
    """Return the address to come back to in another language."""
    query = request.query_string.decode("latin-1") if request.method == "GET" else ""
    page = page_of(path)
    return f"{page}?{query}" if page and query else page or "/"


def page_of(path: str) -> str | None:
    """Return an address of ours if it is one of a page that can be looked at, else None."""
    adapter = current_app.url_map.bind("", url_scheme="http")
    try:
        adapter.match(path, method="GET")
    except HTTPException:
        return None
    return path
