"""Way back: the page to which somebody comes back after the sign-in, as the sign-in takes it."""

import re
from urllib.parse import urlencode

from consent.pages.form import parse_query
from kernel.errors import Refusal

_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_MAX = 512


def way_back(path: str, query: str) -> str | None:
    """Return the address of a page with its parameters in one spelling, without those where they
    cannot be read or are too long; None where the path itself is spelt as none of ours."""
    if len(path) > _MAX or _PLAIN.fullmatch(path) is None:
        return None
    try:
        members = parse_query(query).members
    except Refusal:
        return path
    address = f"{path}?{urlencode(members, doseq=True)}"
    return address if members and len(address) <= _MAX else path
