"""Ledger: export the log, verify a log with nothing but its files, and recover a lost end."""

from pathlib import Path

import click

from audit import verify as verifier
from audit import verify_evidence as evidence_verifier
from audit.export import Occupied, export
from gateway.commands.opening import No, opened, plainly
from gateway.recovery.recovering import Wish
from gateway.recovery.recovering import recover as recovered
from gateway.setup.settings import Settings

_FILE = click.Path(path_type=Path)


@click.group()
def audit() -> None:
    """The ledger.

    \b
    Example: python -m gateway audit export var/log
    """


@audit.command("export")
@click.argument("directory", type=_FILE)
@plainly
def export_(directory: Path) -> None:
    """Write the whole log as static files (C2SP tlog-tiles), the checkpoint last.

    \b
    Example: python -m gateway audit export var/log
    """
    with opened() as rooms:
        try:
            tree = export(rooms.database.read(), directory, rooms.signer)
        except Occupied as error:
            raise No(str(error)) from error
        click.echo(f"exported {tree.size} entries to {directory}")


@audit.command()
@click.option("--dir", "directory", type=_FILE, help="An exported log.")
@click.option("--url", help="A log served over HTTP in the layout of an export.")
@click.option("--vkey", type=_FILE, help="The log's verifier key; else the log's own is taken.")
@click.option("--receipt", "receipts", type=_FILE, multiple=True, help="A receipt to look for.")
@click.option("--keys", type=_FILE, help="JWKS that signs receipts, to check their signatures.")
@plainly
def verify(
    directory: Path | None,
    url: str | None,
    vkey: Path | None,
    receipts: tuple[Path, ...],
    keys: Path | None,
) -> None:
    """Verify a log, and that it still contains what the receipts saw: no settings, no database.

    The last line is `ok size=N root=…`, or `bad index=N what=…` with exit 1.

    \b
    Example: python -m gateway audit verify --dir var/log --receipt family.receipt
    """
    if (directory is None) == (url is None):
        raise click.UsageError("Name the log with --dir or with --url.")
    raise SystemExit(verifier.main(directory, url, vkey, list(receipts), keys))


@audit.command()
@click.option("--dry-run", "dry", is_flag=True, help="Only say what is lost.")
@click.option("--checkpoint", type=_FILE, help="The backup's checkpoint, to hold it against.")
@click.option(
    *("--give-up", "given_up"),
    type=click.IntRange(min=0),
    multiple=True,
    help="A restriction, by its index, that nobody can put back.",
)
@plainly
def recover(*, dry: bool, checkpoint: Path | None, given_up: tuple[int, ...]) -> None:
    """Let a restored database go on that lacks the log's last entries, once everything that people
    withdrew since stands again. History stays as it is; the log goes on under a new origin.

    \b
    Example: python -m gateway audit recover --checkpoint backup/checkpoint --dry-run
    """
    note = None if checkpoint is None else checkpoint.read_text(encoding="utf-8", errors="replace")
    recovered(Settings.from_environ(), Wish(dry, note, frozenset(given_up)), click.echo)


@audit.command("verify-evidence")
@click.argument("file", type=_FILE)
@click.option("--vkey", type=_FILE, help="The log's verifier key; else the file's own is taken.")
@plainly
def verify_evidence(file: Path, vkey: Path | None) -> None:
    """Verify one person's evidence file, offline: no settings, no database, no network.

    The last line is `ok entry=N number=N`, or `bad what=…` with exit 1.

    \b
    Example: python -m gateway audit verify-evidence evidence-12.json --vkey log.vkey
    """
    raise SystemExit(evidence_verifier.main(file, vkey))
