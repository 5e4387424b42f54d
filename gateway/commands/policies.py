"""Policies: the privacy officers' repository, checked and tested before anybody depends on it."""

from pathlib import Path

import click

from adapters.registry import check as check_read
from gateway.commands.opening import No, opened, plainly
from gateway.control import activate as bring
from gateway.policy.bundle import Bundle
from gateway.policy.check import PolicyCheck
from gateway.policy.opa_command import OpaCommand, find_opa
from gateway.rooms import prepare
from kernel.clock import SystemClock
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
    """Check rules and catalogue on every engine that is there; each finding with file and line.

    \b
    Example: python -m gateway policy check policies
    """
    findings = _checks(opa, cache).check(directory)
    if findings:
        raise No("\n".join(map(str, findings)))
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
    if tested.findings:
        raise No("\n".join(map(str, tested.findings)))
    click.echo(f"ok cases={tested.cases} engines={','.join(tested.engines)}")


@policy.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_DIRECTORY
@plainly
def bundle(file: Path, directory: Path) -> None:
    """Write the bundle that an OPA server loads; its revision is the one the ledger names.

    \b
    Example: python -m gateway policy bundle bundle.tar.gz policies
    """
    made = Bundle.from_directory(directory)
    file.write_bytes(made.opa_tarball())
    click.echo(f"ok revision={made.revision}")


@policy.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@_OPA
@_CACHE
@plainly
def activate(directory: Path, opa: str, cache: Path) -> None:
    """Check and test a policy directory, then bring it into force by one entry, everywhere.

    What fails its checks or a case is not activated, and the policies before stay in force.

    \b
    Example: python -m gateway policy activate policies
    """
    made, checks = Bundle.from_directory(directory), _checks(opa, cache)
    if findings := checks.check(directory) or list(checks.test(directory).findings):
        raise No("\n".join(map(str, findings)))
    if Bundle.from_directory(directory).revision != made.revision:
        raise No(f"{directory} changed while it was checked; nothing was activated.")
    with opened() as rooms:
        if rooms.control.active() == made.revision:
            click.echo(f"ok revision={made.revision} was in force already")
            return
        prepare(made, rooms.engine)
        logged = bring(rooms.ledger, made)
    click.echo(f"ok revision={made.revision} index={logged.index}")


@policy.command()
@click.option("--to", metavar="REVISION", help="Another revision that was in force once.")
@plainly
def rollback(to: str | None) -> None:
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
        try:
            logged = bring(rooms.ledger, bundle, now.epoch)
        except Outdated:
            raise No("Something else came into force meanwhile; look, and try again.") from None
    click.echo(f"ok revision={bundle.revision} index={logged.index}")


def _checks(opa: str, cache: Path) -> PolicyCheck:
    binary = find_opa(opa, cache)
    return PolicyCheck(SystemClock(), check_read, OpaCommand(binary) if binary else None)
