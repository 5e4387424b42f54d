"""Browser: as much of one as the story needs to do by itself what you would do with clicks."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

WITHIN = 15.0
MOST_STEPS = 12
MOST_BYTES = 1024 * 1024
REDIRECTS = frozenset({302, 303, 307})
Members = Sequence[tuple[str, str]]


class NotShown(Exception):
    """A page, or a part of it, is not there; the text says which and never whose."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A check box, a radio button or an option, and what stands beside it."""

    name: str
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it stands on a page: what it sends, and what a person may choose or press."""

    method: str
    action: str
    sent: tuple[tuple[str, str], ...] = ()
    choices: tuple[Choice, ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads, and what it says."""

    href: str
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """A page that came back."""

    url: str
    status: int
    text: str
    """All that a person reads on it."""
    forms: tuple[Form, ...]
    links: tuple[Link, ...]

    @property
    def path(self) -> str:
        """Return the page's path."""
        return urlsplit(self.url).path

    def form(self, button: str = "", *, action: str = "") -> Form:
        """Return the form with a button of a name or value, or to an address that ends so."""
        for form in self.forms:
            pressed = not button or any(button in pair for pair in form.buttons)
            if pressed and urlsplit(form.action).path.endswith(action):
                return form
        raise NotShown(f"the page {self.path} has no form {button or action!r}")

    def link(self, part: str) -> str:
        """Return the address of the first link that leads to a path with this part."""
        for link in self.links:
            if part in link.href:
                return urljoin(self.url, link.href)
        raise NotShown(f"the page {self.path} has no link to {part!r}")


@dataclass(slots=True)
class Browser:
    """One person's browser: it keeps cookies by host and follows where it is sent."""

    language: str = "en"
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def open(self, url: str) -> Page:
        """Return the page at an address, or raise `NotShown`."""
        return self._follow("GET", url, None)

    def press(self, page: Page, form: Form, *members: tuple[str, str]) -> Page:
        """Send a form with what was chosen and pressed, and return the page that comes of it."""
        named = {name for name, _ in members}
        sent = [pair for pair in form.sent if pair[0] not in named] + list(members)
        url = urljoin(page.url, form.action)
        if form.method == "get":
            return self.open(f"{url.partition('?')[0]}?{urlencode(sent)}")
        return self._follow("POST", url, sent)

    def _follow(self, method: str, url: str, sent: Members | None) -> Page:
        for _ in range(MOST_STEPS):
            status, to, html = self._ask(method, url, sent)
            if status not in REDIRECTS:
                return _page(url, status, html)
            method, sent, url = "GET", None, urljoin(url, to)
        raise NotShown(f"{urlsplit(url).path} leads round in circles")

    def _ask(self, method: str, url: str, sent: Members | None) -> tuple[int, str, str]:
        to = urlsplit(url)
        host = to.hostname or ""
        headers = {"Accept": "text/html", "Accept-Language": self.language}
        if held := self.cookies.get(host):
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in held.items())
        body = None
        if sent is not None:
            body = urlencode(list(sent)).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"{to.scheme}://{to.netloc}"
            headers["Sec-Fetch-Site"] = "same-origin"
        connection = http.client.HTTPConnection(host, to.port, timeout=WITHIN)
        try:
            connection.request(method, to._replace(scheme="", netloc="").geturl(), body, headers)
            answer = connection.getresponse()
            html = answer.read(MOST_BYTES).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise NotShown(f"{to.path} does not answer") from error
        finally:
            connection.close()
        self._keep(host, answer.headers.get_all("Set-Cookie", []))
        return answer.status, answer.headers.get("Location", ""), html

    def _keep(self, host: str, lines: Sequence[str]) -> None:
        held = self.cookies.setdefault(host, {})
        for line in lines:
            try:
                jar = SimpleCookie(line)
            except CookieError:
                continue
            for name, morsel in jar.items():
                if morsel.value and morsel["max-age"] != "0":
                    held[name] = morsel.value
                else:
                    held.pop(name, None)


def _page(url: str, status: int, html: str) -> Page:
    reader = _Reader()
    reader.feed(html)
    text = " ".join(" ".join(reader.words).split())
    labels = {key: " ".join(" ".join(said).split()) for key, said in reader.labels.items()}
    forms = tuple(one.form(labels) for one in reader.forms)
    return Page(url, status, text, forms, tuple(reader.links))


@dataclass(slots=True)
class _Open:
    """A form while it is read."""

    method: str
    action: str
    sent: list[tuple[str, str]] = field(default_factory=list)
    choices: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, value, and the id by which a label names it."""
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def form(self, labels: dict[str, str]) -> Form:
        """Return the form as it was read, its choices with their labels."""
        choices = (Choice(name, value, labels.get(key, "")) for name, value, key in self.choices)
        sent, buttons = tuple(self.sent), tuple(self.buttons)
        return Form(self.method, self.action, sent, tuple(choices), buttons)

    def take(self, tag: str, told: dict[str, str]) -> None:
        """Note a control that has a name; no other is sent."""
        if not told.get("name"):
            return
        pair = (told["name"], told.get("value", ""))
        kind = told.get("type", "submit" if tag == "button" else "text")
        match kind:
            case "submit":
                self.buttons.append(pair)
            case "checkbox" | "radio":
                self.choices.append((*pair, told.get("id", "")))
                if "checked" in told:
                    self.sent.append(pair)
            case _:
                self.sent.append(pair)


class _Reader(HTMLParser):
    """Reads forms, labels, links and words."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Open] = []
        self.links: list[Link] = []
        self.words: list[str] = []
        self.labels: dict[str, list[str]] = {}
        self._labelled: list[str] | None = None
        self._inside: _Open | None = None
        self._href: str | None = None
        self._select = ""
        self._said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        match tag:
            case "a":
                self._href, self._said = told.get("href"), []
            case "label":
                self._labelled = self.labels.setdefault(told.get("for", ""), [])
            case "form":
                self._inside = _Open(told.get("method", "get").lower(), told.get("action", ""))
                self.forms.append(self._inside)
            case "select":
                self._select = told.get("name", "")
            case "option" if self._inside and self._select:
                self._inside.choices.append((self._select, told.get("value", ""), ""))
                if "selected" in told:
                    self._inside.sent.append((self._select, told.get("value", "")))
            case "input" | "button" | "textarea" if self._inside:
                self._inside.take(tag, told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None
        elif tag == "select":
            self._select = ""
        elif tag == "label":
            self._labelled = None
        elif tag == "a" and self._href is not None:
            self.links.append(Link(self._href, " ".join(" ".join(self._said).split())))
            self._href = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._href is not None:
            self._said.append(data)
        if self._labelled is not None:
            self._labelled.append(data)
