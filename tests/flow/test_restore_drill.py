"""The restore drill: a database that lacks the last restrictions releases nothing under consent
until they stand again, put back from the guard by a host that was not there before."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit.export import write
from gateway.cli import main
from gateway.demo.sources import Resident
from gateway.rooms import opened
from gateway.setup.settings import Settings
from tests import runbook
from tests.agency import Agency, Answer
from tests.country import RESIDENTS, SCHEME, RunningCountry, exported_leaves, running
from tests.ports import free_port

PATIENCE = 120
NAME, POSTCODE = ["/name/family"], "/address/postcode"
WHY = "Order 7/26 of the court."
PEOPLE = (
    *("kept", "withdrawn", "suspended", "narrowed", "locked", "protected", "revoked"),
    *("counted", "late"),
)
STOPPED = ("withdrawn", "suspended", "locked", "protected", "revoked")


@dataclass(frozen=True)
class Told:
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def command(environ: dict[str, str], *arguments: str) -> Told:
    """Run a command in this process, beside the server, which is another: a process of its own
    for each of so many would cost a minute."""
    result = CliRunner().invoke(main, arguments, env=environ, catch_exceptions=False)
    return Told(result.exit_code, result.stdout, result.stderr)


@dataclass
class Drill:
    """A country whose database was brought back from a backup while its gateway ran, and a host
    that was not there before, which has the keys and reaches guard and database."""

    country: RunningCountry
    place: Path
    people: dict[str, Resident]
    host: dict[str, str]

    def places(self, environ: dict[str, str]) -> dict[str, str]:
        """Return an environment with the places that the runbook's commands name."""
        places = {"BACKUPS": self.place / "backups", "VAULT": self.place / "vault"}
        return {**environ, **{name: str(path) for name, path in places.items()}}

    def here(self, *arguments: str) -> Told:
        """Run a command on the host that was there all the time."""
        return command(self.country.environ, *arguments)

    def elsewhere(self, *arguments: str) -> Told:
        """Run a command on the host that was not there before."""
        return command(self.host, *arguments)

    def act(self, what: str, who: str, *options: str) -> None:
        """Have somebody say something about their consent, at a counter."""
        about = ("--agreement", "family-allowance", *subject(self.people[who]), "--clerk", "c-1")
        done(self.here("consents", what, *about, *options))

    def ask(self, who: str, fields: list[str] = NAME) -> Answer:
        """Ask the gateway that was running all the time."""
        return self.country.agency().exchange(self.people[who].number, RESIDENTS, fields)

    def receipt(self, who: str) -> Path:
        """Ask, and keep the receipt."""
        path = self.place / f"{who}.receipt"
        path.write_text(self.ask(who).json["receipt"])
        return path

    def verified(self, *options: str) -> Told:
        """Export the log and verify it with nothing but its files."""
        out = self.place / "export"
        if out.exists():  # the log grew since, and the end of a shorter one would still be there
            shutil.rmtree(out)
        done(self.elsewhere("audit", "export", str(out)))
        return self.elsewhere("audit", "verify", "--dir", str(out), *options)


@dataclass
class Seen:
    """The drill when it is over, and what was seen on the way."""

    drill: Drill
    early: Path
    late: Path
    started: subprocess.CompletedProcess
    asked: list[Answer]
    looked: subprocess.CompletedProcess
    recovered: subprocess.CompletedProcess


def done(told: Told | subprocess.CompletedProcess) -> Told | subprocess.CompletedProcess:
    assert told.returncode == 0, told.stdout + told.stderr
    return told


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    place = tmp_path_factory.mktemp("drill")
    with running(place / "demo", 120) as country:
        people = {who: country.resident() for who in PEOPLE}
        drill = Drill(country, place, people, host(country, place))
        for who in PEOPLE[:-1]:
            drill.act("give", who, *(("--uses", "9") if who == "counted" else ()))
        early = drill.receipt("kept")
        [back_up] = runbook.blocks("Back up")
        done(runbook.run(back_up, drill.places(country.environ)))
        restrict(drill)
        late = drill.receipt("late")
        restore, look, recover = runbook.blocks("Restore")
        done(runbook.run(restore, drill.places(drill.host)))
        asked = [drill.ask(who) for who in PEOPLE]
        yield Seen(
            drill,
            early,
            late,
            runbook.run(f"python -m gateway serve --port {free_port()}", drill.host),
            asked,
            runbook.run(look, drill.places(drill.host)),
            served_again(drill, recover),
        )


def host(country: RunningCountry, place: Path) -> dict[str, str]:
    """Return the environment of a new host: it reaches the guard, and has no keys yet."""
    home, old = place / "host", Path(country.environ["GATEWAY_STATE_DIR"])
    for directory in (home, place / "backups", place / "vault"):
        directory.mkdir(mode=0o700)
    (home / "guard").symlink_to(old / "guard")
    return {**country.environ, "GATEWAY_STATE_DIR": str(home)}


def restrict(drill: Drill) -> None:
    """Do everything that takes something away, and that the backup does not have."""
    people = drill.people
    drill.act("withdraw", "withdrawn")
    drill.act("suspend", "suspended")
    drill.act("narrow", "narrowed", "--drop", f"{RESIDENTS}#{POSTCODE}")
    drill.act("give", "late")
    officer = ("--officer", "o-1", "--reason", WHY)
    for arguments in (
        ("blocks", "lock", *subject(people["locked"]), "--clerk", "c-1"),
        ("blocks", "set", *subject(people["protected"]), "--kind", "court", *officer),
        (
            *("consents", "revoke", "--agreement", "family-allowance"),
            *(*subject(people["revoked"]), *officer),
        ),
        ("stop", "agreement", "child-maintenance", "--reason", "It is disputed."),
        ("clients", "disable", "tax-1"),
    ):
        done(drill.here(*arguments))


def subject(resident: Resident) -> tuple[str, str]:
    return "--subject", f"{SCHEME}:{resident.number}"


def served_again(drill: Drill, recover: str) -> subprocess.CompletedProcess:
    """Recover on the new host, and wait until the old one, which goes on running, follows."""
    recovered = runbook.run(recover, drill.places(drill.host))
    until = time.monotonic() + PATIENCE
    while drill.ask("kept").status != 200 and time.monotonic() < until:
        time.sleep(0.2)
    return recovered


def test_before_the_recovery_no_host_starts_and_the_sentence_is_plain(seen: Seen):
    assert seen.started.returncode == 1
    assert "it is an older copy" in seen.started.stderr
    assert "audit recover" in seen.started.stderr
    assert "Traceback" not in seen.started.stderr


def test_before_the_recovery_everybody_is_told_ledger_unavailable_and_nothing_leaves(seen: Seen):
    told = [(answer.status, answer.reason) for answer in seen.asked]
    assert set(told) == {(503, "ledger.unavailable")}
    assert all("sealed" not in answer.json for answer in seen.asked)


def test_the_operator_reads_what_is_lost_before_anything_is_done(seen: Seen):
    assert seen.looked.returncode == 0, seen.looked.stderr
    for kind in (
        *("consent.withdrawn", "consent.suspended", "consent.narrowed", "consent.revoked"),
        *("stop.set", "client.disabled"),
    ):
        assert f"The guard holds of them: 1 {kind}" in seen.looked.stdout
    assert "The guard holds of them: 2 block.set" in seen.looked.stdout
    assert "are lost" in seen.looked.stdout
    assert all(one.number not in seen.looked.stdout for one in seen.drill.people.values())


def test_the_host_that_was_not_there_before_puts_everything_back(seen: Seen):
    assert seen.recovered.returncode == 0, seen.recovered.stderr
    assert "8 restrictions stand again." in seen.recovered.stdout
    again = seen.drill.elsewhere("audit", "recover")
    assert "Nothing was lost" in done(again).stdout


@pytest.mark.parametrize("who", STOPPED)
def test_what_was_stopped_stays_stopped_for_the_host_that_ran_all_the_time(seen: Seen, who: str):
    answer = seen.drill.ask(who)
    assert (answer.status, answer.reason) == (403, "subject.not_released")


def test_what_was_narrowed_stays_narrowed_and_the_rest_goes_on(seen: Seen):
    answer = seen.drill.ask("narrowed", [*NAME, POSTCODE])
    assert answer.status == 200
    assert answer.json["withheld"] == [{"field": POSTCODE, "reason": "field.not_consented"}]
    assert seen.drill.ask("kept").status == 200


def test_a_consent_that_the_backup_does_not_have_permits_nothing(seen: Seen):
    assert seen.drill.ask("late").reason == "subject.not_released"


def test_a_consent_whose_uses_are_counted_rests_until_its_person_lets_it_run_again(seen: Seen):
    assert seen.drill.ask("counted").reason == "subject.not_released"
    seen.drill.act("resume", "counted")
    assert seen.drill.ask("counted").status == 200


def test_what_was_stopped_and_who_was_disabled_stay_so(seen: Seen):
    stops = done(seen.drill.elsewhere("stop", "list")).stdout
    assert "child-maintenance" in stops
    disabled: Agency = seen.drill.country.agency("tax")
    assert disabled.ask_token().status == 401


def test_the_recovered_log_verifies_offline_and_tells_the_receipts_apart(seen: Seen):
    told = seen.drill.verified("--receipt", str(seen.early), "--receipt", str(seen.late))
    assert told.returncode == 0, told.stdout
    assert told.stdout.splitlines()[-1].startswith("ok size=")
    said = told.stdout + told.stderr
    assert "late.receipt" in said
    assert "lost in the recovery of" in said
    assert "early.receipt" not in said


def test_after_the_recovery_comes_no_release_under_what_was_withdrawn(seen: Seen):
    assert seen.drill.verified().returncode == 0
    leaves = exported_leaves(seen.drill.place / "export")
    (recovered,) = [n for n, leaf in enumerate(leaves) if leaf["type"] == "log.recovered"]
    assert int(leaves[recovered]["kept"]) == recovered
    ended = [leaf["consent"] for leaf in leaves if leaf["type"] == "consent.withdrawn"]
    after = leaves[recovered:]
    assert len(ended) == 1
    assert ended[0] not in [leaf.get("consent") for leaf in after if "release" in leaf["type"]]


def test_in_a_copy_that_says_nothing_of_a_recovery_the_same_receipt_is_bad(
    seen: Seen, tmp_path: Path
):
    assert seen.drill.verified().returncode == 0
    leaves = exported_leaves(seen.drill.place / "export")
    kept = next(int(leaf["kept"]) for leaf in leaves if leaf["type"] == "log.recovered")
    with opened(Settings.parse(seen.drill.host)) as rooms:
        signer = rooms.signer.named(leaves[0]["origin"])
    written = [
        json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode() for leaf in leaves[:kept]
    ]
    write(written, tmp_path / "cut", signer)
    told = seen.drill.elsewhere(
        *("audit", "verify", "--dir", str(tmp_path / "cut"), "--receipt", str(seen.late))
    )
    assert told.returncode == 1
    assert "a receipt proves a log of" in told.stdout.splitlines()[-1]


def test_the_person_reads_an_unbroken_list_that_goes_on_after_the_recovery(seen: Seen):
    for who in ("withdrawn", "kept", "locked"):
        told = done(seen.drill.here("consents", "activity", *subject(seen.drill.people[who])))
        listed = [json.loads(line) for line in told.stdout.splitlines()]
        assert sorted(one["number"] for one in listed) == list(range(1, len(listed) + 1))
        assert ("consent.withdrawn" in told.stdout) is (who == "withdrawn")
