"""Start: what this is, for everybody; help; and the choice of a language."""

from werkzeug.wrappers import Response

from consent.pages.frame import Visit, page_of
from consent.pages.language import COOKIE, LANGUAGES
from consent.pages.ports import RESIDENT

A_YEAR = 366 * 24 * 3600


class Start:
    """The pages that nobody needs to sign in for."""

    def start(self, visit: Visit) -> Response:
        """GET /: what this is, and the way in."""
        if visit.who is not None and visit.who.realm == RESIDENT:
            return visit.go("/home")
        return visit.page("start.html")

    def help_page(self, visit: Visit) -> Response:
        """GET /help: how this works, and whom to ask."""
        return visit.page("help.html")

    def set_language(self, visit: Visit) -> Response:
        """GET /settings/language: keep the language, and go back to where the reader was."""
        answer = visit.go(own_page(visit.asked("to")) or "/")
        if (tag := visit.asked("lang")) in LANGUAGES:
            answer.set_cookie(
                COOKIE, tag, max_age=A_YEAR, secure=True, httponly=True, samesite="Lax"
            )
        return answer


def own_page(address: str) -> str | None:
    """Return an address if it is a page of ours, spelt as we spell it; else None."""
    path = address.partition("?")[0]
    plain = address.isascii() and address.isprintable() and not {*"\\ #"} & {*address}
    if not plain or not path.startswith("/") or path.startswith("//"):
        return None
    return address if page_of(path) else None
