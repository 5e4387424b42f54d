"""Resealing: the key files once more, under another key-encryption key."""

from pathlib import Path

import click

from crypto.keyfile import key_encryption_key, read, write
from gateway.commands.opening import No, plainly
from gateway.setup.settings import MAX_FILE, Settings
from kernel.chance import SystemChance
from kernel.durable import sync_directory


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--under",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The file with the new key-encryption key; without it they are written in clear.",
)
@plainly
def reseal(directory: Path, under: Path | None) -> None:
    """Write the gateway's keys into a new directory under another key-encryption key. The keys
    stay the same, so nothing that they sealed or signed changes; swap the directories afterwards.

    \b
    Example: python -m gateway keys reseal var/gateway/keys.new --under /run/secrets/new-kek
    """
    settings, chance = Settings.from_environ(), SystemChance()
    if directory.exists():
        raise No(f"{directory} is there already: name a new directory.")
    kek = None
    if under is not None:
        with under.open("rb") as file:
            kek = key_encryption_key(file.read(MAX_FILE).decode("ascii", "replace"))
    files = sorted((settings.state_dir / "keys").glob("*.json"))
    if not files:
        raise No(f"There are no keys in {settings.state_dir / 'keys'}.")
    held = [(path.name, read(path, settings.key_encryption_key)) for path in files]
    directory.mkdir(mode=0o700)
    for name, key in held:
        write(directory / name, key, kek, chance)
    sync_directory(directory)
    click.echo(f"{len(held)} keys are in {directory}.")
