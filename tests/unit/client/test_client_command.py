"""`python -m client`: what it prints, keeps, says and returns."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from joserfc.jwk import ECKey

from client.__main__ import main
from tests.unit.client.standin import RECORD, Standin, standing_in

pytestmark = pytest.mark.enable_socket


class Ran(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def gateway() -> Iterator[Standin]:
    with standing_in() as standin:
        yield standin


@pytest.fixture
def asking(gateway: Standin, tmp_path: Path) -> dict[str, list[str]]:
    """Return the options of one exchange, by name."""
    for name, key in (("client", gateway.client_key), ("seal", gateway.seal_key)):
        (tmp_path / f"{name}.jwk.json").write_text(json.dumps(key.as_dict(private=True)))
    return {
        "--gateway": [gateway.url],
        "--client-id": ["family-benefits-1"],
        "--key": [str(tmp_path / "client.jwk.json")],
        "--seal-key": [str(tmp_path / "seal.jwk.json")],
        "--agreement": ["family-allowance"],
        "--service": ["population/residents"],
        "--subject": ["resident-number:RN-1234566"],
        "--field": ["/name/family", "/children/*/birth_date", "/phone"],
        "--receipt": [str(tmp_path / "receipt.jws")],
    }


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command in this process; the flow tests run it as one of its own."""

    def run(*arguments: str) -> Ran:
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(str(ended.code))
        printed = capfdbinary.readouterr()
        return Ran(status, printed.out.decode(), printed.err.decode())

    return run


def exchange(run: Run, asking: dict[str, list[str]]) -> Ran:
    pairs = [(option, value) for option, values in asking.items() for value in values]
    return run("exchange", *(part for pair in pairs for part in pair))


def test_an_exchange_prints_the_record_and_keeps_the_receipt(
    run: Run, asking: dict[str, list[str]], tmp_path: Path
) -> None:
    ran = exchange(run, asking)
    assert ran.status == 0
    assert json.loads(ran.out) == RECORD
    assert "Şen" in ran.out
    assert ran.err == "Withheld: /phone (field.not_consented)\n"
    [line] = (tmp_path / "receipt.jws").read_text().splitlines()
    assert line.count(".") == 2


def test_the_logs_key_is_taken_once_and_demanded_afterwards(
    run: Run, asking: dict[str, list[str]], gateway: Standin, tmp_path: Path
) -> None:
    asking["--vkey"] = [str(tmp_path / "vkey")]
    assert exchange(run, asking).status == 0
    assert (tmp_path / "vkey").read_text() == gateway.log.vkey + "\n"
    gateway.log = Standin().log
    ran = exchange(run, asking)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "The receipt's checkpoint is not signed by this log's key.\n"


def test_a_kept_receipt_is_checked_without_a_gateway(
    run: Run, asking: dict[str, list[str]], gateway: Standin, tmp_path: Path
) -> None:
    exchange(run, asking)
    kept = {"receipt": tmp_path / "receipt.jws", "keys": tmp_path / "keys", "vkey": tmp_path / "v"}
    kept["keys"].write_text(json.dumps(gateway.keys()))
    kept["vkey"].write_text(gateway.log.vkey)
    arguments = [part for name, file in kept.items() for part in (f"--{name}", str(file))]
    ran = run("verify-receipt", *arguments)
    assert ran.status == 0
    assert json.loads(ran.out)["log"]["index"] == 11
    receipt = kept["receipt"].read_text()
    kept["receipt"].write_text(receipt[:-10] + "AAAAAAAAA\n")
    ran = run("verify-receipt", *arguments)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "The receipt's signature does not verify.\n"


def test_a_refusal_prints_reason_and_detail_as_one_sentence_that_no_terminal_obeys(
    run: Run, asking: dict[str, list[str]], gateway: Standin
) -> None:
    problem = {"reason": "field.not_agreed", "detail": "No \x1b[31m/phone\nhere."}
    gateway.changes["reply"] = lambda _: (403, problem)
    assert exchange(run, asking) == (1, "", "field.not_agreed: No [31m/phonehere.\n")


def test_nothing_is_printed_or_kept_when_the_evidence_does_not_hold(
    run: Run, asking: dict[str, list[str]], gateway: Standin, tmp_path: Path
) -> None:
    gateway.changes["claims"] = lambda old: {**old, "sealed_sha256": "A" * 43}
    ran = exchange(run, asking)
    assert ran == (1, "", "The receipt speaks of another sealed text.\n")
    assert not (tmp_path / "receipt.jws").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--gateway", "ftp://127.0.0.1", "must be like https://"),
        ("--gateway", "http://gateway.example", "must be asked over https"),
        ("--gateway", "https://gateway.example/path", "without a path"),
        ("--key", "/none/there", "cannot be read"),
        ("--seal-key", "/none/there", "cannot be read"),
        ("--subject", "RN-1234566", "must be like resident-number:"),
        ("--receipt", "/none/there", "no directory"),
        ("--vkey", "/none/there", "no directory"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_asked(
    run: Run, asking: dict[str, list[str]], gateway: Standin, option: str, value: str, said: str
) -> None:
    asking[option] = [value]
    ran = exchange(run, asking)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not any(path == "/v1/exchanges" for path, _, _ in gateway.seen)


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-command"], ["exchange"], ["exchange", "--none"]]
)
def test_a_wrong_call_is_one_sentence(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "--help" in ran.err


@pytest.mark.parametrize("command", ["exchange", "verify-receipt"])
def test_help_has_an_example(run: Run, command: str) -> None:
    ran = run(command, "--help")
    assert ran.status == 0
    assert f"python -m client {command}" in ran.out


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps({"kty": "oct", "k": "AAAA"}),
        json.dumps(ECKey.generate_key("P-384").as_dict(private=True)),
        json.dumps(ECKey.generate_key("P-256").as_dict(private=False)),
        json.dumps({"kty": "EC", "crv": "P-256", "x": "A", "y": "B", "d": "C", "kid": "k"}),
    ],
)
@pytest.mark.parametrize("option", ["--key", "--seal-key"])
def test_a_key_file_that_holds_none_is_refused_without_its_text(
    run: Run, asking: dict[str, list[str]], tmp_path: Path, content: str, option: str
) -> None:
    file = tmp_path / "bad.jwk.json"
    file.write_text(content)
    asking[option] = [str(file)]
    ran = exchange(run, asking)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert '"d"' not in ran.err
