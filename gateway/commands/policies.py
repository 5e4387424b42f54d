"""Policies: the privacy officers' repository, checked and tested before anybody depends on it."""

from pathlib import Path

import click

from adapters.registry import check as check_read
from gateway.commands.opening import No, plainly
from gateway.policy.bundle import Bundle
from gateway.policy.check import PolicyCheck
from gateway.policy.opa_command import OpaCommand, find_opa
from kernel.clock import SystemClock

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


def _checks(opa: str, cache: Path) -> PolicyCheck:
    binary = find_opa(opa, cache)
    return PolicyCheck(SystemClock(), check_read, OpaCommand(binary) if binary else None)
