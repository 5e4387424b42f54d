"""Given: the `GATEWAY_` names of an environment, each taken once."""

from collections.abc import Mapping
from pathlib import Path

PREFIX = "GATEWAY_"
MAX_FILE = 64 * 1024


class BadSettings(ValueError):
    """A setting is missing, unknown or wrong; the text names it and says what would be right."""


class Given:
    """The `GATEWAY_` names that are set and not taken yet; `…_FILE` reads a mounted file."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Keep the names with our prefix."""
        self._left = {
            name.removeprefix(PREFIX): value
            for name, value in environ.items()
            if name.startswith(PREFIX)
        }

    def take(self, name: str, default: str) -> str:
        """Return a setting, in place or from its file, or the default."""
        value, path = self._left.pop(name, None), self._left.pop(f"{name}_FILE", None)
        if value is not None and path is not None:
            raise BadSettings(f"Set {PREFIX}{name} or {PREFIX}{name}_FILE, not both.")
        if path is not None:
            value = _read(name, Path(path))
        return default if value is None else value

    def names(self, prefix: str) -> list[str]:
        """Return the names that are left with this beginning."""
        return sorted(name for name in self._left if name.startswith(prefix))

    def finish(self) -> None:
        """Raise `BadSettings` where a name is left that nobody knows."""
        if self._left:
            name = min(self._left)
            raise BadSettings(f"{PREFIX}{name} is not a setting; see docs/settings.md.")


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        text = content.decode("utf-8").strip()
    except (OSError, ValueError):  # not there, no text, or a path with a NUL
        raise BadSettings(f"{PREFIX}{name}_FILE names a file that cannot be read.") from None
    if len(content) > MAX_FILE:
        raise BadSettings(f"{PREFIX}{name}_FILE names a file of more than {MAX_FILE} bytes.")
    return text
