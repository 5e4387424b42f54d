"""Exchanges: the row that tells how far each one came, as effects of its entries."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from gateway.model import Docket
from kernel.canonical import Json, canonical
from kernel.clock import SECOND
from kernel.effect import Effect, Key, Moment, Row, Rows, Write
from kernel.errors import Reason, Refusal
from kernel.names import ExchangeId


class State(StrEnum):
    """How far an exchange came."""

    OPEN = "open"
    RELEASED = "released"
    REFUSED = "refused"


def key_of(exchange: ExchangeId) -> Key:
    """Return the key of an exchange's row."""
    return Key("exchange", (exchange,))


def opened(docket: Docket, state: State, identifier: bytes | None) -> Effect:
    """Return the effect of an exchange's first entry: a decision leaves it open, a refusal ends it.

    `identifier` is the person's, encrypted, for the entry that may have to end the exchange later.
    """

    def apply(_: Rows, moment: Moment) -> Sequence[Write]:
        row: Row = {
            "id": docket.exchange,
            "client": docket.caller.client_id,
            "agency": docket.caller.agency,
            "agreement": docket.agreement.id if docket.agreement else "",
            "service": docket.service.id if docket.service else "",
            "state": state.value,
            "opened": moment.time,
            "decision": moment.index,
            "closing": None if state is State.OPEN else moment.index,
            "receipt": None,
            "person": docket.person.ref if docket.person and identifier else None,
            "identifier": identifier,
        }
        return (Write(key_of(docket.exchange), row),)

    return Effect((), apply)


def closed(exchange: ExchangeId, state: State, claims: Mapping[str, Json] | None = None) -> Effect:
    """Return the effect of an exchange's last entry; it refuses an exchange that ended before."""
    key = key_of(exchange)

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        row = rows[key]
        if row is None or row["state"] != State.OPEN:
            raise Refusal(Reason.SOURCE_TIMEOUT, "The exchange took longer than it may.")
        receipt = None
        if claims is not None:
            receipt = canonical({**claims, "iat": moment.time // SECOND}).decode()
        return (
            Write(
                key,
                {
                    **row,
                    "state": state.value,
                    "closing": moment.index,
                    "receipt": receipt,
                    "person": None,
                    "identifier": None,
                },
            ),
        )

    return Effect((key,), apply)


def both(first: Effect, second: Effect) -> Effect:
    """Return the effect that does two things that write different rows."""
    return Effect(
        (*first.reads, *second.reads),
        lambda rows, moment: (*first.apply(rows, moment), *second.apply(rows, moment)),
    )
