"""Admission: an agency's clients as they stand now; those of a stopped agency as if disabled."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.stops import Stops
from identity.authenticate import Register
from identity.model import Client
from kernel.names import ClientId


@dataclass(frozen=True, slots=True)
class Admission:
    """Finds clients for the front door."""

    clients: Register
    stops: Callable[[int], Stops]
    """What is stopped under a control epoch, or a later one."""

    def find(self, client_id: ClientId) -> tuple[Client | None, int]:
        """Return the client, not active where its agency is stopped, and the control epoch."""
        client, epoch = self.clients.find(client_id)
        if client is not None and self.stops(epoch).agency(client.agency):
            client = Client(client.id, client.agency, client.scopes, client.jwks, active=False)
        return client, epoch

    def client(self, client_id: ClientId) -> Client | None:
        """Return the client alone."""
        return self.find(client_id)[0]
