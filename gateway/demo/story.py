"""Story: a family allowance for a new child, told in six steps, each one checked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.demo.agencies import Told, activity, asking, counter, receipt_of, run
from gateway.demo.cheat import forge
from gateway.demo.country import Country
from gateway.settings import Settings
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId

ASKER = AgencyId("family-benefits")
AGREEMENT = AgreementId("family-allowance")
BEYOND = (ServiceId("population/residents"), "/nationality")
"""A fact that the service has and the agreement does not."""

Say = Callable[[str], None]


class StoryBroken(Exception):
    """A step did not hold; the text says which, and what happened instead."""


@dataclass(slots=True)
class Story:
    """The story so far."""

    country: Country
    say: Say
    used: int = 0
    number: int = 0

    def tell(self) -> None:
        """Tell the whole story, or raise `StoryBroken`."""
        self.say(
            "\nA family allowance for a new child\n"
            f"{self.country.amina.given} {self.country.amina.family} has a baby. Family Benefits"
            " needs facts that three other offices hold.\n"
        )
        self._nobody_asked_her()
        self._she_agrees()
        self._the_answers_travel()
        self._a_clerk_wants_more()
        self._she_stops_it()
        self._we_cheat()
        self.say("\nEvery step held.")

    def _nobody_asked_her(self) -> None:
        self._step(1, "Family Benefits asks three offices about Amina.")
        for service in self._services():
            self._refused(self._ask(service), "subject.not_released", f"{service} told something")
        self.say("   Refused, three times: nobody asked her. The offices never heard of it.")
        self._proves("P6 closed by default", "P7 the agreement decides the basis")

    def _she_agrees(self) -> None:
        self._step(2, "She agrees, at the counter, to what the agreement offers.")
        told = counter(self.country, "give")
        self._hold(told.ok, f"her consent was not taken down: {told.err}")
        given = told.lines()[0]
        self.say(f"   {given['state']} as {given['consent']}, entry {given['index']}.")

    def _the_answers_travel(self) -> None:
        self._step(3, "Family Benefits asks again.")
        for service, fields in self._services().items():
            told = self._ask(service)
            self._hold(told.ok, f"{service} did not answer: {told.err}")
            record = json.loads(told.out)
            self._hold(bool(record), f"{service} answered with nothing")
            self.used += 1
            self.say(f"   {service}: {len(fields)} fields asked, sealed, opened with the key.")
        travelled = sum(len(fields) for fields in self._services().values())
        held = sum(self.country.held[service] for service in self._services())
        self.say(
            f"   Allowance decided. {self.used} offices, 0 papers. {travelled} of {held}"
            " facts travelled, the rest stayed home."
        )
        self._proves(
            "P1 no data without a trace", "P3 never wider than permitted", "P4 sealed for the asker"
        )

    def _a_clerk_wants_more(self) -> None:
        service, fact = BEYOND
        self._step(4, f"A clerk adds {fact}, which the agreement does not have.")
        fields = [*self._services()[service], fact]
        told = run(self.country, *asking(self.country, ASKER, service, fields))
        self._refused(told, "field.not_agreed", "the fact was told")
        last = activity(self.country)[-1]
        shown = _shown(last, "actor", "user"), _shown(last, "response", "reason")
        self._hold(shown == ("clerk-4471", "field.not_agreed"), f"her list shows {shown}")
        who, why = map(str, shown)
        self.say(f"   Refused. Her list, number {last['number']}, says who and why: {who}, {why}.")
        again = self._ask(service)
        self._hold(again.ok, f"the agreed facts were not told: {again.err}")
        self.used += 1
        self.say("   Asked for what is agreed, it is answered; the agency keeps the receipt.")
        self._proves("P3 never wider than permitted", "P8 you see everything")

    def _she_stops_it(self) -> None:
        self._step(5, "She stops it.")
        told = counter(self.country, "withdraw")
        self._hold(told.ok, f"her withdrawal was not taken down: {told.err}")
        stopped = told.lines()[0]
        uses = stopped["uses"]
        count = len(uses) if isinstance(uses, list) else 0
        self._hold(count == self.used, f"the acknowledgement lists {count} uses")
        self.say(f"   Stopped at {stopped['at']}; before that it was used {count} times.")
        service = next(iter(self._services()))
        self._refused(self._ask(service), "subject.not_released", "something left afterwards")
        self.say("   The next request is refused.")
        self._proves("P2 withdrawal is final")

    def _we_cheat(self) -> None:
        self._step(6, "We cheat as the operator: one entry is cut out of a copy, the tree rebuilt,")
        self.say("   the checkpoint signed with the real key.")
        cut = next(one for one in activity(self.country) if _is_refusal_of_more(one))
        index = int(str(cut["index"]))
        honest, forged = (self.country.place.state / name for name in ("log", "forged"))
        forge(Settings.parse(self.country.settings), honest, forged, index)
        kept = str(receipt_of(self.country, ASKER, BEYOND[0]))
        self._verified("--dir", str(honest), "--receipt", kept, holds=True)
        self._verified("--dir", str(forged), holds=True)
        found = self._verified("--dir", str(forged), "--receipt", kept, holds=False)
        self.say("   The copy alone verifies. The receipt that the agency kept exposes it:")
        self.say(f"   {found}")
        self._proves("P5 history cannot be rewritten")

    def _services(self) -> Mapping[ServiceId, Mapping[Pointer, bool]]:
        return next(one.services for one in self.country.agreements if one.id == AGREEMENT)

    def _ask(self, service: ServiceId) -> Told:
        return run(
            self.country, *asking(self.country, ASKER, service, [*self._services()[service]])
        )

    def _refused(self, told: Told, reason: str, otherwise: str) -> None:
        self._hold(not told.ok and reason in told.err, f"{otherwise}: {told.err}")

    def _verified(self, *arguments: str, holds: bool) -> str:
        told = run(self.country, "gateway", "audit", "verify", *arguments)
        lines = told.out.splitlines() or [told.err]
        self._hold(told.ok is holds, f"the verifier said: {lines[-1]}")
        return lines[-1]

    def _step(self, number: int, what: str) -> None:
        self.number = number
        self.say(f"\n{number}. {what}")

    def _proves(self, *promises: str) -> None:
        self.say(f"   Shows: {'; '.join(promises)}.")

    def _hold(self, held: bool, otherwise: str) -> None:  # noqa: FBT001 - what holds or not
        if not held:
            raise StoryBroken(f"Step {self.number} does not hold: {otherwise}.")


def _shown(event: Mapping[str, object], disclosure: str, member: str) -> object:
    disclosures = event["disclosures"]
    shown = disclosures.get(disclosure) if isinstance(disclosures, dict) else None
    return shown.get(member) if isinstance(shown, dict) else None


def _is_refusal_of_more(event: Mapping[str, object]) -> bool:
    return _shown(event, "response", "reason") == "field.not_agreed"
