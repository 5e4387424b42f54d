"""Story: a family allowance for a new child, told in six steps, each one checked."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.demo.agencies import (
    AGREEMENT,
    Told,
    activity,
    ask_her,
    asking,
    consent,
    learnt,
    receipt_of,
    run,
)
from gateway.demo.amina import LEFT_OUT, Amina
from gateway.demo.browser import NotShown
from gateway.demo.cheat import forge
from gateway.demo.country import Country
from gateway.demo.waiting import Clicks
from gateway.model import Agreed
from gateway.setup.settings import Settings
from kernel.names import AgencyId, Pointer, ServiceId

ASKER = AgencyId("family-benefits")
BEYOND = (ServiceId("population/residents"), "/nationality")
"""A fact that the service has and the agreement does not."""

Say = Callable[[str], None]


class StoryBroken(Exception):
    """A step did not hold; the text says which, and what happened instead."""


class SaidNo(Exception):
    """The person refused: nothing more is to be told."""


@dataclass(slots=True)
class Story:
    """The story so far; with `clicks` it waits for yours, without it clicks by itself."""

    country: Country
    say: Say
    clicks: Clicks | None
    used: int = 0
    number: int = 0
    granted: Mapping[str, list[str]] = field(default_factory=dict)
    consent: str = ""
    cut: int = 0
    """The entry of step 4, which step 6 cuts out."""

    def tell(self) -> None:
        """Tell the whole story, or raise `StoryBroken`."""
        self.say(
            "\nA family allowance for a new child\n"
            f"{self.country.amina.given} {self.country.amina.family} has a baby. Family Benefits"
            " needs facts that three other offices hold.\n"
        )
        try:
            self._nobody_asked_her()
            self._she_decides()
            self._the_answers_travel()
            self._a_clerk_wants_more()
            self._she_stops_it()
            self._we_cheat()
        except NotShown as missing:
            raise StoryBroken(f"Step {self.number} does not hold: {missing}.") from missing
        except SaidNo:
            self.say("   You said no: nothing travels, and she brings papers. That is the story.")
        self.say("\nEvery step held.")

    def _nobody_asked_her(self) -> None:
        self._step(1, "Family Benefits asks three offices about Amina.")
        for service in self._services():
            self._refused(self._ask(service), "subject.not_released", f"{service} told something")
        self.say("   Refused, three times: nobody asked her. The offices never heard of it.")
        self._proves("P6 closed by default", "P7 the agreement decides the basis")

    def _she_decides(self) -> None:
        self._step(2, "Family Benefits asks her, and she decides on her own page, fact by fact.")
        request = ask_her(self.country, ASKER, self._services())
        url, name = str(request["url"]), str(request["request"])
        self.say(f"   Her page: {url}")
        if not self._clicked(
            "Sign in there and answer as you like", lambda: self._learnt(name) == "answered"
        ):
            Amina(self.country).agree(url)
            self.say(f"   She signs in, ticks all but {LEFT_OUT!r}, checks her answers, says yes.")
        told = self._learnt(name)
        self._hold(told == "answered", f"the agency learns {told!r}")
        self.say(f"   Family Benefits learns that she {told}, and not what.")
        stands = consent(self.country)
        if stands["state"] == "ConsentRefused":
            service = next(iter(self._services()))
            self._refused(self._ask(service), "subject.not_released", "something left")
            raise SaidNo
        self.consent, fields = str(stands["consent"]), stands["fields"]
        self._hold(isinstance(fields, dict) and bool(fields), f"her consent is {stands['state']}")
        self.granted = fields if isinstance(fields, dict) else {}
        given, asked = (
            sum(map(len, self.granted.values())),
            sum(map(len, self._services().values())),
        )
        self.say(f"   {stands['state']} as {self.consent}: {given} of the {asked} facts asked for.")

    def _the_answers_travel(self) -> None:
        self._step(3, "Family Benefits asks the offices again.")
        travelled = answers = held = papers = 0
        for service, agreed in self._services().items():
            told, fields = self._ask(service), self.granted.get(service, [])
            held += self.country.held[service]
            if not fields:
                self._refused(told, "subject.not_released", f"{service} told something")
                self.say(f"   {service}: refused, she did not allow it.")
                papers += 1
                continue
            self._hold(told.ok, f"{service} did not answer: {told.err}")
            self._hold(bool(json.loads(told.out)), f"{service} answered with nothing")
            left = set(agreed) - set(re.findall(r"^Withheld: (\S+) ", told.err, re.MULTILINE))
            self._hold(left == set(fields), f"{service} told {sorted(left)}")
            self.used += 1
            travelled += len(fields)
            answers += sum(agreed[Pointer(one)].transform is not None for one in fields)
            self.say(f"   {service}: {len(fields)} of {len(agreed)} told, sealed, opened.")
        self.say(
            f"   Allowance decided. {self.used} offices, {papers} papers. {travelled} of {held}"
            f" facts travelled, the rest stayed home.\n   Of these, {answers} travelled only as the"
            " answer to a question: yes or no, an age group."
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
        page = Amina(self.country).entry(last["number"])
        self._hold("clerk-4471" in page.text, "her page does not say who asked")
        self.cut = int(str(last["index"]))
        who, why = map(str, shown)
        self.say(f"   Refused. Her page {page.path} says who and why: {who}, {why}.")
        again = self._ask(self._open)
        self._hold(again.ok, f"the agreed facts were not told: {again.err}")
        self.used += 1
        self.say("   Asked for what is agreed, it is answered; the agency keeps the receipt.")
        self._proves("P3 never wider than permitted", "P8 you see everything")

    def _she_stops_it(self) -> None:
        self._step(5, "She stops it, on the page of her consent.")
        self.say(f"   Her page: {self.country.place.gateway}/consents/{self.consent}")
        if not self._clicked("Stop the consent there", self._is_stopped):
            Amina(self.country).stop(self.consent)
        page = Amina(self.country).stopped(self.consent)
        said = re.search(r"Stopped at ([\d:]+ UTC).*it was used (\d+) time", page.text)
        since, count = said.groups() if said else ("", "no")
        self._hold(count == str(self.used), f"her page counts {count} uses")
        self.say(f"   Stopped at {since}; before that it was used {count} times.")
        self._refused(self._ask(self._open), "subject.not_released", "something left afterwards")
        self.say("   The next request is refused.")
        self._proves("P2 withdrawal is final")

    def _we_cheat(self) -> None:
        self._step(6, "We cheat as the operator: one entry is cut out of a copy, the tree rebuilt,")
        self.say("   the checkpoint signed with the real key.")
        honest, forged = (self.country.place.state / name for name in ("log", "forged"))
        forge(Settings.parse(self.country.settings), honest, forged, self.cut)
        kept = str(receipt_of(self.country, ASKER, self._open))
        self._verified("--dir", str(honest), "--receipt", kept, holds=True)
        self._verified("--dir", str(forged), holds=True)
        found = self._verified("--dir", str(forged), "--receipt", kept, holds=False)
        self.say("   The copy alone verifies. The receipt that the agency kept exposes it:")
        self.say(f"   {found}")
        self._proves("P5 history cannot be rewritten")

    @property
    def _open(self) -> ServiceId:
        """Return the first office that she allowed to answer."""
        return next(service for service in self._services() if self.granted.get(service))

    def _services(self) -> Mapping[ServiceId, Mapping[Pointer, Agreed]]:
        return next(one.services for one in self.country.agreements if one.id == AGREEMENT)

    def _ask(self, service: ServiceId) -> Told:
        return run(
            self.country, *asking(self.country, ASKER, service, [*self._services()[service]])
        )

    def _learnt(self, request: str) -> str:
        return learnt(self.country, ASKER, request)

    def _is_stopped(self) -> bool:
        return consent(self.country)["state"] == "ConsentWithdrawn"

    def _clicked(self, what: str, happened: Callable[[], bool]) -> bool:
        """Say whether you did it; the story that waits for nobody does it itself."""
        if self.clicks is None:
            return False
        she = self.country.amina
        self.say(f"   {what}; you are {she.given} {she.family}, {she.number}.")
        return self.clicks.until(happened)

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
