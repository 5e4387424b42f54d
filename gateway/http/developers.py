"""Developers: the API's description, and what each reason means, as pages of this house."""

from collections.abc import Callable
from html import escape
from pathlib import Path

from werkzeug.wrappers import Response

from gateway.http.problems import EXPLANATIONS, Explanation
from gateway.http.views import text
from kernel.errors import Reason, Refusal

HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class DeveloperViews:
    """What those who write an agency's system read."""

    def __init__(self, address: Callable[[str], str]) -> None:
        """Take where each asset is."""
        self._style, self._more, self._icon = map(
            address, ("style.css", "developers.css", "icon.svg")
        )

    def error_page(self, reason: str) -> Response:
        """GET /errors/{reason}: what a reason code means and what to do about it."""
        try:
            known = Reason(reason)
        except ValueError:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such reason.") from None
        explanation = EXPLANATIONS[known]
        return self._page(explanation.title, _explain(known, explanation))

    def openapi(self) -> Response:
        """GET /openapi.json: the API's description (OpenAPI 3.1)."""
        document = (HERE / "openapi.json").read_text(encoding="utf-8")
        return text(document, "application/json")

    def docs(self) -> Response:
        """GET /docs: the same, to read."""
        return self._page("The API", (HERE / "docs.html").read_text(encoding="utf-8"))

    def _page(self, title: str, main: str) -> Response:
        body = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>Causeway: {escape(title)}</title>\n"
            f'<link rel="stylesheet" href="{self._style}">\n'
            f'<link rel="stylesheet" href="{self._more}">\n'
            f'<link rel="icon" href="{self._icon}" type="image/svg+xml">\n</head>\n<body>\n'
            '<a class="skip" href="#main">Skip to the content</a>\n'
            '<header class="top"><div class="wide top-row"><a class="brand" href="/docs">'
            f'<img class="mark" src="{self._icon}" alt="" width="28" height="28">'
            '<span>Causeway</span></a><nav aria-label="For developers"><ul class="developers">'
            '<li><a href="/docs">The API</a></li><li><a href="/docs#reasons">Reasons</a></li>'
            '<li><a href="/openapi.json">openapi.json</a></li></ul></nav></div></header>\n'
            f'<div class="wide page">\n<main id="main" tabindex="-1">\n{main}</main>\n</div>\n'
            "</body>\n</html>\n"
        )
        answer = text(body, "text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = _POLICY
        return answer


def _explain(reason: Reason, explanation: Explanation) -> str:
    title, meaning, remedy = map(
        escape, (explanation.title, explanation.meaning, explanation.remedy)
    )
    return (
        f'<p class="kicker"><code>{reason.value}</code>, status {explanation.status}</p>\n'
        f"<h1>{title}</h1>\n<h2>What it means</h2>\n<p>{meaning}</p>\n"
        f"<h2>What to do</h2>\n<p>{remedy}</p>\n"
    )
