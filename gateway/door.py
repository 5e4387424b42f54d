"""Door: the OAuth front door, who gets a token and who is let in with it, put together."""

from dataclasses import dataclass

import structlog

from gateway.admission import Admission
from gateway.rooms import Rooms
from identity.assertion import Assertions
from identity.authenticate import Authenticator
from identity.dpop import Proofs
from identity.replay import Replay
from identity.server import Checks, OAuthViews
from identity.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Door:
    """The two sides of the front door."""

    authenticate: Authenticator
    oauth: OAuthViews


def front_door(rooms: Rooms, replay: Replay) -> Door:
    """Return the front door over opened rooms."""
    url, clock, keys = rooms.settings.public_url, rooms.clock, rooms.keys
    proofs = Proofs(url, replay, clock)
    tokens = Tokens(url, url, keys.token, clock, rooms.chance, keys.beside["token"])
    clients = Admission(rooms.clients, rooms.control.stops)
    assertions = Assertions(url, clients.client, replay, clock)
    checks = Checks(assertions, proofs, tokens, structlog.get_logger().warning)
    return Door(Authenticator(clients, tokens, proofs), OAuthViews(checks, keys.token_jwks()))
