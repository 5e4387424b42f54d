"""Loopback: which addresses lead to this machine and to no other."""

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""The hosts to which plain http is spoken: nothing of it leaves the machine."""


def on_this_machine(url: str) -> bool:
    """Tell whether a URL leads to the machine itself, by whatever name."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in LOOPBACK or host.startswith("127.") or host.endswith(".localhost")
