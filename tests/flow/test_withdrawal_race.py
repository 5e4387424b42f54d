"""The withdrawal race: many requests against one withdrawal from another process, round by round;
what the exported ledger says afterwards is what everybody was told."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.agency import Answer
from tests.country import INCOME
from tests.flow.office import YEAR, Question, honest
from tests.flow.watched import Leaf, WatchedCountry

ROUNDS = 5
ASKERS = 8
BEFORE, AFTER = 16, 2
"""How many answers there are before the withdrawal, and from each asker after it."""


@dataclass
class Round:
    """What one round told the agency, before and after the acknowledgement, and the person."""

    answers: list[tuple[bool, Answer]]
    withdrawn: dict[str, Any]

    @property
    def released(self) -> set[str]:
        return {one.json["exchange"] for _, one in self.answers if one.status == 200}


def test_p2_withdrawal_is_final_however_many_requests_race_with_it(
    watched: WatchedCountry, tmp_path: Path
):
    rounds = [race(watched) for _ in range(ROUNDS)]
    for one in rounds:
        told = {(after, answer.status) for after, answer in one.answers}
        assert told <= {(False, 200), (False, 403), (True, 403)}
    leaves = watched.leaves(tmp_path / "log")
    for one in rounds:
        end = one.withdrawn["index"]
        releases = released_under(one.withdrawn["consent"], leaves)
        assert leaves[end]["type"] == "consent.withdrawn"
        assert [index for index in releases if index > end] == []
        listed = {use["exchange"] for use in one.withdrawn["uses"]}
        assert listed == set(releases.values()) == one.released
    assert any(overtaken(one, leaves) for one in rounds), "no request was ever in flight"


def race(country: WatchedCountry) -> Round:
    """Let everybody ask about one person until after her withdrawal is acknowledged."""
    resident = country.consented()
    country.office.tells(resident.number, in_its_own_time)
    answers: list[tuple[bool, Answer]] = []
    acknowledged, enough = threading.Event(), threading.Semaphore(0)

    def ask() -> None:
        agency, late = country.agency(), 0
        while late < AFTER:
            after = acknowledged.is_set()
            answers.append((after, agency.exchange(resident.number, INCOME, [YEAR])))
            late += after
            enough.release()

    with ThreadPoolExecutor(ASKERS) as askers:
        asking = [askers.submit(ask) for _ in range(ASKERS)]
        for _ in range(BEFORE):
            assert enough.acquire(timeout=120)
        try:
            done = country.consents("withdraw", resident)
        finally:
            acknowledged.set()
        for one in asking:
            one.result()
    assert done.returncode == 0, done.stderr
    return Round(answers, json.loads(done.stdout))


def in_its_own_time(question: Question) -> bytes:
    """Answer so that requests are spread over all their steps at every moment."""
    time.sleep(0.01 * (time.monotonic_ns() % 8))
    return honest(question)


def released_under(consent: str, leaves: list[Leaf]) -> dict[int, str]:
    """Return the exchanges that were released under a consent, by index."""
    return {
        index: leaf["exchange"]
        for index, leaf in enumerate(leaves)
        if leaf["type"] == "exchange.release" and leaf.get("consent") == consent
    }


def overtaken(one: Round, leaves: list[Leaf]) -> bool:
    """Tell whether a request was permitted before the withdrawal and refused after it."""
    before, after = leaves[: one.withdrawn["index"]], leaves[one.withdrawn["index"] :]
    decided = {leaf["exchange"] for leaf in before if leaf["type"] == "exchange.decision"}
    refused = {leaf["exchange"] for leaf in after if leaf["type"] == "exchange.refusal"}
    return bool(decided & refused)
