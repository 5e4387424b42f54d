"""State: the demo's own directory, rebuilt when it is the demo's and left alone when it is not."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import orjson

from kernel.canonical import Json

MARK = ".causeway-demo"


class NotOurs(Exception):
    """The directory holds something that the demo did not make."""


def prepare(state: Path) -> Path:
    """Return the directory, absolute, empty and marked as the demo's, or raise `NotOurs`."""
    state = state.absolute()
    if state.exists() and not state.is_dir():
        raise NotOurs(f"{state} is not a directory.")
    if state.is_dir() and any(state.iterdir()):
        if not (state / MARK).is_file():
            raise NotOurs(f"{state} is not empty and not the demo's; name another with --state.")
        for inside in state.iterdir():
            if inside.name != MARK:
                shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / MARK).touch()
    for name in ("gateway", "sources", "logs", "agencies"):
        (state / name).mkdir(mode=0o700)
    return state


def write_document(path: Path, document: Mapping[str, Json], mode: int = 0o600) -> None:
    """Put a JSON document in place, whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
