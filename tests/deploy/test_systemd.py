"""The systemd units: read without a fault, closed as far as can be, secrets in their place."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from gateway.cli import main
from gateway.http.bundles import ACTIVE
from gateway.setup.settings import Settings
from tests.deploy.image import ROOT

HERE = ROOT / "deploy/systemd"
UNITS = sorted(HERE.glob("*.service"))
MOST_EXPOSED = 12
"""Tenths, of 100: what systemd itself calls OK begins below 40."""
LONGEST_STOP = 60 + 15 + 10
"""Seconds of the longest source, of the work after it, and of the drain that the unit sets."""
SECRETS = {"database_url", "guard_url", "redis_url", "key_encryption_key"}


def lines(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def environment(unit: Path) -> dict[str, str]:
    return dict(
        word.split("=", 1) for line in lines(unit, "Environment") for word in shlex.split(line)
    )


def credentials(unit: Path) -> set[str]:
    return {line.partition(":")[0] for line in lines(unit, "LoadCredential")}


def unit(name: str) -> Path:
    return HERE / f"{name}.service"


def test_systemd_reads_the_units_without_a_word(tmp_path: Path):
    programs = re.compile(r"/opt/causeway/bin/python|/usr/local/bin/opa")
    for one in UNITS:
        (tmp_path / one.name).write_text(programs.sub("/bin/true", one.read_text()))
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / one.name) for one in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


@pytest.mark.parametrize("one", UNITS, ids=lambda one: one.stem)
def test_a_unit_is_exposed_as_little_as_it_can_be(one: Path):
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(one)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("one", UNITS, ids=lambda one: one.stem)
def test_a_unit_runs_as_nobody_special_and_restarts(one: Path):
    (user,) = lines(one, "User")
    assert user.startswith("causeway")
    if lines(one, "DynamicUser") != ["yes"]:
        assert f"u {user} " in (HERE / "causeway.sysusers.conf").read_text()
    if lines(one, "Type") != ["oneshot"]:
        assert lines(one, "Restart")[0] in {"on-failure", "always"}


def test_every_secret_is_a_credential_and_the_owner_of_the_tables_is_the_migrations_alone():
    serving, migrating = unit("causeway"), unit("causeway-migrate")
    assert credentials(serving) == SECRETS
    assert "migrator_url" in credentials(migrating)
    assert "migrator" not in serving.read_text().lower()
    assert credentials(unit("causeway-opa")) == {"opa"}
    for one in (serving, migrating):
        told = environment(one)
        files = {name: value for name, value in told.items() if value.startswith("%d/")}
        assert files == {f"GATEWAY_{name.upper()}_FILE": f"%d/{name}" for name in credentials(one)}
        plain = (HERE / "gateway.env").read_text() + one.read_text()
        for name in credentials(one):
            assert f"GATEWAY_{name.upper()}=" not in plain


def test_the_settings_of_the_units_are_settings():
    text = (HERE / "gateway.env").read_text(encoding="utf-8")
    plain = dict(line.split("=", 1) for line in text.splitlines() if line and line[0] != "#")
    told = {
        name: value
        for name, value in environment(unit("causeway")).items()
        if name.startswith("GATEWAY_") and not name.endswith("_FILE")
    }
    settings = Settings.parse({**plain, **told})
    assert settings.mode.value == "production"
    assert settings.opa_url in " ".join(lines(unit("causeway-opa"), "ExecStart")).replace(
        "--addr=", "http://"
    )
    assert settings.drain + 75 <= LONGEST_STOP < int(lines(unit("causeway"), "TimeoutStopSec")[0])


def parse(group: click.Group, words: list[str]) -> None:
    """Have click take a command line apart, and nothing more."""
    name, rest, left = group.resolve_command(click.Context(group), words)
    if isinstance(rest, click.Group):
        parse(rest, left)
    else:
        rest.make_context(name, left)


def test_the_commands_of_the_units_are_commands():
    for one in (unit("causeway"), unit("causeway-migrate")):
        for line in lines(one, "ExecStart") + lines(one, "ExecStartPre"):
            words = shlex.split(line)
            assert words[1:3] == ["-m", "gateway"]
            parse(main, words[3:])
        assert lines(one, "WorkingDirectory") == ["/srv/causeway"]


def test_opa_loads_what_the_gateway_wrote():
    serving, opa = unit("causeway"), unit("causeway-opa")
    assert lines(serving, "RuntimeDirectory") == ["causeway"]
    assert lines(serving, "ExecStartPre")[0].endswith(" policy opa %t/causeway")
    assert lines(opa, "LoadCredential") == [f"opa:/run/causeway/opa-{ACTIVE}.json"]
    assert "--config-file=%d/opa" in lines(opa, "ExecStart")[0]


def test_opa_is_reached_from_this_machine_alone():
    opa = unit("causeway-opa")
    assert lines(opa, "IPAddressDeny") == ["any"]
    assert lines(opa, "IPAddressAllow") == ["localhost"]
    assert "--addr=127.0.0.1:" in lines(opa, "ExecStart")[0]
