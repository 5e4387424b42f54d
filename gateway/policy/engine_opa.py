"""The OPA engine: the same question, put to an Open Policy Agent that loaded the same policies."""

from collections.abc import Sequence

from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.decision import OtherRevision, read_decision, read_input, unavailable
from gateway.policy.engines import opa_addresses
from gateway.policy.fault import BadOpaUrl, PolicyError
from gateway.policy.lint import lint
from gateway.policy.opa_server import CLIENTS_ANSWER, OpaServer
from kernel.canonical import Json
from kernel.clock import Clock
from kernel.names import Revision

MOST_SERVERS = 2


class OpaEngine:
    """Asks OPA over its REST API: one server, or two that hold two revisions.

    OPA loads the signed policies itself and verifies them. Every answer names the revision that
    made it, and one by another revision than asked for is no answer.
    """

    def __init__(self, urls: str, clock: Clock, seconds: float = 1.0, ca_file: str = "") -> None:
        """Take one or two addresses, between them a space or a comma, or raise `BadOpaUrl`, and
        how long an answer may take."""
        named = opa_addresses(urls)
        if not 1 <= len(named) <= MOST_SERVERS or len({*named}) != len(named):
            raise BadOpaUrl("GATEWAY_OPA_URL is one address of OPA, or two different ones")
        self.servers = tuple(OpaServer(url, clock, seconds, ca_file) for url in named)
        self._seen: list[Json] = [None] * len(named)

    def prepare(self, bundle: Bundle) -> None:
        """Check the rules as the embedded engine does, or raise `PolicyError`; OPA loads them."""
        if faults := lint(bundle.rules):
            raise PolicyError(faults)

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal` with
        `policy.unavailable`: undefined, malformed or late; `OtherRevision` where OPA answers."""
        try:
            read_input(input)
        except ValueError as error:
            raise unavailable() from error
        another = False
        for place in self._order(revision):
            try:
                answer = self.servers[place].ask(input)
                if self._note(place, answer) == revision:
                    return _decision(answer)
                another = True
            except ValueError:
                self._seen[place] = None
        raise OtherRevision if another else unavailable()

    def ready(self, revision: Revision) -> bool:
        """Return whether an OPA has loaded a revision; looks at each."""
        return revision in [self._look(place) for place in range(len(self.servers))]

    def healthy(self) -> bool:
        """Return whether an OPA is up and has loaded its policies."""
        return any(server.healthy() for server in self.servers)

    def _order(self, revision: Revision) -> Sequence[int]:
        """Return the servers' places, the one that had the revision last before the other."""
        return sorted(range(len(self.servers)), key=lambda place: self._seen[place] != revision)

    def _look(self, place: int) -> Json:
        try:
            return self._note(place, self.servers[place].ask_by_client({}))
        except CLIENTS_ANSWER:
            self._seen[place] = None
            return None

    def _note(self, place: int, answer: Json) -> Json:
        """Return the one revision that made an answer, and keep in mind which server has it."""
        loaded = _revisions(answer)
        self._seen[place] = loaded[0] if len(loaded) == 1 else None
        return self._seen[place]


def _decision(answer: Json) -> Decision:
    """Return the decision in OPA's answer; without `result` the decision is undefined."""
    if not isinstance(answer, dict) or "result" not in answer:
        raise ValueError("the decision is undefined")
    return read_decision(answer["result"])


def _revisions(answer: Json) -> list[Json]:
    provenance = answer.get("provenance") if isinstance(answer, dict) else None
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    if not isinstance(bundles, dict):
        return []
    return [
        loaded.get("revision") if isinstance(loaded, dict) else None for loaded in bundles.values()
    ]
