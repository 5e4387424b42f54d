"""Asking views: an agency asks a person for consent, and learns whether there was an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson
from werkzeug.wrappers import Response

from consent.model import Acknowledgement, Act, Asked, ConsentRequest, Kind, Means, Person
from consent.offer import Offer
from gateway.asking import Catalogued, ConsentAsk, parse_consent_ask, resolve
from gateway.http.views import credentials, posted, reply
from gateway.ports import Authenticate
from identity.model import Caller, Scope
from kernel.chance import Chance
from kernel.clock import SECOND, Clock, Micros, rfc3339
from kernel.errors import Outdated, Reason, Refusal
from kernel.names import AgreementId, RequestId, Subject, SubjectRef

LANGUAGE = "en"
"""Of the notice that a request carries; the person's own is pinned when they decide."""
LENGTH = 80
"""Bytes of the answer about a request: the same for each state, so that none can be told from
outside the connection."""
DAY = 86_400


class Requests(Protocol):
    """Keeps requests for consent."""

    def carry_out(self, act: Act) -> Acknowledgement:
        """Write a request down, or raise `Refusal` with `quota.exceeded`, or `Outdated`."""
        ...

    def request(self, request: RequestId) -> ConsentRequest | None:
        """Return a request as it stands now: open, answered or expired, never what was said."""
        ...


class People(Protocol):
    """How the gateway's own tables name a person, and keep what is said about them."""

    def ref(self, subject: Subject) -> SubjectRef:
        """Return the person's pseudonym."""
        ...

    def seal(self, subject: Subject) -> bytes:
        """Return the person's identifier, encrypted."""
        ...

    def seal_text(self, text: str, ref: SubjectRef) -> bytes:
        """Return a text about the person, encrypted."""
        ...


class Control(Protocol):
    """Knows what is in force."""

    def at(self, epoch: int) -> Catalogued:
        """Return what is in force under a control epoch, or raise `Outdated`."""
        ...


@dataclass(frozen=True, slots=True)
class AskingViews:
    """What an agency can do to be given a consent; each after its own proof."""

    authenticate: Authenticate
    control: Control
    requests: Requests
    offer: Callable[[AgreementId, str], Offer | None]
    people: People
    chance: Chance
    clock: Clock
    public_url: str

    def consent_request(self) -> Response:
        """POST /v1/consent-requests: ask a person, whoever they are; nothing is looked up."""
        caller = self.authenticate(credentials(), Scope.CONSENT_REQUEST)
        ask = parse_consent_ask(posted())
        try:
            made = self._asked(caller, ask)
        except Outdated:
            made = self._asked_again(self.authenticate.refresh(caller), ask)
        answer = reply(
            {
                "request": made.id,
                "url": f"{self.public_url}/requests/{made.id}",
                "state": made.state.value,
                "expires": rfc3339(made.expires),
            },
            201,
        )
        answer.headers["Location"] = f"{self.public_url}/v1/consent-requests/{made.id}"
        return answer

    def consent_request_state(self, request: str) -> Response:
        """GET /v1/consent-requests/{id}: open, answered or expired, for the agency that asked."""
        caller = self.authenticate(credentials(), Scope.CONSENT_REQUEST)
        found = self.requests.request(RequestId(request))
        if found is None or found.agency != caller.agency:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "Your agency made no request of that name.")
        told = {"request": found.id, "state": found.state.value}
        answer = reply(told)
        # JSON may end in spaces (RFC 8259 §2).
        answer.set_data(orjson.dumps(told).ljust(LENGTH))
        return answer

    def _asked(self, caller: Caller, ask: ConsentAsk) -> ConsentRequest:
        """Write the request down under the epoch in which the caller was proven."""
        at = self.clock.now()
        agreement, subject = resolve(self.control.at(caller.epoch), caller.agency, ask, at)
        offer = self.offer(agreement.id, LANGUAGE)
        if offer is None or offer.terms.revision != agreement.revision:
            raise Outdated
        ref = self.people.ref(subject)
        asked = Asked(
            id=RequestId(self.chance.identifier("rq")),
            client=caller.client_id,
            fields=ask.grants,
            case=None if ask.case is None else self.people.seal_text(ask.case, ref),
            return_url=ask.return_url,
            case_text=ask.case,
        )
        act = Act(
            Kind.REQUEST,
            Person(subject, ref, self.people.seal(subject)),
            offer.terms,
            Means("agency", caller.client_id),
            notice=offer.notice,
            asked=asked,
            epoch=caller.epoch,
        )
        return self._written(act, asked.id)

    def _asked_again(self, caller: Caller, ask: ConsentAsk) -> ConsentRequest:
        try:
            return self._asked(caller, ask)
        except Outdated:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE, "The rules changed twice during the request."
            ) from None

    def _written(self, act: Act, request: RequestId) -> ConsentRequest:
        try:
            self.requests.carry_out(act)
        except Refusal as refusal:
            if refusal.reason is Reason.QUOTA_EXCEEDED and refusal.retry_after is None:
                refusal.retry_after = _until_tomorrow(self.clock.now())
            raise
        made = self.requests.request(request)
        if made is None:
            raise Refusal(Reason.INTERNAL, "A request that was written down is not there.")
        return made


def _until_tomorrow(at: Micros) -> int:
    """Return the seconds until the next day of the ceilings (UTC) begins."""
    return DAY - at // SECOND % DAY
