"""A person for tests: a browser of a hundred lines that can lie about every header and member."""

import http.client
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

MOST_STEPS = 12
REDIRECTS = {301, 302, 303, 307, 308}
Members = list[tuple[str, str]]


@dataclass(frozen=True)
class Form:
    """A form as it stands on a page; its members are what pressing the first button sends."""

    method: str
    action: str
    members: tuple[tuple[str, str], ...]
    buttons: tuple[tuple[str, str], ...]
    offered: tuple[tuple[str, str], ...]
    """Check boxes and radio buttons, ticked or not."""

    def value(self, name: str) -> str:
        """Return a member's value, such as the token against forgery."""
        return next(value for one, value in self.members if one == name)


@dataclass(frozen=True)
class Page:
    """What came back, and from where."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, empty where it is not there."""
        return ", ".join(value for one, value in self.headers if one.lower() == name)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def parsed(self) -> "_Reader":
        reader = _Reader()
        reader.feed(self.text)
        return reader

    @property
    def forms(self) -> list[Form]:
        return self.parsed.forms

    @property
    def links(self) -> list[str]:
        return self.parsed.links

    def form(self, action: str = "") -> Form:
        """Return the first form whose action ends so, but for those in the frame of all pages."""
        own = [one for one in self.forms if one.action.partition("?")[0].endswith(action)]
        return next(one for one in own if action or not one.action.endswith("/logout"))


@dataclass
class Someone:
    """Somebody's browser: cookies, language, and the origin that their forms come from."""

    gateway: str
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)

    def twin(self) -> Self:
        """Return another browser with the same cookies."""
        return replace(self, cookies=dict(self.cookies))

    def get(self, url: str, **headers: str | None) -> Page:
        """Get an address, ours or a full one, without following."""
        return self.send("GET", url, None, headers)

    def post(self, url: str, members: Iterable[tuple[str, str]], **headers: str | None) -> Page:
        """Post a form as a page of the same origin would; a header that is None is not sent."""
        told = urlsplit(urljoin(self.gateway, url))
        usual = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"{told.scheme}://{told.netloc}",
            "Sec-Fetch-Site": "same-origin",
        }
        return self.send("POST", url, urlencode(list(members)).encode(), {**usual, **headers})

    def send(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str | None]
    ) -> Page:
        """Send one request, and keep the cookies that come back."""
        full = urljoin(self.gateway, url)
        to = urlsplit(full)
        said = {"Accept-Language": self.language, "Accept": "text/html", **headers}
        if self.cookies and "Cookie" not in said:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=120)
        try:
            path = to.path + (f"?{to.query}" if to.query else "")
            sent = {name: value for name, value in said.items() if value is not None}
            connection.request(method, path or "/", body, sent)
            answer = connection.getresponse()
            page = Page(full, answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()
        for name, value in page.headers:
            if name.lower() == "set-cookie":
                self._keep(value)
        return page

    def _keep(self, line: str) -> None:
        first, *attributes = (part.strip() for part in line.split(";"))
        name, _, value = first.partition("=")
        if not value or any(one.lower() == "max-age=0" for one in attributes):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value.strip('"')

    def weight(self, page: Page) -> int:
        """Return the bytes of a page with its style and its pictures."""
        assets = {urljoin(page.url, one) for one in page.parsed.assets}
        return len(page.body) + sum(len(self.get(one).body) for one in assets)

    def follow(self, page: Page) -> Page:
        """Follow redirects, as a browser does: with GET."""
        for _ in range(MOST_STEPS):
            if page.status not in REDIRECTS:
                return page
            page = self.get(urljoin(page.url, page.header("location")))
        raise AssertionError(f"more than {MOST_STEPS} redirects, the last to {page.url}")

    def visit(self, url: str) -> Page:
        """Get an address and follow."""
        return self.follow(self.get(url))

    def submit(self, page: Page, form: Form, *more: tuple[str, str]) -> Page:
        """Send a form, with these members in place of its own of the same names, and follow."""
        named = {name for name, _ in more}
        members = [one for one in form.members if one[0] not in named] + list(more)
        url = urljoin(page.url, form.action or page.url)
        if form.method == "get":
            return self.visit(f"{url.partition('?')[0]}?{urlencode(members)}")
        return self.follow(self.post(url, members))

    def sign_in(self, name: str, level: str = "substantial", realm: str = "", to: str = "") -> Page:
        """Sign in at the try-out provider, and return the page that this leads to."""
        to = to or ("/officer" if realm else "/home")
        page = self.visit(f"{realm}/login?to={to}&level={level}")
        return self.follow(self.answer(page, name, level))

    def answer(self, page: Page, name: str, level: str) -> Page:
        """Answer the try-out provider's question, and do not follow where that leads."""
        form = page.form("/authorize")
        chosen = {"person": name, "level": level, "answer": "yes"}
        return self.post(urljoin(page.url, form.action), {**dict(form.members), **chosen}.items())


class _Reader(HTMLParser):
    """Reads forms and links, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.assets: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        elif tag == "link" and "href" in told:
            self.assets.append(told["href"])
        elif tag in {"img", "script"} and "src" in told:
            self.assets.append(told["src"])
        elif tag == "form":
            method, action = told.get("method", "get").lower(), told.get("action", "")
            self.forms.append(Form(method, action, (), (), ()))
            self._open = True
        elif self._open and tag in {"input", "button", "textarea"} and told.get("name"):
            self._member(tag, told)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False

    def _member(self, tag: str, told: dict[str, str]) -> None:
        form, pair = self.forms[-1], (told["name"], told.get("value", ""))
        kind = told.get("type", "submit" if tag == "button" else "text")
        if kind == "submit":
            form = replace(form, buttons=(*form.buttons, pair))
        elif kind in {"checkbox", "radio"}:
            form = replace(form, offered=(*form.offered, pair))
            if "checked" in told:
                form = replace(form, members=(*form.members, pair))
        else:
            form = replace(form, members=(*form.members, pair))
        self.forms[-1] = form
