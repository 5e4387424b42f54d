"""Policies: the privacy officers' repository, checked and tested before anybody depends on it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.registry import check as check_read
from gateway.commands.opening import No, opened, plainly
from gateway.http.bundles import ACTIVE, opa_config
from gateway.policy.bundle import Bundle
from gateway.policy.check import PolicyCheck
from gateway.policy.control import activate as bring
from gateway.policy.engines import opa_addresses
from gateway.policy.opa_command import OpaCommand, find_opa
from gateway.policy.preparing import PLACES, prepared
from gateway.policy.signed import are_signed, public_pem, signed_bundle
from gateway.rooms import Rooms, prepare
from gateway.rooms import policies as in_place
from gateway.serving.hosts import Hosts
from gateway.setup.settings import Mode, Settings
from kernel.clock import Deadline, SystemClock
from kernel.errors import Outdated
from kernel.names import Revision

_DIRECTORY = click.argument(
    "directory", default=Path("policies"), type=click.Path(path_type=Path, file_okay=False)
)
_OPA = click.option("--opa", envvar="OPA", default="", help="The opa command, if not where it is.")
_CACHE = click.option(
    "--cache",
    envvar="XDG_CACHE_HOME",
    type=click.Path(path_type=Path),
    default=Path.home() / ".cache",
    help="Where the Makefile keeps what it installs.",
)

_WITHIN = click.option(
    "--within",
    default=60,
    type=click.IntRange(1, 3600),
    help="Seconds that the hosts have to prepare, where each has two OPA.",
)


@click.group()
def policy() -> None:
    """The policy repository.

    \b
    Example: python -m gateway policy check policies
    """


@policy.command()
@_DIRECTORY
@_OPA
@_CACHE
@plainly
def check(directory: Path, opa: str, cache: Path) -> None:
    """Check rules and catalogue on every engine that is there; each fault with file and line.

    \b
    Example: python -m gateway policy check policies
    """
    faults = _checks(opa, cache).check(directory)
    if faults:
        raise No("\n".join(map(str, faults)))
    click.echo(f"ok revision={Bundle.from_directory(directory).revision}")


@policy.command()
@_DIRECTORY
@_OPA
@_CACHE
@plainly
def test(directory: Path, opa: str, cache: Path) -> None:
    """Run the cases, and the rules' own tests, on every engine that is there.

    \b
    Example: python -m gateway policy test policies
    """
    tested = _checks(opa, cache).test(directory)
    if tested.faults:
        raise No("\n".join(map(str, tested.faults)))
    click.echo(f"ok cases={tested.cases} engines={','.join(tested.engines)}")


@policy.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_DIRECTORY
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Private key (PEM, P-256) of whoever signs; without it the file is not signed.",
)
@plainly
def bundle(file: Path, directory: Path, key: Path | None) -> None:
    """Write the policies as one file; its revision is the one that the ledger will name.

    Signed, other gateways take it as their policies, and OPA loads it.

    \b
    Example: python -m gateway policy bundle bundle.tar.gz policies --key officers.pem
    """
    made = Bundle.from_directory(directory)
    if key is None:
        file.write_bytes(made.opa_tarball())
    else:
        native = _private(key)
        file.write_bytes(signed_bundle(made, native, key.stem))
    click.echo(f"ok revision={made.revision}")


@policy.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--gateway", default="http://127.0.0.1:8080", help="Where OPA finds the gateway beside it."
)
@plainly
def opa(directory: Path, gateway: str) -> None:
    """Write the configurations with which OPA loads the policies from this gateway and verifies
    them: `opa-active.json` for an OPA that stands alone, `opa-0.json` and `opa-1.json` for two.

    \b
    Example: python -m gateway policy opa /etc/opa
    """
    with opened() as rooms:
        key = rooms.keys.policy
    directory.mkdir(parents=True, exist_ok=True)
    for place in (ACTIVE, *PLACES):
        file = directory / f"opa-{place}.json"
        file.write_bytes(orjson.dumps(opa_config(gateway, place, key.kid, public_pem(key))))
        click.echo(f"opa run --server --addr 127.0.0.1:8181 --config-file {file}")


@policy.command()
@click.argument("policies", type=click.Path(path_type=Path))
@_OPA
@_CACHE
@_WITHIN
@plainly
def activate(policies: Path, opa: str, cache: Path, within: int) -> None:
    """Check and test policies, then bring them into force by one entry, everywhere.

    POLICIES is a directory, or a file signed by somebody whom the settings name. What fails its
    checks or a case is not activated, and the policies before stay in force.

    \b
    Example: python -m gateway policy activate policies
    """
    made = _checked(policies, _checks(opa, cache))
    with opened() as rooms:
        if rooms.control.active() == made.revision:
            click.echo(f"ok revision={made.revision} was in force already")
            return
        prepare(made, rooms.engine)
        _prepare_everywhere(rooms, made, within)
        logged = bring(rooms.ledger, made)
    click.echo(f"ok revision={made.revision} index={logged.index}")


@policy.command()
@click.option("--to", metavar="REVISION", help="Another revision that was in force once.")
@_WITHIN
@plainly
def rollback(to: str | None, within: int) -> None:
    """Bring the revision before this one into force again, by one entry, everywhere.

    Twice in a row leads back to where it began; --to names any revision that was ever in force.

    \b
    Example: python -m gateway policy rollback
    """
    with opened() as rooms:
        now = rooms.control.activated()
        wanted = now.before if to is None else Revision(to)
        if wanted is None:
            raise No("There is no revision before the one in force.")
        if wanted == now.revision:
            raise No("That revision is in force already.")
        bundle = rooms.control.stored(wanted)
        prepare(bundle, rooms.engine)
        _prepare_everywhere(rooms, bundle, within)
        try:
            logged = bring(rooms.ledger, bundle, now.epoch)
        except Outdated:
            raise No("Something else came into force meanwhile; look, and try again.") from None
    click.echo(f"ok revision={bundle.revision} index={logged.index}")


def _checked(policies: Path, checks: PolicyCheck) -> Bundle:
    """Return checked and tested policies, or raise `No`; a signed file was tested on its cases,
    which are not in it, before it was signed."""
    settings = Settings.from_environ()
    made = in_place(settings, policies)
    if are_signed(policies):
        with TemporaryDirectory() as folder:
            made.write(Path(folder))
            faults = checks.check(Path(folder))
    else:
        if settings.mode is Mode.PRODUCTION:
            raise No("Production takes signed policies only: a file made by `policy bundle --key`.")
        faults = checks.check(policies) or list(checks.test(policies).faults)
    if faults:
        raise No("\n".join(map(str, faults)))
    if in_place(settings, policies).revision != made.revision:
        raise No(f"{policies} changed while it was checked; nothing was activated.")
    return made


def _prepare_everywhere(rooms: Rooms, bundle: Bundle, within: int) -> None:
    """Have every live host prepare policies, where each has two OPA, or raise `No`."""
    active = rooms.control.active()
    if active is None or len(opa_addresses(rooms.settings.opa_url)) < len(PLACES):
        return
    rooms.places.put(bundle, rooms.control.stored(active))
    deadline = Deadline.within(within, rooms.clock)
    if missing := prepared(Hosts(rooms.database, rooms.clock), bundle.revision, deadline):
        raise No(
            f"Not prepared in time, so nothing was activated: {', '.join(missing)}. See its "
            "/readyz and the log of its OPA, or stop it; a host that is stopped is passed over."
        )


def _private(key: Path) -> EllipticCurvePrivateKey:
    try:
        native = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise No(f"{key} cannot be read as a private key in PEM without a password.") from error
    if not isinstance(native, EllipticCurvePrivateKey) or not isinstance(native.curve, SECP256R1):
        raise No(f"{key} is not a key of P-256.")
    return native


def _checks(opa: str, cache: Path) -> PolicyCheck:
    binary = find_opa(opa, cache)
    return PolicyCheck(SystemClock(), check_read, OpaCommand(binary) if binary else None)
