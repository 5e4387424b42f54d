"""Stages: what each step of one exchange costs in CPU, and how that grows; in this process."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from gateway.app import _settle_garbage_collection
from gateway.ask import parse_ask
from gateway.minimise import minimise
from gateway.model import Docket
from identity.model import Scope
from tests.bench.stage import Stage, number_of, staged
from tests.country import INCOME, RESIDENTS
from tests.flow.office import YEAR, record_of

FIELDS = ["/name/family", "/address/postcode", "/children/*/birth_date"]
ROUNDS = 400
BATCH = 20
SIZES = (1, 16, 128, 1024)
"""Record sizes in KiB."""
COUNTS = (1_000, 10_000, 100_000)
PILE = 10_000
"""Consents that wait at a time; a million at once would fill the memory."""
SPREAD = 800
"""Exchanges for each of them, about as many people."""


def batches(run: Callable[[Any], object], given: Sequence[Any]) -> list[float]:
    """Return the CPU time of a call in microseconds, all threads of the process counted, for each
    batch of twenty after a first one that warms up."""
    taken = []
    for start in range(0, len(given), BATCH):
        began = time.process_time_ns()
        for one in given[start : start + BATCH]:
            run(one)
        spent = time.process_time_ns() - began
        taken.append(spent / 1000 / len(given[start : start + BATCH]))
    return taken[1:]


def micros(run: Callable[[Any], object], given: Sequence[Any]) -> float:
    """Return the CPU time of a call in the best of its batches, since what else the machine does
    only ever adds to it."""
    return round(min(batches(run, given)), 1)


def stages(stage: Stage, rounds: int) -> dict[str, float]:
    """Return the cost of each step, and of the whole, in microseconds of CPU."""
    number = stage.country.sources.people[1].number
    pipeline, journal = stage.pipeline, stage.pipeline.journal
    posted = stage.posted(number, RESIDENTS, FIELDS)
    shown = [stage.credentials() for _ in range(rounds)]
    caller = pipeline.authenticate(stage.credentials(), Scope.EXCHANGE_REQUEST)
    ask = parse_ask(posted)

    def fresh(_: Any = None) -> Docket:
        return journal.open(caller, ask)

    permitted = fresh()
    permit = pipeline._permit(permitted)
    warrants = []

    def decide(docket: Docket) -> None:
        warrants.append((docket, journal.decision(docket, permit)))

    def permits(count: int) -> list[Docket]:
        made = []
        for _ in range(count):
            docket = fresh()
            docket.person, docket.agreement = permitted.person, permitted.agreement
            docket.service, docket.policy = permitted.service, permitted.policy
            docket.consent, docket.input = permitted.consent, permitted.input
            made.append(docket)
        return made

    cost = {
        "1 authenticate": micros(
            lambda one: pipeline.authenticate(one, Scope.EXCHANGE_REQUEST), shown
        ),
        "parse": micros(parse_ask, [posted] * rounds),
        "2-4 resolve, consent, decide": micros(pipeline._permit, permits(rounds)),
        "5 decision": micros(decide, permits(rounds)),
    }
    warrant = warrants[-1][1]
    record = pipeline.fetch(warrant)
    named = stage.rooms.control.now().subject
    extract = minimise(record, warrant, stage.rooms.clock.now(), named)
    sealed = pipeline.seal(extract, caller.recipient)
    cost |= {
        "6 fetch (sql)": micros(lambda _: pipeline.fetch(warrant), [0] * rounds),
        "7 minimise": micros(
            lambda _: minimise(record, warrant, stage.rooms.clock.now(), named), [0] * rounds
        ),
        "8 seal": micros(lambda _: pipeline.seal(extract, caller.recipient), [0] * rounds),
        "9 release and receipt": micros(
            lambda one: journal.release(*one, sealed, extract.others), warrants
        ),
        "whole": whole(stage, rounds),
    }
    with nothing_remembered(stage):
        cost |= {
            "2-4, no decision remembered": micros(pipeline._permit, permits(rounds)),
            "whole, no decision remembered": whole(stage, rounds),
        }
    return cost


@contextmanager
def nothing_remembered(stage: Stage) -> Iterator[None]:
    """Let the policies be evaluated at every request."""
    remembered = stage.rooms.engine._engine.remembered
    most, remembered.most = remembered.most, 0
    remembered.clear()
    try:
        yield
    finally:
        remembered.most = most


def whole(stage: Stage, rounds: int) -> float:
    """Return the CPU of one whole exchange, without the server, in microseconds."""
    number = stage.country.sources.people[1].number
    posted = stage.posted(number, RESIDENTS, FIELDS)
    shown = [stage.credentials() for _ in range(rounds)]
    return micros(lambda one: stage.pipeline.handle(one, posted), shown)


def by_record_size(stage: Stage, rounds: int) -> dict[str, float]:
    """Return the CPU of a whole exchange by the size of the record that travels."""
    number = stage.country.sources.people[1].number
    plain = stage.pipeline
    costs = {}
    for size in SIZES:
        record = {
            "resident_number": number,
            "name": {"family": "x" * (size * 1024)},
            "address": {"postcode": "1000"},
            "children": [{"resident_number": number, "birth_date": "2026-01-01"}],
        }
        stage.pipeline = replace(plain, fetch=lambda _, record=record: record)
        costs[f"{size} KiB"] = whole(stage, rounds)
    stage.pipeline = plain
    return costs


def growth(stage: Stage, counts: Sequence[int]) -> dict[str, dict]:
    """Return the CPU of a whole exchange, about people spread over all of them, by how many have
    consented; each consent is an entry, so the ledger has at least as many. The last line divides
    the last by the first."""
    plain = stage.pipeline
    stage.pipeline = replace(plain, fetch=lambda warrant: record_of(warrant.ask.subject.value))
    table: dict[str, dict] = {}
    given = 0
    with ThreadPoolExecutor(64) as counter:
        for count in counts:
            began = time.perf_counter()
            for start in range(given, count, PILE):
                some = range(start, min(count, start + PILE))
                list(counter.map(lambda place: stage.consent(number_of(place)), some))
            filled, given = time.perf_counter() - began, count
            spread = range(0, count, max(1, count // SPREAD))[:SPREAD]
            shown = [
                (stage.credentials(), stage.posted(number_of(place), INCOME, [YEAR]))
                for place in spread
            ]
            taken = batches(lambda one: stage.pipeline.handle(*one), shown)
            table[f"{count:,} consents"] = {
                "ledger entries": stage.rooms.ledger.size,
                "best CPU µs": round(min(taken), 1),
                "median CPU µs": round(median(taken), 1),
                "filled in, s": round(filled, 1),
            }
    stage.pipeline = plain
    first, last = table[f"{counts[0]:,} consents"], table[f"{counts[-1]:,} consents"]
    kinds = ("best CPU µs", "median CPU µs")
    return {**table, "last : first": {kind: round(last[kind] / first[kind], 2) for kind in kinds}}


def run(directory: Path, counts: Sequence[int] = COUNTS, rounds: int = ROUNDS) -> dict[str, dict]:
    """Return every table; what was made at the start is collected no more, as where it is
    served."""
    with staged(directory / "stages") as stage:
        _settle_garbage_collection()
        return {
            "CPU by step, µs": stages(stage, rounds),
            "CPU of an exchange by record size, µs": by_record_size(stage, rounds),
            "An exchange by consents and ledger entries": growth(stage, counts),
        }
