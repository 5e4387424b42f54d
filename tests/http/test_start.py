"""The start: what is not right stops it, with one plain sentence that names the place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.demo.country import ROOT
from tests.ports import free_port

Env = dict[str, str]


def serve(state: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start the gateway, which is expected to end by itself."""
    kept = {name: value for name, value in os.environ.items() if "GATEWAY_" not in name}
    return subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--port", str(free_port())],
        cwd=ROOT,
        env={**kept, "GATEWAY_STATE_DIR": str(state), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def refused(told: subprocess.CompletedProcess[str], *words: str) -> None:
    """Expect exit 1, no traceback, and these words."""
    assert told.returncode == 1, told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) <= 3, told.stderr
    for word in words:
        assert word in told.stderr, told.stderr


SETTINGS: dict[str, tuple[Env, str]] = {
    "an unknown name": ({"GATEWAY_PUBLIC_ULR": "http://127.0.0.1"}, "GATEWAY_PUBLIC_ULR"),
    "a file that is not there": (
        {"GATEWAY_SOURCE_TAX_URL": "http://127.0.0.1", "GATEWAY_SOURCE_TAX_SECRET_FILE": "/no/f"},
        "GATEWAY_SOURCE_TAX_SECRET_FILE",
    ),
    "policies that are not there": ({"GATEWAY_POLICIES": "/no/policies"}, "/no/policies"),
}


@pytest.mark.parametrize(("settings", "word"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, settings: Env, word: str) -> None:
    refused(serve(tmp_path / "state", **settings), word)


def test_production_names_all_that_is_missing_at_once_each_with_its_fix(tmp_path: Path) -> None:
    told = serve(tmp_path / "state", GATEWAY_MODE="production")
    assert (told.returncode, told.stdout) == (1, "")
    assert "Traceback" not in told.stderr
    first, *rest = told.stderr.splitlines()
    assert first == "GATEWAY_MODE=production refuses to start:"
    assert [line.startswith("    fix: ") for line in rest] == [False, True] * (len(rest) // 2)
    for word in ("SQLite", "guard", "short-lived", "embedded", "https", "unencrypted"):
        assert word in told.stderr
    assert not (tmp_path / "state").exists()


def with_policies(tmp_path: Path, path: str, old: str, new: str) -> Path:
    """Return a copy of the policies in which one text of a file is another."""
    copy = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", copy)
    file = copy / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return copy


ALLOWANCE = "catalogue/agreements/family-allowance.yaml"
POLICIES = {
    "a member misspelled": (ALLOWANCE, "lawful_basis:", "lawfull_basis:", "lawfull_basis"),
    "a field that no service has": (ALLOWANCE, "/income/total:", "/income/totl:", "/income/totl"),
    "a date that is none": (ALLOWANCE, "2026-01-01", "2026-02-30", "valid_from"),
    "a member twice": (ALLOWANCE, "basis: consent", "basis: consent\nbasis: consent", "basis"),
    "no YAML": (ALLOWANCE, "services:", "services: [", ALLOWANCE),
    "an alias bomb": (ALLOWANCE, "services:", "a: &a [1]\nb: [*a, *a]\nservices:", ALLOWANCE),
    "a tag of Python": (ALLOWANCE, "basis: consent", "basis: !!python/name:os", ALLOWANCE),
    "a source that an adapter cannot read": (
        "catalogue/services/tax-income.yaml",
        "path: /v1/people/{subject}",
        "path: /v1/../{subject}",
        "path",
    ),
    "rules that do not parse": (
        "exchange/decision.rego",
        "default decision",
        "default decision ==",
        "decision.rego",
    ),
    "rules that ask the world outside": (
        "exchange/blocks/blocks.rego",
        "package exchange.blocks",
        'package exchange.blocks\n\nx := http.send({"method": "get", "url": "http://evil"})',
        "http.send",
    ),
    "rules that go round in a circle": (
        "exchange/blocks/blocks.rego",
        "package exchange.blocks",
        "package exchange.blocks\n\na if b\n\nb if a",
        "blocks.rego",
    ),
}


@pytest.mark.parametrize("case", POLICIES.values(), ids=POLICIES)
def test_policies_that_are_wrong_are_named_with_file_and_line(
    tmp_path: Path, case: tuple[str, str, str, str]
) -> None:
    path, old, new, word = case
    told = serve(tmp_path / "state", GATEWAY_POLICIES=str(with_policies(tmp_path, path, old, new)))
    refused(told, Path(path).name, word)
    line = told.stderr.splitlines()[0]
    _, _, rest = line.partition(Path(path).name + ":")
    assert rest.split(":")[0].strip().isdigit(), told.stderr


def test_a_key_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    """K1: the file, and the directory; and keys are made private."""
    from gateway.demo.country import Place, found
    from gateway.demo.state import prepare

    country = found(Place(prepare(tmp_path / "demo"), 1))
    keys = tmp_path / "demo/gateway/keys"
    assert keys.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys.iterdir())
    for place, bits in ((keys / "token.json", 0o004), (keys / "log.json", 0o020), (keys, 0o050)):
        mode = place.stat().st_mode
        place.chmod(mode | bits)
        refused(serve(tmp_path, **country.settings), str(place), "chmod")
        place.chmod(mode)
    (keys / "token.json").write_text("{}")
    refused(serve(tmp_path, **country.settings), "token.json")
    (keys / "token.json").unlink()
    refused(serve(tmp_path, **country.settings), "token.json", "missing")
