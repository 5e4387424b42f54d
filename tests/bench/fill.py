"""Fill: a ledger with many entries of one person and many more of others, by the real journal."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gateway.ask import parse_ask
from gateway.minimise import minimise
from gateway.model import Docket
from identity.model import Scope
from kernel.errors import Exact, Reason, Refusal
from tests.bench.stage import Stage, number_of
from tests.country import RESIDENTS

FIELDS = ["/name/family"]
THREADS = 64
NO = Refusal(Reason.SUBJECT_NOT_RELEASED, "Not released.", exact=Exact.CONSENT_ABSENT)


def fill(stage: Stage, number: str, own: int, total: int) -> None:
    """Append until somebody with a standing consent has `own` entries more, and the ledger
    `total`; a third of their own exchanges is refused."""
    pipeline, journal = stage.pipeline, stage.pipeline.journal
    caller = pipeline.authenticate(stage.credentials(), Scope.EXCHANGE_REQUEST)
    pattern = journal.open(caller, parse_ask(stage.posted(number, RESIDENTS, FIELDS)))
    permit = pipeline._permit(pattern)

    def again() -> Docket:
        return replace(pattern, exchange=journal.open(caller, pattern.ask).exchange)

    first = again()
    warrant = journal.decision(first, permit)
    named = stage.rooms.control.now().subject
    extract = minimise(pipeline.fetch(warrant), warrant, stage.rooms.clock.now(), named)
    sealed = pipeline.seal(extract, caller.recipient)
    journal.release(first, warrant, sealed, extract.others)

    def released(_: int) -> None:
        docket = again()
        journal.release(docket, journal.decision(docket, permit), sealed, extract.others)

    def refused(_: int) -> None:
        journal.refuse(again(), NO, caller.epoch)

    def about_others(place: int) -> None:
        docket, person = again(), stage.person(number_of(place))
        docket.ask = replace(pattern.ask, subject=person.subject)
        docket.person, docket.consent = journal.person(person.subject), None
        journal.refuse(docket, NO, caller.epoch)

    with ThreadPoolExecutor(THREADS) as many:
        list(many.map(released, range(own * 2 // 5)))
        list(many.map(refused, range(own - own * 2 // 5 * 2)))
        list(many.map(about_others, range(max(0, total - stage.rooms.ledger.size))))
