"""A browser without a screen for tests: one request at a time, a jar of cookies, no redirects
followed unless asked; everything it sends can be seen and changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    url: str

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one.lower() == name.lower()), None)

    @property
    def location(self) -> str:
        """Return where the answer sends the browser, in full."""
        return urljoin(self.url, self.header("Location") or "")

    @property
    def cookies(self) -> dict[str, str]:
        """Return every `Set-Cookie` line by the cookie's name."""
        lines = [value for one, value in self.headers if one.lower() == "set-cookie"]
        return {line.partition("=")[0]: line for line in lines}

    def query(self) -> dict[str, str]:
        """Return the parameters of where it leads."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.location).query).items()}


@dataclass
class Browser:
    """Keeps cookies for the one host that all our servers share, as a real browser does."""

    jar: dict[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", url, None, headers)

    def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", url, urlencode(form), {**kind, **(headers or {})})

    def follow(self, answer: Answer, steps: int = 8) -> Answer:
        """Go where the answer leads until it leads nowhere."""
        for _ in range(steps):
            if answer.status not in {302, 303, 307}:
                return answer
            answer = self.get(answer.location)
        raise AssertionError("the redirects do not end")

    def send(
        self, method: str, url: str, body: str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        to = urlsplit(url)
        assert to.hostname is not None
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())}
        connection = HTTPConnection(to.hostname, to.port, timeout=120)
        try:
            path = (to.path or "/") + (f"?{to.query}" if to.query else "")
            sent = {**(kept if self.jar else {}), **self.headers, **(headers or {})}
            connection.request(method, path, body, sent)
            told = connection.getresponse()
            answer = Answer(told.status, told.getheaders(), told.read().decode(), url)
        finally:
            connection.close()
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        for name, line in answer.cookies.items():
            value = line.partition("=")[2].partition(";")[0]
            if "Max-Age=0" in line:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "input" and named.get("type") == "hidden":
            self.found[named.get("name") or ""] = named.get("value") or ""


def hidden(page: str) -> dict[str, str]:
    """Return the hidden members of the page's forms."""
    reader = _Fields()
    reader.feed(page)
    return reader.found


def pick(browser: Browser, page: Answer, person: str, level: str = "low") -> Answer:
    """Pick somebody on the try-out provider's page; the answer leads back to the gateway."""
    to = urlsplit(page.url)
    form = {**hidden(page.body), "person": person, "level": level, "answer": "yes"}
    return browser.post(f"{to.scheme}://{to.netloc}/authorize", form)


def sign_in(
    browser: Browser, gateway: str, person: str, to: str = "/home", level: str = "low"
) -> Answer:
    """Sign somebody in from the gateway's first address to the page that they wanted."""
    prefix = "/officer" if to.startswith("/officer") else ""
    asked = urlencode({"to": to, "level": level})
    page = browser.follow(browser.get(f"{gateway}{prefix}/login?{asked}"))
    return browser.follow(pick(browser, page, person, level))
