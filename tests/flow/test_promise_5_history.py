"""P5, history cannot be rewritten: what was deleted, altered, reordered, added or forked is found,
also when the operator signs it again with the real key."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit import verify
from audit.checkpoint import Signer
from audit.export import write
from gateway.rooms import opened
from gateway.setup.settings import Settings
from tests.country import INCOME, exported_leaves
from tests.flow.office import YEAR
from tests.flow.watched import WatchedCountry

Leaves = list[bytes]


@dataclass(frozen=True)
class Kept:
    """An honest log, the operator's key, and what an agency kept of the last exchange in it."""

    honest: Path
    leaves: Leaves
    signer: Signer
    receipt: Path
    refusals: tuple[int, int]
    """Where two refusals stand that an operator might wish away."""


@pytest.fixture(scope="module")
def kept(watched: WatchedCountry, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    place, agency, resident = tmp_path_factory.mktemp("kept"), watched.agency(), watched.consented()
    refused = [agency.exchange(resident.number, INCOME, ["/tax/due"]) for _ in range(2)]
    released = agency.exchange(resident.number, INCOME, [YEAR])
    receipt = place / "kept.receipt"
    receipt.write_text(released.json["receipt"])
    with opened(Settings.parse(watched.environ)) as rooms:
        signer = rooms.signer
    headers = watched.leaves(place / "honest")
    found = [leaf.get("exchange") for leaf in headers]
    first, second = (found.index(answer.json["exchange"]) for answer in refused)
    leaves = [written(leaf) for leaf in exported_leaves(place / "honest")]
    return Kept(place / "honest", leaves, signer, receipt, (first, second))


def deleted(leaves: Leaves, first: int, second: int) -> Leaves:
    return leaves[:first] + leaves[first + 1 :]


def altered(leaves: Leaves, first: int, second: int) -> Leaves:
    """Blame somebody else."""
    return [*leaves[:first], changed(leaves[first], consumer="tax"), *leaves[first + 1 :]]


def reordered(leaves: Leaves, first: int, second: int) -> Leaves:
    """Exchange two entries, each with the other's time."""
    times = [json.loads(leaves[index])["time"] for index in (first, second)]
    forged = [*leaves]
    forged[first] = changed(leaves[second], time=times[0])
    forged[second] = changed(leaves[first], time=times[1])
    return forged


def added(leaves: Leaves, first: int, second: int) -> Leaves:
    """Tell of a refusal that there never was."""
    return [*leaves[:second], changed(leaves[second], exchange="ex_invented"), *leaves[second:]]


def forked(leaves: Leaves, first: int, second: int) -> Leaves:
    """Go on from before the refusals as if the release had never been."""
    return [*leaves[:first], changed(leaves[second], exchange="ex_otherwise")]


def cut_short(leaves: Leaves, first: int, second: int) -> Leaves:
    return leaves[: second + 1]


FORGERIES = [deleted, altered, reordered, added, forked, cut_short]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_p5_history_cannot_be_rewritten_a_receipt_exposes_what_the_real_key_signed_again(
    kept: Kept, forge: Callable[..., Leaves], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    forged = forge(kept.leaves, *kept.refusals)
    write(forged, tmp_path / "forged", kept.signer)
    assert verified(tmp_path / "forged") == 0, "the operator made it look right"
    assert verified(tmp_path / "forged", kept.receipt) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("bad index=")
    assert verified(kept.honest, kept.receipt) == 0


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_p5_history_cannot_be_rewritten_without_the_key_the_log_alone_shows_it(
    kept: Kept, forge: Callable[..., Leaves], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    forged = tmp_path / "forged"
    write(forge(kept.leaves, *kept.refusals), forged, kept.signer)
    for signed in ("checkpoint", "vkey"):
        shutil.copy(kept.honest / signed, forged / signed)
    assert verified(forged) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("bad index=")


def test_p5_history_cannot_be_rewritten_the_command_says_where(
    kept: Kept, watched: WatchedCountry, tmp_path: Path
):
    forged, (first, second) = tmp_path / "forged", kept.refusals
    write(deleted(kept.leaves, first, second), forged, kept.signer)
    said = ("--dir", str(forged), "--receipt", str(kept.receipt))
    told = watched.run("gateway", "audit", "verify", *said)
    assert told.returncode == 1
    assert told.stdout.splitlines()[-1].startswith("bad index=")


def verified(directory: Path, *receipts: Path) -> int:
    return verify.main(directory, None, None, receipts)


def changed(leaf: bytes, **members: str) -> bytes:
    return written({**json.loads(leaf), **members})


def written(leaf: dict) -> bytes:
    return json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()
