"""The names of settings, as the page of settings lists them."""

import re

from tests.deploy.image import ROOT

_LISTED = re.findall(
    r"^\| `(GATEWAY_[A-Z_<>]+)` \|",
    (ROOT / "docs/settings.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)
_KNOWN = re.compile("|".join(name.replace("<NAME>", "[A-Z_]+") for name in _LISTED))


def is_setting(name: str) -> bool:
    """Say whether a variable is a setting, in place or from a file."""
    return _KNOWN.fullmatch(name.removesuffix("_FILE")) is not None
