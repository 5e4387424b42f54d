"""Pages: what the try-out provider shows; plain forms, no script, nothing from outside."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from identity.model import Level, Realm

_STYLE = """
body { font: 1.125rem/1.5 system-ui, sans-serif; max-inline-size: 38rem; margin-inline: auto;
  padding: 1rem; color: #16202a; background: #fff }
.note { border-inline-start: .5rem solid #8a3d00; padding: .5rem 1rem; background: #fff3e6 }
label, legend { font-weight: 700 }
select { font: inherit; inline-size: 100%; padding: .5rem; border: 2px solid #16202a }
fieldset { border: 0; margin: 1.5rem 0; padding: 0 }
fieldset label { font-weight: 400; display: block; padding: .5rem 0 }
input[type=radio] { inline-size: 1.5rem; block-size: 1.5rem; vertical-align: middle }
button { font: inherit; padding: .75rem 1.5rem; margin: .5rem .5rem .5rem 0; border: 2px solid
  #0b4f8a; background: #0b4f8a; color: #fff; min-block-size: 2.75rem }
button.second { background: #fff; color: #0b4f8a }
:focus-visible { outline: 4px solid #ffb000; outline-offset: 2px }
"""
_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_LEVELS = {
    Level.LOW: "Low: enough to look",
    Level.SUBSTANTIAL: "Substantial: enough to decide",
    Level.HIGH: "High: for what is most private",
}
_WHO = {Realm.RESIDENT: "Which resident are you?", Realm.OFFICER: "Which officer are you?"}


@dataclass(frozen=True, slots=True, repr=False)
class Asking:
    """Who may be picked, and who is known to this browser already."""

    realm: Realm
    people: Mapping[str, str]
    known: str | None


def headers(targets: Iterable[str]) -> Mapping[str, str]:
    """Return the headers of every page; forms may lead to these places alone."""
    policy = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    allowed = " ".join(["'self'", *targets])
    policy += f"frame-ancestors 'none'; form-action {allowed}"
    return {
        "Content-Security-Policy": policy,
        "Content-Type": "text/html; charset=utf-8",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def choose(query: str, asking: Asking, at_least: Level) -> str:
    """Return the page on which somebody is picked, for the request in this query."""
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == asking.known else ""}>'
        f"{escape(shown)} ({escape(name)})</option>"
        for name, shown in asking.people.items()
    )
    levels = "".join(
        f'<label><input type="radio" name="level" value="{level.name.lower()}"'
        f"{' checked' if level is at_least else ''}> {words}</label>"
        for level, words in _LEVELS.items()
    )
    return _page(
        "Sign in to try it out",
        f"""<form method="post" action="/authorize">
<input type="hidden" name="request" value="{escape(query)}">
<p><label for="person">{_WHO[asking.realm]}</label>
<select id="person" name="person">{options}</select></p>
<fieldset><legend>How strongly do you sign in?</legend>{levels}</fieldset>
<button name="answer" value="yes">Sign in</button>
<button name="answer" value="no" class="second">Cancel</button>
</form>""",
    )


def told(title: str, text: str) -> str:
    """Return a page that says one thing."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: for trying out</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body><main><h1>{escape(title)}</h1>
<p class="note">This sign-in is for trying out. It asks for no password and no proof, and the people
are made up. A real gateway uses the sign-in of its country instead.</p>
{body}</main></body></html>
"""
