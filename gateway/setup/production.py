"""Production: everything that keeps a deployment from being one, each with its fix, at once."""

from collections.abc import Callable, Iterator

from gateway.setup.addresses import guard_directory, is_postgres
from gateway.setup.settings import BadSettings, Mode, Settings
from kernel.clock import Deadline
from kernel.finding import Finding
from kernel.loopback import on_this_machine
from kernel.postgres_address import PostgresAddress

__all__ = ["Finding", "findings", "lacking", "refuse_unfit"]


def findings(settings: Settings, deadline: Deadline) -> tuple[Finding, ...]:
    """Return what the settings and the servers that they name lack for production."""
    from gateway.setup.deployed import deployed  # noqa: PLC0415 - brings the driver

    return (*lacking(settings), *deployed(settings, deadline))


def lacking(settings: Settings) -> tuple[Finding, ...]:
    """Return what the settings themselves lack, whatever the servers are."""
    return tuple(finding for look in _LOOKS for finding in look(settings))


def refuse_unfit(settings: Settings, deadline: Deadline) -> None:
    """Raise `BadSettings` with every finding that production does not start over."""
    if settings.mode is not Mode.PRODUCTION:
        return
    refused = [finding for finding in findings(settings, deadline) if finding.refuses]
    if refused:
        lines = [f"  {finding.what}\n    fix: {finding.fix}" for finding in refused]
        raise BadSettings("\n".join(["GATEWAY_MODE=production refuses to start:", *lines]))


def _database(settings: Settings) -> Iterator[Finding]:
    if not is_postgres(settings.database):
        yield Finding(
            "SQLite serves one machine",
            "set GATEWAY_DATABASE_URL to a PostgreSQL, and GATEWAY_MIGRATOR_URL for `migrate`",
        )
        return
    address = PostgresAddress.parse(settings.database)
    yield from _way(address, "the database", "GATEWAY_DATABASE_URL")
    for name, url in (("MIGRATOR", settings.migrator), ("ERASER", settings.eraser)):
        if url is not None and PostgresAddress.parse(url).user == address.user:
            yield Finding(
                f"GATEWAY_{name}_URL and GATEWAY_DATABASE_URL name the same role",
                "give each a role of its own, and run `python -m gateway migrate`",
            )


def _guard(settings: Settings) -> Iterator[Finding]:
    directory = guard_directory(settings.guard, settings.state_dir)
    if directory is not None:
        if directory.absolute().is_relative_to(settings.state_dir.absolute()):
            yield Finding(
                "the guard is in the state directory, where only this host finds it",
                "set GATEWAY_GUARD_URL to a PostgreSQL on a second server, or to file:// and a"
                " directory on a volume of its own that every host mounts",
            )
        return
    address = PostgresAddress.parse(settings.guard or "")
    yield from _way(address, "the guard", "GATEWAY_GUARD_URL")
    owner = settings.guard_migrator
    if owner is not None and PostgresAddress.parse(owner).user == address.user:
        yield Finding(
            "GATEWAY_GUARD_MIGRATOR_URL and GATEWAY_GUARD_URL name the same role",
            "give the guard an owner of its own, and run `python -m gateway migrate`",
        )


def _way(address: PostgresAddress, what: str, name: str) -> Iterator[Finding]:
    """Yield what the way to a server lacks; on this machine that is nobody's to read."""
    if not address.verified:
        yield Finding(
            f"{what} is reached {'unverified' if address.encrypted else 'without TLS'}",
            f"add ?sslmode=verify-full&sslrootcert=FILE to {name}",
            refuses=not (address.encrypted or address.here),
        )


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.redis is None:
        yield Finding(
            "short-lived state is in files of this machine, so that each host has its own",
            "set GATEWAY_REDIS_URL",
        )
    elif not settings.redis.tls:
        yield Finding(
            "Redis is reached without TLS",
            "write rediss:// in GATEWAY_REDIS_URL",
            refuses=not settings.redis.here,
        )


def _policies(settings: Settings) -> Iterator[Finding]:
    if settings.opa_url is None:
        yield Finding("the embedded policy engine decides", "set GATEWAY_OPA_URL")


def _front(settings: Settings) -> Iterator[Finding]:
    if settings.public_url.startswith("http://"):
        yield Finding("GATEWAY_PUBLIC_URL is not https", "put a proxy with TLS before it")
    for realm, name in (("resident", "OIDC_ISSUER"), ("officer", "OFFICER_OIDC_ISSUER")):
        issuer = settings.signin.issuers.get(realm)
        if issuer is None:
            yield Finding(
                f"no {realm} can sign in",
                f"set GATEWAY_{name} and the client ids",
                refuses=False,
            )
        elif on_this_machine(issuer) or not issuer.startswith("https://"):
            yield Finding(
                f"{realm}s sign in on this machine, which is for trying out",
                f"set GATEWAY_{name} to the provider that people have",
            )


def _keys(settings: Settings) -> Iterator[Finding]:
    if settings.key_encryption_key is None:
        yield Finding(
            "the keys lie unencrypted, as in a demo",
            "set GATEWAY_KEY_ENCRYPTION_KEY_FILE before the first start",
        )


_LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _database,
    _guard,
    _redis,
    _policies,
    _front,
    _keys,
)
