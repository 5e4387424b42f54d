"""Sign-in: sessions and the way to the providers, put together from the settings."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.rooms import Rooms
from gateway.short_lived import ShortLived
from identity.login import Login
from identity.login_views import Door, LoginViews
from identity.model import Realm
from identity.oidc_attempt import Attempts
from identity.oidc_logout import BackChannel
from identity.oidc_model import Relying
from identity.oidc_provider import Provider
from identity.oidc_token import IdTokens
from identity.replay import Replay
from identity.sessions import Sessions
from kernel.names import Subject


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the pages need: who is signed in, and the addresses of the sign-in."""

    sessions: Sessions
    views: LoginViews


def sign_in(rooms: Rooms, kept: ShortLived, subject: Callable[[str], Subject]) -> SignIn:
    """Return the sign-in over opened rooms; `subject` returns the person of an identifier in the
    deployment's scheme, or raises `Refusal`."""
    replay, sessions = kept.attempts, kept.sessions
    doors = {
        Realm(realm): _door(rooms, replay, sessions, relying(rooms, Realm(realm), subject))
        for realm in rooms.settings.signin.issuers
    }
    views = LoginViews(
        doors, sessions, rooms.settings.public_url, rooms.keys.signin_jwks(), rooms.clock
    )
    return SignIn(sessions, views)


def relying(rooms: Rooms, realm: Realm, subject: Callable[[str], Subject]) -> Relying:
    """Return what a realm is at its provider."""
    settings = rooms.settings
    return Relying(
        realm=realm,
        issuer=settings.signin.issuers[realm.value],
        client_id=settings.signin.client_ids[realm.value],
        public_url=settings.public_url,
        algorithms=settings.signin.algorithms,
        person_claim=settings.signin.person_claim,
        role=settings.signin.officer_role,
        subject=subject,
    )


def _door(rooms: Rooms, replay: Replay, sessions: Sessions, ours: Relying) -> Door:
    provider = Provider(ours.issuer, rooms.clock)
    tokens = IdTokens(ours, provider, rooms.clock)
    attempts = Attempts(ours.realm, rooms.keys.pseudonym.value, replay, rooms.clock, rooms.chance)
    login = Login(ours, provider, attempts, tokens, rooms.keys.signin, rooms.clock, rooms.chance)
    return Door(login, BackChannel(ours, tokens, replay, sessions, rooms.clock))
