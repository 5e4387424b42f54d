"""Settings: the environment, read once and checked; an unknown `GATEWAY_` name stops the start."""

import os
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from gateway.load.rates import Limit
from gateway.policy.signed import PolicyKeys, policy_keys
from gateway.setup.addresses import (
    database_url,
    guard_url,
    refuse_guard_beside_ledger,
    role_url,
)
from gateway.setup.collector import collector, share
from gateway.setup.forwarded import Networks
from gateway.setup.given import MAX_FILE, PREFIX, BadSettings, Given
from gateway.setup.settings_signin import Signin, signin_of
from kernel.loopback import LOOPBACK, on_this_machine
from kernel.redis_address import BadAddress, RedisAddress

__all__ = ["MAX_FILE", "BadSettings", "Mode", "Settings", "Signin", "SourceSettings"]
SOURCE = "SOURCE_"
_Value = TypeVar("_Value")


class Mode(StrEnum):
    """How strict the start is."""

    DEMO = "demo"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where a source is, and the secret it knows us by."""

    url: str
    secret: str | None = field(repr=False)
    timeout: float


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided."""

    mode: Mode
    public_url: str
    """The scheme and authority under which everybody reaches the gateway, without a slash."""
    state_dir: Path
    database: str = field(repr=False)
    """URL of the one database, as the gateway comes to it."""
    policies: Path
    sources: Mapping[str, SourceSettings]
    migrator: str | None = field(default=None, repr=False)
    """The same database, as its owner; used by `migrate` alone."""
    eraser: str | None = field(default=None, repr=False)
    """The same database, as the one who may erase."""
    guard: str | None = field(default=None, repr=False)
    """Where the guard is; None for the state directory."""
    guard_migrator: str | None = field(default=None, repr=False)
    opa_url: str | None = None
    policy_keys: PolicyKeys = ()
    """Who may sign policies that come as one file."""
    key_encryption_key: bytes | None = field(default=None, repr=False)
    log_level: str = "info"
    signin: Signin = field(default_factory=lambda: Signin({}, {}))
    redis: RedisAddress | None = None
    rate_client: Limit = field(default_factory=lambda: Limit(1000, 10))
    rate_agreement: Limit = field(default_factory=lambda: Limit(2000, 10))
    trusted_proxies: Networks = field(default_factory=Networks)
    metrics_from: Networks = field(default_factory=Networks)
    drain: float = 0.0
    otlp_url: str | None = None
    otlp_share: float = 1.0

    @classmethod
    def from_environ(cls) -> "Settings":
        """Return the settings of this process's environment, or raise `BadSettings`."""
        return cls.parse(os.environ)

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings in a mapping, or raise `BadSettings`."""
        given = Given(environ)
        state_dir = Path(given.take("STATE_DIR", "var/gateway"))
        settings = cls(
            mode=_mode(given.take("MODE", "demo")),
            public_url=_public_url(given.take("PUBLIC_URL", "http://127.0.0.1:8080")),
            state_dir=state_dir,
            database=database_url(given.take("DATABASE_URL", f"sqlite:///{state_dir}/causeway.db")),
            **_others(given),
            policies=Path(given.take("POLICIES", "policies")),
            sources=_sources(given),
            opa_url=given.take("OPA_URL", "") or None,
            policy_keys=_parsed("POLICY_KEY", policy_keys, given.take("POLICY_KEY", "")),
            key_encryption_key=_key(given.take("KEY_ENCRYPTION_KEY", "")),
            log_level=_level(given.take("LOG_LEVEL", "info")),
            signin=signin_of(given),
            redis=_redis(given.take("REDIS_URL", "")),
            rate_client=_parsed("RATE_CLIENT", Limit.parse, given.take("RATE_CLIENT", "1000/10")),
            rate_agreement=_parsed(
                "RATE_AGREEMENT", Limit.parse, given.take("RATE_AGREEMENT", "2000/10")
            ),
            trusted_proxies=_parsed(
                "TRUSTED_PROXIES", Networks.parse, given.take("TRUSTED_PROXIES", "")
            ),
            metrics_from=_parsed("METRICS_FROM", Networks.parse, given.take("METRICS_FROM", "")),
            drain=_drain(given.take("DRAIN", "0")),
            otlp_url=_parsed("OTLP_URL", collector, given.take("OTLP_URL", "")),
            otlp_share=_parsed("OTLP_SHARE", share, given.take("OTLP_SHARE", "1")),
        )
        given.finish()
        settings.check()
        return settings

    def check(self) -> None:
        """Raise `BadSettings` where the guard is in the ledger's own database, or where the
        try-out provider, or any on this machine, would sign people in to a gateway that others
        reach; production names what else it wants all at once (`gateway.setup.production`)."""
        refuse_guard_beside_ledger(self.database, self.guard)
        for issuer in self.signin.issuers.values():
            if not on_this_machine(issuer):
                continue
            if self.mode is not Mode.PRODUCTION and not on_this_machine(self.public_url):
                raise BadSettings(
                    f"{PREFIX}OIDC_ISSUER is on this machine: that is for trying out, in demo "
                    "mode and with a GATEWAY_PUBLIC_URL on this machine too."
                )


def _mode(value: str) -> Mode:
    try:
        return Mode(value)
    except ValueError:
        raise BadSettings("GATEWAY_MODE is `demo` or `production`.") from None


def _public_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in {"http", "https"} or parts.path.strip("/"):
        raise BadSettings("GATEWAY_PUBLIC_URL is a scheme and a host, as in https://gateway.gov.")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise BadSettings("GATEWAY_PUBLIC_URL has no user, query or fragment.")
    if parts.scheme == "http" and host not in LOOPBACK:
        # RFC 6749 §3.2: a token endpoint wants TLS; Authlib answers `insecure_transport` without.
        raise BadSettings(
            "GATEWAY_PUBLIC_URL is https, except on 127.0.0.1, [::1] and localhost: over plain "
            "http the token endpoint refuses everybody."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _others(given: Given) -> dict[str, str | None]:
    """Return who else comes to the database, and where the guard is."""
    return {
        "migrator": role_url("MIGRATOR_URL", given.take("MIGRATOR_URL", "")),
        "eraser": role_url("ERASER_URL", given.take("ERASER_URL", "")),
        "guard": guard_url(given.take("GUARD_URL", "")),
        "guard_migrator": role_url("GUARD_MIGRATOR_URL", given.take("GUARD_MIGRATOR_URL", "")),
    }


def _key(value: str) -> bytes | None:
    if not value:
        return None
    try:
        key = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except ValueError:
        key = b""
    if len(key) != 32:  # noqa: PLR2004 - an AES-256 key
        raise BadSettings("GATEWAY_KEY_ENCRYPTION_KEY is 32 bytes in base64url.")
    return key


def _level(value: str) -> str:
    if value not in {"debug", "info", "warning", "error"}:
        raise BadSettings("GATEWAY_LOG_LEVEL is debug, info, warning or error.")
    return value


def _redis(value: str) -> RedisAddress | None:
    try:
        return RedisAddress.parse(value) if value else None
    except BadAddress as error:
        raise BadSettings(f"{PREFIX}REDIS_URL {error}.") from None


def _parsed(name: str, parse: Callable[[str], _Value], value: str) -> _Value:
    try:
        return parse(value)
    except ValueError as error:
        raise BadSettings(f"{PREFIX}{name} {error}.") from None


def _sources(given: Given) -> dict[str, SourceSettings]:
    """Return the sources by the catalogue's name: `GATEWAY_SOURCE_<NAME>_URL` and beside it
    `…_SECRET` and `…_TIMEOUT`."""
    names = {
        name.removeprefix(SOURCE).removesuffix("_FILE").removesuffix("_URL")
        for name in given.names(SOURCE)
        if name.endswith(("_URL", "_URL_FILE"))
    }
    return {
        name.lower().replace("_", "-"): SourceSettings(
            url=given.take(f"{SOURCE}{name}_URL", ""),
            secret=given.take(f"{SOURCE}{name}_SECRET", "") or None,
            timeout=_seconds(name, given.take(f"{SOURCE}{name}_TIMEOUT", "3")),
        )
        for name in sorted(names)
    }


def _drain(value: str) -> float:
    if not value.isdecimal() or int(value) > 300:  # noqa: PLR2004 - nobody drains for longer
        raise BadSettings("GATEWAY_DRAIN is whole seconds, at most 300.")
    return float(value)


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 60:  # noqa: PLR2004 - a minute is the longest anybody waits
        raise BadSettings(f"{PREFIX}{SOURCE}{name}_TIMEOUT is seconds, at most 60.")
    return seconds
