"""The image: its Dockerfile's own steps make a gateway that serves as nobody special."""

import ctypes
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.policy.bundle import Bundle
from tests.deploy.image import ROOT, Image, Stage, ignored, instructions
from tests.ports import free_port

DOCKERFILE = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
PRODUCT = ("adapters", "audit", "client", "consent", "crypto", "gateway", "identity", "kernel")
NOBODY = 10001


def as_nobody() -> dict:
    """Return how a process is started under the image's user, where we may."""
    mine = os.getuid() != 0
    return {} if mine else {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def base_python() -> str:
    """Return a Python that every user may run, as the base image has one."""
    for python in (sys._base_executable, "/usr/bin/python3"):
        try:
            subprocess.run(
                [python, "-c", "import sys, ensurepip; assert sys.version_info >= (3, 11)"],
                check=True,
                cwd="/",
                **as_nobody(),
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    raise AssertionError("the tests need a Python 3.11 for every user: Debian's python3-venv")


@pytest.fixture(scope="module")
def image() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        below = Path(name)
        below.chmod(0o755)
        (below / "base").mkdir()
        (below / "base" / "python3").symlink_to(base_python())
        path = f"{below}/base:/usr/bin:/bin"
        yield Image(DOCKERFILE, ROOT, below, path).build()


def command(image: Stage, words: list[str], port: int) -> list[str]:
    """Return a command of the image, on a free port of loopback."""
    placed = {"0.0.0.0": "127.0.0.1", "8080": str(port)}
    return [placed.get(word, word.replace(":8080/", f":{port}/")) for word in words]


def _as_the_units_demand() -> None:
    """No new privileges, and no memory that is written and executed (systemd.exec(5))."""
    library = ctypes.CDLL(None)
    library.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    library.prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, since Linux 6.3


@contextmanager
def started(image: Stage, port: int) -> Iterator[subprocess.Popen]:
    words = [*image.said["ENTRYPOINT"].words, *image.said["CMD"].words]
    with (image.root.parent / "log").open("ab") as log:
        process = subprocess.Popen(
            ["/usr/bin/env", *command(image, words, port)],
            cwd=image.path("."),
            env=image.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_as_the_units_demand,  # noqa: PLW1509 - only system calls
            **as_nobody(),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def well(image: Stage, port: int) -> bool:
    """Say what the image's own HEALTHCHECK says."""
    words = json.loads(image.said["HEALTHCHECK"].rest.removeprefix("CMD "))
    ran = subprocess.run(
        ["/usr/bin/env", *command(image, words, port)],
        env=image.environ,
        capture_output=True,
        check=False,
    )
    return ran.returncode == 0


def status(port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def answered(image: Stage, process: subprocess.Popen, port: int) -> int | None:
    """Return what /livez says once anybody answers."""
    until = time.monotonic() + 60
    while (told := status(port, "/livez")) is None:
        log = (image.root.parent / "log").read_text()
        assert process.poll() is None, log
        assert time.monotonic() < until, log
        time.sleep(0.1)
    return told


def test_the_image_built_by_its_own_steps_serves_and_stops_when_told(image: Stage):
    port = free_port()
    assert not well(image, port)
    with started(image, port) as process:
        assert answered(image, process, port) == 200
        assert status(port, "/readyz") == 200
        assert well(image, port)
        process.send_signal(signal.Signals[image.said["STOPSIGNAL"].rest])
        assert process.wait(120) == 0, (image.root.parent / "log").read_text()
    assert (image.path("/var/lib/causeway") / "keys").is_dir()


def test_the_image_holds_what_the_tree_has_and_no_more(image: Stage):
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *PRODUCT, "policies", "wsgi.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    home = image.path("/srv/causeway")
    held = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    made = {name for name in held if "__pycache__/" in name}
    assert held - made == {name for name in listed if (ROOT / name).exists()}
    assert len(made) == sum(name.endswith(".py") for name in held)
    revision = Bundle.from_directory(ROOT / "policies").revision
    assert Bundle.from_directory(home / "policies").revision == revision


def test_the_images_user_may_write_state_and_nothing_else(image: Stage):
    assert image.said["USER"].rest == f"{NOBODY}:{NOBODY}"
    assert image.said["VOLUME"].rest == image.environ["GATEWAY_STATE_DIR"].replace(
        str(image.root), ""
    )
    state = {image.path("/var/lib/causeway"): 0o700, image.path("/var/lib/causeway-opa"): 0o755}
    for path in image.root.rglob("*"):
        status = path.lstat()
        if path in state:
            assert status.st_mode & 0o777 == state[path]
            continue
        if path.is_symlink() or path == image.root / "tmp" or state.keys() & set(path.parents):
            continue
        assert not status.st_mode & 0o022, f"others may write {path}"
        assert status.st_uid == os.getuid()


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("gateway/app.py", False),
        ("policies/.manifest", False),
        ("gateway/__pycache__/app.cpython-311.pyc", True),
        ("gateway/.env", True),
        ("gateway/demo/client.jwk.json", True),
        ("var/demo/gateway/keys/token.json", True),
        (".git/config", True),
        ("tests/country.py", True),
        ("docker/secrets/database_url", True),
    ],
)
def test_the_builder_is_handed_the_product_alone(path: str, out: bool):
    assert ignored((ROOT / ".dockerignore").read_text())(path) is out


def test_every_base_is_an_argument_and_nothing_but_pip_fetches_anything():
    told = list(instructions(DOCKERFILE))
    names = {one.rest.partition(" AS ")[2] for one in told if one.word == "FROM"}
    for one in told:
        if one.word == "FROM":
            base = one.rest.partition(" ")[0]
            assert base in names or base in {"${BASE_IMAGE}", "${DEPENDENCIES}"}
        if one.word == "RUN":
            assert not re.search(r"\b(apt|apt-get|curl|wget|git)\b", one.rest)
            assert one.rest.count("pip install") == one.rest.count("--require-hashes")
    assert not any(one.word == "ADD" for one in told)
    defaults = dict(one.rest.split("=", 1) for one in told if one.word == "ARG")
    assert defaults["BASE_IMAGE"] == "python:3.11-slim-bookworm"
