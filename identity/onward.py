"""Onward: the answers that lead a browser on, to our own pages and to the sign-in service's."""

from html import escape
from urllib.parse import urlsplit

from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def see(url: str) -> Response:
    """Send the browser on with GET (RFC 9110 §15.4.4)."""
    return Response(status=303, headers={**NO_STORE, "Location": url})


def onward(url: str, *near: str) -> Response:
    """Send the browser on; to another origin than those near by a page that leads on by itself.

    After a form, a browser follows redirects only to where the form's page says that forms may
    lead (CSP 3, `form-action`): our pages name the issuer, which may have others do its work.
    """
    if not urlsplit(url).netloc or _origin(url) in {_origin(one) for one in near}:
        return see(url)
    locale, text = get_locale(), escape(_("Go on"))
    tag, direction = (locale.language, locale.text_direction) if locale else ("en", "ltr")
    page = (
        f'<!doctype html><html lang="{tag}" dir="{direction}"><meta charset="utf-8">'
        f'<title>{text}</title><p><a href="{escape(url)}">{text}</a></p></html>'
    )
    headers = {**NO_STORE, "Refresh": f"0; url={url}"}
    return Response(page, headers=headers, content_type="text/html; charset=utf-8")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
