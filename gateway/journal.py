"""Journal: turns the steps of an exchange into ledger entries; nothing happened without one."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol, cast

import orjson

from consent.effects import Release, used
from crypto.model import Sealed
from gateway.exchanges import State, both, closed, opened
from gateway.model import Ask, Docket, Permit, Receipt, Stage, Warrant
from gateway.receipts import Place, answers, receipt_claims
from identity.model import Caller
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import SECOND
from kernel.entry import Change, Concerned, Entry, EntryType, Ledger
from kernel.errors import Reason, Refusal
from kernel.names import ExchangeId, Subject, SubjectRef


class Pseudonyms(Protocol):
    """How the gateway's own tables name a person."""

    def ref(self, subject: Subject) -> SubjectRef:
        """Return the person's pseudonym."""
        ...

    def seal(self, subject: Subject) -> bytes:
        """Return the person's identifier, encrypted."""
        ...


class Journal:
    """Writes decisions, releases and refusals down; alone makes `Warrant` and `Receipt`."""

    def __init__(
        self,
        ledger: Ledger,
        pseudonyms: Pseudonyms,
        sign: Callable[[Mapping[str, Json], Place], str],
        chance: Chance,
    ) -> None:
        """Take the ledger, the pseudonyms, how a receipt is signed, and a source of identifiers."""
        self._ledger = ledger
        self._pseudonyms = pseudonyms
        self._sign = sign
        self._chance = chance

    def open(self, caller: Caller, ask: Ask) -> Docket:
        """Return the docket of a new exchange; nothing is written yet."""
        return Docket(ExchangeId(self._chance.identifier("ex")), caller, ask)

    def person(self, subject: Subject) -> Concerned:
        """Return a person as entries name them."""
        return Concerned(self._pseudonyms.ref(subject), subject)

    def decision(self, docket: Docket, permit: Permit) -> Warrant:
        """Write down that the answer is yes, before the source is asked (P1)."""
        person, agreement, service = docket.person, docket.agreement, docket.service
        if person is None or agreement is None or service is None:
            raise Refusal(Reason.INTERNAL, "A decision was made on an incomplete request.")
        entry = Entry(
            EntryType.EXCHANGE_DECISION,
            {**_header(docket), "decision": "permit"},
            _disclosures(docket, _facts(permit)),
            (person,),
            docket.caller.epoch,
        )
        effect = opened(docket, State.OPEN, self._pseudonyms.seal(person.subject))
        self._ledger.append(entry, effect)
        docket.stage = Stage.DECIDED
        return Warrant(
            docket.exchange, docket.ask, person, agreement, service, permit, docket.caller.epoch
        )

    def release(
        self, docket: Docket, warrant: Warrant, sealed: Sealed, others: tuple[Subject, ...]
    ) -> Receipt:
        """Write down that the sealed answer leaves, with consent checked once more in the same
        transaction (P1, P2), also for the others whose facts leave (P8), and return the signed
        receipt."""
        claims = receipt_claims(docket.caller.client_id, warrant, sealed)
        told = {**_facts(warrant.permit), "sealed_sha256": claims["sealed_sha256"]}
        named = tuple(map(self.person, others))
        entry = Entry(
            EntryType.EXCHANGE_RELEASE,
            _header(docket),
            _disclosures(docket, told),
            (warrant.person, *named),
            docket.caller.epoch,
            beside=_beside(docket, warrant) if named else None,
        )
        release = Release(
            subject_ref=warrant.person.ref,
            consent=warrant.permit.consent,
            revision=warrant.agreement.revision,
            agency=docket.caller.agency,
            service=warrant.service.id,
            fields=warrant.permit.fields,
            exchange=docket.exchange,
            others=tuple(one.ref for one in named),
        )
        effect = both(closed(docket.exchange, State.RELEASED, claims), used(release))
        try:
            logged = self._ledger.append(entry, effect, lambda no: _closing(docket, no))
        except Refusal as refusal:
            if refusal.reason is not Reason.LEDGER_UNAVAILABLE:
                docket.stage = Stage.CLOSED
            raise
        docket.stage = Stage.CLOSED
        place = Place(logged.origin, logged.index, logged.leaf_hash, logged.proof())
        return Receipt(self._sign({**claims, "iat": logged.time // SECOND}, place))

    def refuse(self, docket: Docket, refusal: Refusal, epoch: int | None) -> None:
        """Write down that nothing is released, unless that is written already.

        A ledger that just failed is not asked again: the sweep ends what a decision left open.
        """
        if docket.stage is Stage.CLOSED or refusal.reason is Reason.LEDGER_UNAVAILABLE:
            return
        if docket.stage is Stage.DECIDED:
            change = _closing(docket, refusal)
        else:
            change = _refused(docket, refusal, epoch)
        self._ledger.append(change.entry, change.effect)
        docket.stage = Stage.CLOSED


def _refused(docket: Docket, refusal: Refusal, epoch: int | None) -> Change:
    entry = Entry(
        EntryType.EXCHANGE_REFUSAL,
        {**_header(docket), "decision": "deny"},
        _disclosures(docket, _why(refusal)),
        (docket.person,) if docket.person else (),
        epoch,
    )
    return Change(entry, opened(docket, State.REFUSED, None))


def _closing(docket: Docket, refusal: Refusal) -> Change:
    entry = Entry(
        EntryType.EXCHANGE_REFUSAL,
        _header(docket),
        _disclosures(docket, _why(refusal)),
        (docket.person,) if docket.person else (),
    )
    return Change(entry, closed(docket.exchange, State.REFUSED))


def _header(docket: Docket) -> dict[str, Json]:
    """Return what the leaf says openly: the parties, the agreement and the rule, no person."""
    header: dict[str, Json] = {"exchange": docket.exchange, "consumer": docket.caller.agency}
    if (agreement := docket.agreement) is not None:
        header |= {
            "agreement": agreement.id,
            "agreement_revision": agreement.revision,
            "purpose": agreement.purpose,
            "basis": agreement.basis.value,
        }
    if (service := docket.service) is not None:
        header |= {"provider": service.provider, "service": service.id}
    if docket.policy is not None:
        header["policy"] = docket.policy
    if docket.consent is not None:
        header["consent"] = docket.consent
    return header


def _disclosures(docket: Docket, response: Mapping[str, Json]) -> dict[str, Json]:
    ask = docket.ask
    disclosures: dict[str, Json] = {
        "actor": _actor(docket),
        "request": {
            "agreement": ask.agreement,
            "service": ask.service,
            "fields": list(ask.fields),
            "case": ask.case,
        },
        "response": response,
    }
    if docket.input is not None:
        disclosures["input"] = _stated(docket.input)
    if docket.consent is not None:
        disclosures["consents"] = [docket.consent]
    return disclosures


@lru_cache(maxsize=256)
def _stated(input: bytes) -> Json:
    """Return what the policies were told; decision and release say the same, and many do."""
    return cast("Json", orjson.loads(input))


def _beside(docket: Docket, warrant: Warrant) -> dict[str, Json]:
    """Return what the others whose facts leave may see: who asked, and which facts about people
    like them; no other fact, case or consent of the person who was asked about."""
    ask, known, permit = docket.ask, warrant.service.fields, warrant.permit
    about = {field for field in known if known[field].about != "subject"}
    kinds = {field: kind for field, kind in answers(permit).items() if field in about}
    fields: dict[str, Json] = {"fields": sorted(permit.fields & about)}
    return {
        "actor": _actor(docket),
        "request": {
            "agreement": ask.agreement,
            "service": ask.service,
            "fields": [field for field in ask.fields if field in about],
        },
        "response": {**fields, "answers": kinds} if kinds else fields,
    }


def _actor(docket: Docket) -> Json:
    return {"client": docket.caller.client_id, "user": docket.ask.user}


def _facts(permit: Permit) -> dict[str, Json]:
    """Return the released fields, and which of them travel as an answer of which kind."""
    fields: dict[str, Json] = {"fields": sorted(permit.fields)}
    return {**fields, "answers": answers(permit)} if permit.transforms else fields


def _why(refusal: Refusal) -> dict[str, Json]:
    return {
        "reason": refusal.reason.value,
        "exact": refusal.exact.value if refusal.exact else None,
    }
