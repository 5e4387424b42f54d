"""Assets: the stylesheet and the icon, under names that change with their content."""

from hashlib import sha256
from pathlib import Path

from werkzeug.wrappers import Response

from kernel.errors import Reason, Refusal

HERE = Path(__file__).parents[1] / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """What every page draws on; read once."""

    def __init__(self) -> None:
        """Read the files."""
        self._files: dict[str, tuple[bytes, str]] = {}
        self._addresses: dict[str, str] = {}
        for file in sorted(path for path in HERE.iterdir() if path.suffix in _TYPES):
            content = file.read_bytes()
            name = f"{file.stem}-{sha256(content).hexdigest()[:12]}{file.suffix}"
            self._files[name] = (content, _TYPES[file.suffix])
            self._addresses[file.name] = f"/assets/{name}"

    def address(self, name: str) -> str:
        """Return the address of a file."""
        return self._addresses[name]

    def asset(self, name: str) -> Response:
        """GET /assets/{name}: one of the files, to keep for ever."""
        if (found := self._files.get(name)) is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such file.")
        answer = Response(found[0], content_type=found[1])
        answer.headers["Cache-Control"] = _FOR_EVER
        return answer
