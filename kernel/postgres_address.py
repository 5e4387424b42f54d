"""PostgreSQL address: which database a URL names, as whom, and how safely; never the password.

The URL is libpq's own (`postgresql://NAME:PASSWORD@HOST[:PORT][,HOST…]/DATABASE[?OPTION=VALUE]`),
and libpq reads it, so that nothing means one thing here and another when we connect.
"""

from dataclasses import dataclass

from kernel.loopback import LOOPBACK

SCHEMES = ("postgresql://", "postgres://")
_PORT = 5432
_MAX_HOSTS, _MAX_URL = 16, 4096
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


class BadPostgresAddress(ValueError):
    """The text is no such address; the words never repeat it, since it may hold a password."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """What may be shown of a URL, and what two URLs are compared by."""

    hosts: tuple[tuple[str, int], ...]
    """Names, addresses, or directories of sockets."""
    database: str
    user: str
    sslmode: str

    @classmethod
    def parse(cls, url: str) -> "PostgresAddress":
        """Return the address in a URL, or raise `BadPostgresAddress`."""
        # A gateway on a file needs no driver, which takes a quarter of a second to import.
        from psycopg import ProgrammingError  # noqa: PLC0415 - slow
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - slow

        if not url.startswith(SCHEMES):
            raise BadPostgresAddress("begins with postgresql://")
        if len(url) > _MAX_URL:
            raise BadPostgresAddress(f"has at most {_MAX_URL} characters")
        try:
            parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        except (ProgrammingError, UnicodeError):
            raise BadPostgresAddress("cannot be read; escape what is special in a URL") from None
        if not parts.get("host") or not parts.get("dbname") or not parts.get("user"):
            raise BadPostgresAddress("names a host, a database and a user")
        return cls(_hosts(parts), parts["dbname"], parts["user"], parts.get("sslmode", "prefer"))

    @property
    def here(self) -> bool:
        """Tell whether all of it is on this machine."""
        return all(_place(host) == "" for host, _ in self.hosts)

    @property
    def encrypted(self) -> bool:
        """Tell whether libpq refuses to speak without TLS."""
        return self.sslmode in _ENCRYPTED

    @property
    def verified(self) -> bool:
        """Tell whether libpq refuses a server that cannot prove its name."""
        return self.sslmode == "verify-full"

    def same_place(self, other: "PostgresAddress") -> bool:
        """Tell whether both may name one database, by their words alone."""
        mine, theirs = (
            {(_place(host), port) for host, port in address.hosts} for address in (self, other)
        )
        return self.database == other.database and bool(mine & theirs)

    def __str__(self) -> str:
        """Return what may be shown: no password."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"PostgreSQL {self.user}@{hosts}/{self.database} (sslmode {self.sslmode})"


def _place(host: str) -> str:
    """Return a host's name for comparing: nothing for this machine, by whatever name."""
    return "" if host in LOOPBACK or host.startswith(("/", "@", "127.")) else host.lower()


def _hosts(parts: dict[str, str]) -> tuple[tuple[str, int], ...]:
    names = parts["host"].split(",")
    ports = parts.get("port", "").split(",")
    if len(names) > _MAX_HOSTS:
        raise BadPostgresAddress(f"names at most {_MAX_HOSTS} hosts")
    if len(ports) == 1:
        ports *= len(names)
    if len(ports) != len(names) or not all(port.isdecimal() for port in filter(None, ports)):
        raise BadPostgresAddress("has hosts as HOST or HOST:PORT, with commas between")
    return tuple(
        (name, int(port) if port else _PORT) for name, port in zip(names, ports, strict=True)
    )
