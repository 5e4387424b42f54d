"""The commands: each explains itself, and says what is wrong in one sentence."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey

from gateway.cli import main
from gateway.demo.country import ROOT
from tests.attacks.forging import public_jwk
from tests.country import AGREEMENT, SCHEME, RunningCountry


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = list(commands(main))


def run(*arguments: str) -> tuple[int, str, str]:
    told = CliRunner().invoke(main, list(arguments), prog_name="python -m gateway")
    return told.exit_code, told.stdout, told.stderr


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert f"Example: python -m gateway {' '.join(command)}".strip() in " ".join(
        out.replace("GATEWAY_", "\0").split("\0")[0].split()
    ) or ("Example: GATEWAY_" in out and f"gateway {command[-1]}" in out)


@pytest.mark.parametrize("command", [one for one in ALL if one], ids=" ".join)
def test_an_option_that_is_none_is_told_in_one_sentence(command: tuple[str, ...]) -> None:
    code, out, err = run(*command, "--no-such-option")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "--no-such-option" in err
    assert err.endswith("--help.\n")


WRONG = {
    "no such command": ["fly"],
    "no such command of a group": ["consents", "fly"],
    "an argument missing": ["clients", "add", "family-benefits"],
    "an option missing": ["clients", "add", "family-benefits", "x"],
    "an argument too many": ["doctor", "please"],
    "a port that is none": ["serve", "--port", "0"],
    "a number that is none": ["serve", "--port", "http"],
    "no workers": ["serve", "--workers", "0"],
    "no clerk": ["consents", "give", "--agreement", AGREEMENT, "--subject", f"{SCHEME}:RN-0000000"],
    "no subject": ["consents", "list"],
    "another method": ["consents", "list", "--subject", "a:b", "--method", "letter"],
    "minus one use": ["consents", "give", "--uses", "-1"],
    "no log named": ["audit", "verify"],
    "two logs named": ["audit", "verify", "--dir", "a", "--url", "http://b"],
    "a scope that is none": ["clients", "add", "a", "b", "--jwks", "c", "--scope", "all"],
    "an option without its value": ["audit", "verify", "--dir"],
    "a port beyond all": ["demo", "--port", "70000"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_a_command_that_is_called_wrongly_ends_with_two(arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def no(told: subprocess.CompletedProcess, *words: str) -> None:
    """Expect exit 1, nothing on standard output, and one sentence with these words."""
    assert told.returncode == 1, told.stdout + told.stderr
    assert told.stdout == ""
    assert "Traceback" not in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1, told.stderr
    for word in words:
        assert word in told.stderr


def test_the_answer_no_ends_with_one(country: RunningCountry) -> None:
    """At the counter, where the rules say no."""
    resident = country.resident()
    no(country.consents("withdraw", resident), "consent")
    law = ("gateway", "consents", "give", "--clerk", "c-1", "--agreement", "child-maintenance")
    no(country.run(*law, "--subject", f"{SCHEME}:{resident.number}"), "law")
    wrong = ("--subject", f"{SCHEME}:RN-0000001")
    no(country.run("gateway", "consents", "list", *wrong))
    assert resident.number not in country.consents("withdraw", resident).stderr


def test_an_agreement_that_is_none_is_a_wrong_call(country: RunningCountry) -> None:
    told = country.run(
        *("gateway", "consents", "refuse", "--agreement", "none", "--clerk", "c-1"),
        *("--subject", f"{SCHEME}:{country.resident().number}"),
    )
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
    assert "--agreement" in told.stderr


def jwks(path: Path, *keys: dict[str, str]) -> str:
    path.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    return str(path)


def key(use: str, kid: str, *, private: bool = False) -> dict[str, str]:
    return ECKey.generate_key("P-256", {"use": use, "kid": kid}).as_dict(private=private)


def test_clients_are_added_with_good_keys_alone(country: RunningCountry, tmp_path: Path) -> None:
    """K1: weak, private, missing and doubled keys."""
    weak = rsa.generate_private_key(65537, 1024)
    short = {**public_jwk(weak), "use": "sig", "kid": "a"}
    sealing = key("enc", "b")
    add = ("gateway", "clients", "add")
    cases = [
        (jwks(tmp_path / "short", short, sealing), "size"),
        (jwks(tmp_path / "private", key("sig", "a", private=True), sealing), "private"),
        (jwks(tmp_path / "alone", key("sig", "a")), "enc"),
        (str(tmp_path / "nothing"), "nothing"),
    ]
    for number, (file, word) in enumerate(cases):
        no(country.run(*add, "family-benefits", f"new-{number}", "--jwks", file), word)
    good = jwks(tmp_path / "good", key("sig", "a"), sealing)
    no(country.run(*add, "nobody", "new", "--jwks", good), "nobody")
    no(country.run(*add, "family-benefits", "family-benefits-1", "--jwks", good), "already")
    no(country.run("gateway", "clients", "disable", "nobody"), "no active client")


def test_what_is_listed_is_json_and_nothing_private(country: RunningCountry) -> None:
    for command in (("clients", "list"), ("keys", "list")):
        told = country.run("gateway", *command)
        assert told.returncode == 0, told.stderr
        lines = [json.loads(line) for line in told.stdout.splitlines()]
        assert lines
        assert all("private" not in line and "d" not in line for line in lines)


def test_the_doctor_says_whether_it_can_serve(country: RunningCountry) -> None:
    well = country.run("gateway", "doctor")
    assert (well.returncode, well.stdout.splitlines()[-1]) == (0, "It can serve.")
    assert "not for production" in well.stdout
    kept = {**country.environ, "GATEWAY_POLICIES": str(country.state)}
    ill = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--port", "1"],
        cwd=ROOT, env=kept, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert ill.returncode == 1
    assert "Traceback" not in ill.stderr


def test_a_log_that_does_not_verify_ends_with_one(country: RunningCountry, tmp_path: Path) -> None:
    log = tmp_path / "log"
    country.leaves(log)
    again = country.run("gateway", "audit", "export", str(log))
    assert again.returncode in {0, 1}
    assert "Traceback" not in again.stderr
    [bundle, *_] = sorted(path for path in (log / "tile/entries").rglob("*") if path.is_file())
    raw = bytearray(bundle.read_bytes())
    raw[100] ^= 1
    bundle.write_bytes(raw)
    told = country.run("gateway", "audit", "verify", "--dir", str(log))
    assert told.returncode == 1
    assert told.stdout.splitlines()[-1].startswith("bad index=")
    assert "Traceback" not in told.stderr
    missing = country.run("gateway", "audit", "verify", "--dir", str(tmp_path / "nothing"))
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr


def test_the_demo_leaves_a_directory_of_others_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    code, out, err = run("demo", "--exit", "--state", str(tmp_path))
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
