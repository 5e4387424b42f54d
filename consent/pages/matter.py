"""Matter: what a person is to decide, whether an office asks or an old yes needs a new one."""

from dataclasses import dataclass

from consent.model import Act, ConsentRequest, Grant, Kind, Means, Record, RequestState, State
from consent.offer import Fact, Offer
from consent.pages.facts import Office, Picked, by_office
from consent.pages.frame import Visit
from kernel.clock import Micros


@dataclass(frozen=True, slots=True, repr=False)
class Matter:
    """An agreement, the facts that are asked for, and what was said about it before."""

    base: str
    """The address of its page."""
    offer: Offer
    facts: tuple[Fact, ...]
    record: Record | None
    request: ConsentRequest | None = None

    @property
    def offices(self) -> tuple[Office, ...]:
        """Return the facts by office."""
        return by_office(self.facts)

    def waits(self, at: Micros) -> bool:
        """Say whether a yes would count: nobody answered yet, or the answer was no and the time
        to answer is not over."""
        request = self.request
        if not self.offer.in_force or self.offer.paused or not self.facts:
            return False
        if request is None or request.state is RequestState.OPEN:
            return True
        refused = self.record is not None and self.record.state is State.REFUSED
        return refused and at < request.expires

    def left(self, granted: frozenset[Grant]) -> list[Fact]:
        """Return what a yes to these facts leaves at home: others that are asked for, and those
        that an earlier yes shares until now, since the new one takes its place."""
        shown = {fact.grant for fact in self.facts}
        if self.record is not None:
            shown |= self.record.granted
        return [fact for fact in self.offer.facts if fact.grant in shown - granted]

    @property
    def version(self) -> str:
        """Return what changes with every word about the consent: a form that shows another one
        was filled in before it."""
        return str(self.record.epoch) if self.record else ""

    def act(self, kind: Kind, visit: Visit, picked: Picked | None = None) -> Act:
        """Return the act of the reader, with the notice that they saw where they say yes or no."""
        return Act(
            kind=kind,
            person=visit.person,
            terms=self.offer.terms,
            means=means(visit),
            choice=picked.choice(self.facts, self.offer.terms) if picked else None,
            notice=self.offer.notice if kind in {Kind.GIVE, Kind.REFUSE} else None,
            after=(self.record.id, self.record.epoch) if self.record else None,
        )


def means(visit: Visit) -> Means:
    """Return how the reader's word reaches us."""
    return Means("web", "", visit.reader.level.value)
