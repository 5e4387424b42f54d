"""Stages: what each step of one exchange costs in CPU, and how that grows; in this process."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.ask import parse_ask
from gateway.minimise import minimise
from gateway.model import Docket
from identity.model import Scope
from tests.bench.stage import Stage, number_of, staged
from tests.country import RESIDENTS

FIELDS = ["/name/family", "/address/postcode", "/children/*/birth_date"]
ROUNDS = 400
SIZES = (1, 16, 128, 1024)
"""Record sizes in KiB."""
COUNTS = (1_000, 10_000, 100_000)


def micros(run: Callable[[Any], object], given: list[Any]) -> float:
    """Return the CPU time of a call in microseconds, all threads of the process counted: the best
    of twenty batches, since what else the machine does only ever adds to it."""
    for one in given[:20]:
        run(one)
    taken = []
    batch = 20
    for start in range(20, len(given), batch):
        began = time.process_time_ns()
        for one in given[start : start + batch]:
            run(one)
        taken.append((time.process_time_ns() - began) / 1000 / len(given[start : start + batch]))
    return round(min(taken), 1)


def stages(stage: Stage) -> dict[str, float]:
    """Return the cost of each step, and of the whole, in microseconds of CPU."""
    number = stage.country.sources.people[1].number
    pipeline, journal = stage.pipeline, stage.pipeline.journal
    posted = stage.posted(number, RESIDENTS, FIELDS)
    shown = [stage.credentials() for _ in range(ROUNDS)]
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
        "parse": micros(parse_ask, [posted] * ROUNDS),
        "2-4 resolve, consent, decide": micros(pipeline._permit, permits(ROUNDS)),
        "5 decision": micros(decide, permits(ROUNDS)),
    }
    warrant = warrants[-1][1]
    record = pipeline.fetch(warrant)
    named = stage.rooms.control.now().subject
    extract = minimise(record, warrant, stage.rooms.clock.now(), named)
    sealed = pipeline.seal(extract, caller.recipient)
    cost |= {
        "6 fetch (sql)": micros(lambda _: pipeline.fetch(warrant), [0] * ROUNDS),
        "7 minimise": micros(
            lambda _: minimise(record, warrant, stage.rooms.clock.now(), named), [0] * ROUNDS
        ),
        "8 seal": micros(lambda _: pipeline.seal(extract, caller.recipient), [0] * ROUNDS),
        "9 release and receipt": micros(
            lambda one: journal.release(*one, sealed, extract.others), warrants
        ),
        "whole": whole(stage),
    }
    with nothing_remembered(stage):
        cost |= {
            "2-4, no decision remembered": micros(pipeline._permit, permits(ROUNDS)),
            "whole, no decision remembered": whole(stage),
        }
    return cost


@contextmanager
def nothing_remembered(stage: Stage) -> Iterator[None]:
    """Let the policies be evaluated at every request."""
    remembered = stage.rooms.engine.remembered
    most, remembered.most = remembered.most, 0
    remembered.clear()
    try:
        yield
    finally:
        remembered.most = most


def whole(stage: Stage, number: str | None = None) -> float:
    """Return the CPU of one whole exchange, without the server, in microseconds."""
    number = number or stage.country.sources.people[1].number
    posted = stage.posted(number, RESIDENTS, FIELDS)
    shown = [stage.credentials() for _ in range(ROUNDS)]
    return micros(lambda one: stage.pipeline.handle(one, posted), shown)


def by_record_size(stage: Stage) -> dict[str, float]:
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
        costs[f"{size} KiB"] = whole(stage)
    stage.pipeline = plain
    return costs


def by_consents(stage: Stage, counts: tuple[int, ...]) -> dict[str, float]:
    """Return the CPU of a whole exchange by how many people have consented; the ledger grows with
    them, an entry each, so this is also the cost by the size of the ledger."""
    costs = {}
    given = 0
    with ThreadPoolExecutor(64) as counter:
        for count in counts:
            list(counter.map(lambda place: stage.consent(number_of(place)), range(given, count)))
            given = count
            costs[f"{count:,}"] = whole(stage)
    return costs


def run(directory: Path, counts: tuple[int, ...] = COUNTS) -> dict[str, dict[str, float]]:
    """Return every table."""
    with staged(directory / "stages") as stage:
        return {
            "CPU by step, µs": stages(stage),
            "CPU of an exchange by record size, µs": by_record_size(stage),
            "CPU of an exchange by consents and ledger entries, µs": by_consents(stage, counts),
        }
