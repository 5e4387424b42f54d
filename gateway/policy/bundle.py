"""Bundle: the policy repository as one immutable, content-addressed document."""

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from kernel.canonical import BadJson, Json, canonical, parse
from kernel.names import Revision

MAX_FILES = 512
MAX_FILE = 128 * 1024
MAX_TOTAL = 2 * 1024 * 1024
ROOTS = ("exchange",)
MANIFEST = ".manifest"
TEST = "_test.rego"
_UNREVISED: Mapping[str, Json] = {"revision": "", "roots": [*ROOTS], "rego_version": 1}
_KEPT = {"exchange": (".rego",), "catalogue": (".yaml",), "schemas": (".json",)}


class BadBundle(ValueError):
    """The policies cannot be read as a bundle; the message names the file and says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The rules, the catalogue and the schemas by path, and the revision they hash to."""

    files: Mapping[str, str]
    content: bytes
    """The canonical JSON that the revision is the digest of."""
    revision: Revision

    @classmethod
    def from_directory(cls, directory: Path) -> "Bundle":
        """Return the bundle of a policy directory, tests left out, or raise `BadBundle`: a link, an
        unreadable, oversized or non-UTF-8 file, or no rules."""
        return cls.from_files(_read(directory))

    @classmethod
    def from_bytes(cls, content: bytes) -> "Bundle":
        """Return the bundle that the `content` of an earlier one states, or raise `BadBundle`."""
        try:
            value = parse(content, max_bytes=2 * MAX_TOTAL)
        except BadJson as error:
            raise BadBundle(f"the stored policies cannot be read: {error}") from None
        files = value.get("files") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(files, dict):
            raise BadBundle("the stored policies have exactly one member, `files`")
        texts = {path: text for path, text in files.items() if isinstance(text, str)}
        if len(texts) != len(files):
            raise BadBundle("the stored policies hold something that is not text")
        bundle = cls.from_files(texts)
        if bundle.content != content:
            raise BadBundle("the stored policies are not in their canonical form")
        return bundle

    @classmethod
    def from_files(cls, files: Mapping[str, str]) -> "Bundle":
        """Return the bundle of these texts by path, or raise `BadBundle`."""
        for path, text in files.items():
            _check(path, text)
        if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_TOTAL:
            raise BadBundle(f"more than {MAX_FILES} files or {MAX_TOTAL} characters of policies")
        _check_manifest(files.get(MANIFEST))
        if "exchange/decision.rego" not in files:
            raise BadBundle("exchange/decision.rego is missing: it holds the decision")
        content = canonical({"files": dict(files)})
        return cls(dict(files), content, Revision(sha256(content).hexdigest()))

    @property
    def rules(self) -> Mapping[str, str]:
        """Return the Rego modules by path."""
        return {path: text for path, text in self.files.items() if path.endswith(".rego")}

    def write(self, directory: Path) -> None:
        """Write the files into an empty directory."""
        for path, text in self.files.items():
            place = directory / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8", newline="")

    def manifest(self) -> bytes:
        """Return the manifest that carries the revision."""
        return canonical({**_UNREVISED, "revision": self.revision})

    def opa_tarball(self) -> bytes:
        """Return an OPA bundle (`tar.gz`, the same bytes each time) that carries the revision."""
        rules = self.rules
        members = {MANIFEST: self.manifest()} | {path: rules[path].encode() for path in rules}
        return packed(members)


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return an archive (`tar.gz`) of these members, the same bytes each time."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(members):
            header = tarfile.TarInfo(path)
            header.size = len(members[path])
            header.mode = 0o444
            archive.addfile(header, io.BytesIO(members[path]))
    return gzip.compress(content.getvalue(), mtime=0)


def wanted(path: str) -> bool:
    """Return whether a file of the policy directory belongs into the bundle."""
    if path == MANIFEST:
        return True
    endings = _KEPT.get(PurePosixPath(path).parts[0], ())
    return path.endswith(endings) and not path.endswith(TEST) if endings else False


def _read(directory: Path) -> Mapping[str, str]:
    if not directory.is_dir():
        raise BadBundle(f"{directory} is not a directory of policies")
    files: dict[str, str] = {}
    for folder, folders, names in os.walk(directory, onerror=_unreadable):
        for name in (*folders, *names):
            place = Path(folder, name)
            path = place.relative_to(directory).as_posix()
            if place.is_symlink():
                raise BadBundle(f"{path} is a link; policies are plain files")
            if name in names and wanted(path):
                files[path] = _text(place, path)
        if len(files) > MAX_FILES:
            raise BadBundle(f"more than {MAX_FILES} files of policies")
    return files


def _unreadable(error: OSError) -> None:
    raise BadBundle(f"{error.filename} cannot be read") from error


def _text(place: Path, path: str) -> str:
    try:
        if not place.is_file():
            raise BadBundle(f"{path} is not a plain file")
        with place.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise BadBundle(f"{path} is larger than {MAX_FILE} bytes")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadBundle(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise BadBundle(f"{path} cannot be read") from error


def _check(path: str, text: str) -> None:
    """Refuse a path that is not plainly inside the policy directory, and a text without end."""
    parts = PurePosixPath(path).parts
    plain = path.isascii() and path.isprintable() and "\\" not in path
    if not plain or path != "/".join(parts) or ".." in parts or not wanted(path):
        raise BadBundle("a path of the stored policies is not one that policies have")
    if len(text) > MAX_FILE:
        raise BadBundle(f"{path} is larger than {MAX_FILE} characters")


def _check_manifest(text: str | None) -> None:
    try:
        manifest = parse((text or "").encode(), max_bytes=MAX_FILE)
    except BadJson as error:
        raise BadBundle(f"{MANIFEST} is missing or cannot be read: {error}") from None
    if manifest != _UNREVISED:
        raise BadBundle(
            f'{MANIFEST} must say {{"revision": "", "roots": ["exchange"], "rego_version": 1}}: '
            "the revision is computed, and rules outside `exchange` are never asked"
        )
