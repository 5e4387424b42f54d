"""The image without a container engine: a Dockerfile's instructions, carried out below a folder.

Every stage on a base image has a folder of its own as its root; absolute paths of the image lie
below it. What `COPY --from` does not bring is not there, as in the image.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
FROM_OUTSIDE = re.compile(r"(PIP_(?!NO_CACHE)|SSL_|HOME$|REQUESTS_)|.*_proxy$", re.IGNORECASE)
"""How the machine reaches its package index; the rest of the environment stays outside."""
_PATHS = re.compile(r"(?<![\w/.])/(?=(?:opt|srv|build|tmp|var/lib)\b)")


@dataclass(frozen=True)
class Instruction:
    """One instruction, with its flags apart."""

    word: str
    flags: Mapping[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """Return the exec form, or the words."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


@dataclass
class Stage:
    """One stage while it is built: its root, and what its instructions said last."""

    root: Path
    name: str
    environ: dict[str, str] = field(default_factory=dict)
    said: dict[str, Instruction] = field(default_factory=dict)
    workdir: str = "/"

    def mapped(self, text: str) -> str:
        """Return a text with the image's absolute paths below the root."""
        return _PATHS.sub(f"{self.root}/", text)

    def path(self, text: str) -> Path:
        """Return where a path of the image is."""
        return self.root / str(PurePosixPath(self.workdir) / text).lstrip("/")


def instructions(dockerfile: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        flags = {}
        while found := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        yield Instruction(word, flags, rest)


class Image:
    """Builds the last stage of a Dockerfile, and every stage that it needs."""

    def __init__(self, dockerfile: str, context: Path, below: Path, path: str) -> None:
        """Take the text, the context, an empty folder, and the base image's search path."""
        self._all = list(instructions(dockerfile))
        self._context = context
        self._below = below
        self._path = path
        self._ignored = ignored((context / ".dockerignore").read_text())
        self._stages: dict[str, Stage] = {}
        self._arguments: dict[str, str] = {}

    def build(self) -> Stage:
        """Return the last stage, built."""
        starts = [place for place, one in enumerate(self._all) if one.word == "FROM"]
        self._learn(self._all[: starts[0]])
        parts = [
            self._all[start:end]
            for start, end in zip(starts, [*starts[1:], len(self._all)], strict=True)
        ]
        self._parts = {part[0].rest.partition(" AS ")[2]: part for part in parts}
        return self._stage(parts[-1])

    def _learn(self, instructions: list[Instruction]) -> None:
        for one in instructions:
            name, _, value = one.rest.partition("=")
            self._arguments.setdefault(name, value)

    def _named(self, name: str) -> Stage:
        if name not in self._stages:
            self._stages[name] = self._stage(self._parts[name])
        return self._stages[name]

    def _stage(self, part: list[Instruction]) -> Stage:
        base, _, name = part[0].rest.partition(" AS ")
        base = self._filled(base, {})
        if base in self._parts:
            below = self._named(base)
            stage = Stage(below.root, name, dict(below.environ), dict(below.said), below.workdir)
        else:
            root = self._below / (name or "final")
            (root / "var" / "lib").mkdir(parents=True)
            (root / "tmp").mkdir()
            (root / "tmp").chmod(0o1777)
            stage = Stage(root, name, {"PATH": self._path})
        for one in part[1:]:
            self._carry_out(stage, one)
        return stage

    def _carry_out(self, stage: Stage, one: Instruction) -> None:
        match one.word:
            case "ARG":
                self._learn([one])
            case "ENV" | "LABEL":
                pairs = dict(pair.split("=", 1) for pair in shlex.split(one.rest))
                if one.word == "ENV":
                    known = dict(stage.environ)
                    for name, value in pairs.items():
                        stage.environ[name] = self._filled(stage.mapped(value), known)
                stage.said[one.word] = one
            case "WORKDIR":
                stage.workdir = one.rest
                stage.path(".").mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(stage, one)
            case "RUN":
                self._run(stage, one)
            case _:
                stage.said[one.word] = one

    def _copy(self, stage: Stage, one: Instruction) -> None:
        source, target = one.words
        if "from" in one.flags:
            there = self._named(one.flags["from"]).root / source.lstrip("/")
            shutil.copytree(there, stage.path(target), symlinks=True, copy_function=os.link)
            return
        place = stage.path(target)
        if (self._context / source).is_file():
            place = place / source if target.endswith("/") else place
            assert not self._ignored(source), f"COPY {source}, but .dockerignore leaves it out"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._context / source, place)
            return
        for path in sorted((self._context / source).rglob("*")):
            relative = path.relative_to(self._context)
            if path.is_file() and not self._ignored(relative.as_posix()):
                to = place / path.relative_to(self._context / source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)

    def _run(self, stage: Stage, one: Instruction) -> None:
        command = stage.mapped(one.rest)
        if os.getuid() != 0:  # only root may give files away
            command = re.sub(r"-o \d+ -g \d+", "", command)
        outside = {name: value for name, value in os.environ.items() if FROM_OUTSIDE.match(name)}
        kept = {name: value for name, value in stage.environ.items() if name != "PIP_NO_CACHE_DIR"}
        ran = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=stage.path("."),
            env={**outside, **kept},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"RUN {one.rest}\n{ran.stdout}\n{ran.stderr}"

    def _filled(self, text: str, environ: Mapping[str, str]) -> str:
        known = {**self._arguments, **environ}
        return re.sub(r"\$\{?(\w+)\}?", lambda found: known[found[1]], text)


def ignored(patterns: str):
    """Return whether a path is left out of the context, by the rules of a `.dockerignore`: the
    last pattern that fits it, or a folder above it, decides."""
    rules = [
        (line.startswith("!"), re.compile(_pattern(line.lstrip("!").strip("/"))))
        for line in patterns.splitlines()
        if line and not line.startswith("#")
    ]

    def leaves_out(path: str) -> bool:
        out = False
        for wanted, pattern in rules:
            if pattern.fullmatch(path):
                out = not wanted
        return out

    return leaves_out


def _pattern(pattern: str) -> str:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    made = "".join(
        pieces.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    )
    return f"{made}(?:/.*)?"
