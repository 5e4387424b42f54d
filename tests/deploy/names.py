"""The names of settings, as the page of settings lists them."""

import re

from tests.deploy.image import ROOT

_LISTED = re.findall(
    r"^\| `(GATEWAY_[A-Z_<>]+)` \|",
    (ROOT / "docs/settings.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)
COMING = frozenset(
    {"GATEWAY_MIGRATOR_URL", "GATEWAY_ERASER_URL", "GATEWAY_GUARD_URL", "GATEWAY_POLICY_KEY"}
)
"""Settings of PostgreSQL's roles, and of signed policies, until the page lists them."""
_KNOWN = re.compile("|".join(name.replace("<NAME>", "[A-Z_]+") for name in (*_LISTED, *COMING)))


def is_setting(name: str) -> bool:
    """Say whether a variable is a setting, in place or from a file."""
    return _KNOWN.fullmatch(name.removesuffix("_FILE")) is not None
