"""Redis address: which Redis keeps the short-lived state, and what it knows us by.

`redis://` and `rediss://` (TLS) name one server; `redis+sentinel://` and `rediss+sentinel://` name
Sentinels, and the service whose master they know.
"""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kernel.loopback import LOOPBACK

_SCHEMES = {
    "redis": (False, False),
    "rediss": (True, False),
    "redis+sentinel": (False, True),
    "rediss+sentinel": (True, True),
}
_PORT, _SENTINEL_PORT = 6379, 26379
_MAX_HOSTS, _MAX_DATABASE = 16, 1023


class BadAddress(ValueError):
    """The text is no such address; the words never repeat it, since it may hold a password."""


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, each where there is one."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis, or its Sentinels, are."""

    hosts: tuple[tuple[str, int], ...]
    service: str | None
    """The master's name among Sentinels; None where the one host is Redis itself."""
    database: int
    tls: bool
    login: Login
    sentinel_login: Login
    authority: str | None
    """A file of certificates to trust in place of the system's."""

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Return the address in a URL, or raise `BadAddress`."""
        try:
            parts = urlsplit(url)
            tls, sentinel = _SCHEMES[parts.scheme]
        except (KeyError, ValueError):
            raise BadAddress(f"begins with one of {', '.join(_SCHEMES)}, and ://") from None
        path = [unquote(part) for part in parts.path.split("/")[1:] if part]
        service = path.pop(0) if sentinel and path else None
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        address = cls(
            hosts=_hosts(parts, _SENTINEL_PORT if sentinel else _PORT),
            service=service,
            database=_database(path),
            tls=tls,
            login=_login(parts.netloc),
            sentinel_login=Login(None, options.pop("sentinel_password", None)),
            authority=options.pop("ca", None),
        )
        if options or parts.fragment:
            raise BadAddress("takes `ca` and `sentinel_password` after a `?`, and nothing else")
        if sentinel and service is None:
            raise BadAddress("names the Sentinels' service, as in redis+sentinel://HOST/SERVICE/0")
        if not sentinel and len(address.hosts) > 1:
            raise BadAddress("names one Redis; several hosts are Sentinels (redis+sentinel://)")
        return address

    @property
    def here(self) -> bool:
        """Tell whether all of it is on this machine."""
        return all(host in LOOPBACK for host, _ in self.hosts)

    def __str__(self) -> str:
        """Return what may be shown: no name, no password."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"Redis {'by Sentinel ' if self.service else ''}{hosts}{' (TLS)' * self.tls}"


def _hosts(parts: SplitResult, port: int) -> tuple[tuple[str, int], ...]:
    named = parts.netloc.rpartition("@")[2].split(",")
    if len(named) > _MAX_HOSTS:
        raise BadAddress(f"names at most {_MAX_HOSTS} hosts")
    hosts = []
    for one in named:
        try:
            split = urlsplit(f"//{one}")
            hosts.append((split.hostname or "", split.port or port))
        except ValueError:
            raise BadAddress("has hosts as HOST or HOST:PORT, with commas between") from None
    if not all(host for host, _ in hosts):
        raise BadAddress("names a host")
    return tuple(hosts)


def _login(netloc: str) -> Login:
    given, there, _ = netloc.rpartition("@")
    if not there:
        return Login()
    username, there, password = given.partition(":")
    if not there:
        raise BadAddress("has a password as :PASSWORD@ or NAME:PASSWORD@, escaped as in any URL")
    return Login(unquote(username) or None, unquote(password))


def _database(path: list[str]) -> int:
    if not path:
        return 0
    number = path[0]
    if len(path) > 1 or not (number.isascii() and number.isdigit()):
        raise BadAddress("ends with the number of a database")
    if int(number) > _MAX_DATABASE:
        raise BadAddress(f"has a database up to {_MAX_DATABASE}")
    return int(number)
