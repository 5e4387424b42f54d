"""Login: the way to the provider and back, a relying party of OpenID Connect (RFC 6749, RFC 7636).

1. `start` sends the browser to the provider with state, nonce and a PKCE challenge.
2. `finish` takes the way back: an attempt of this browser's own, once; the provider's own name;
   the code against tokens, with our signature; then the id_token, which must hold in every point.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from crypto.jose import SigningKey, sign
from identity.model import Level, SignedIn
from identity.oidc_attempt import Attempts
from identity.oidc_http import post
from identity.oidc_model import ACR, RECENT, Attempt, Metadata, Relying, failed
from identity.oidc_provider import Provider
from identity.oidc_token import IdTokens, Tokens
from kernel.canonical import Json, canonical
from kernel.chance import Chance
from kernel.clock import SECOND, Clock
from kernel.errors import Refusal

ASSERTION_LIFE = 60
_MAX_CODE = 1024
_OK = 200
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, repr=False)
class Start:
    """Where the browser goes, and what it keeps meanwhile."""

    url: str
    state: str
    sealed: str


@dataclass(frozen=True, slots=True, repr=False)
class Finished:
    """Who came back, and the page that they wanted."""

    who: SignedIn
    to: str


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """The sign-in of one realm at its provider."""

    relying: Relying
    provider: Provider
    attempts: Attempts
    tokens: IdTokens
    key: SigningKey
    clock: Clock
    chance: Chance

    def start(self, to: str, level: Level) -> Start:
        """Return the way to the provider for somebody who wants a page at a level at least, or
        raise `signin.unavailable`."""
        metadata = self.provider.metadata()
        attempt = self.attempts.begin(to, level, RECENT if level is Level.HIGH else None)
        return Start(self._ask(metadata, attempt), attempt.state, self.attempts.seal(attempt))

    def finish(self, query: Mapping[str, str], cookie: str) -> Finished:
        """Return who came back with this query and this cookie, or raise `Refusal`."""
        attempt = self.attempts.open(query.get("state", ""), cookie)
        try:
            self.attempts.claim(attempt)
            metadata = self.provider.metadata()
            self._check_answer(query, metadata)
            tokens = self._redeem(metadata, query["code"], attempt)
            return Finished(self.tokens.check(tokens, attempt), attempt.to)
        except Refusal as refusal:
            refusal.back = attempt.to
            raise

    def farewell(self) -> str:
        """Return the address at which the provider ends its own session too, where it has one
        (OIDC RP-Initiated Logout §2), else our front page. The id_token, which names the person,
        is not put into an address."""
        home = f"{self.relying.public_url}/"
        ending = self.provider.metadata().end_session_endpoint
        if ending is None:
            return home
        asked = {"client_id": self.relying.client_id, "post_logout_redirect_uri": home}
        return f"{ending}{'&' if '?' in ending else '?'}{urlencode(asked)}"

    def _ask(self, metadata: Metadata, attempt: Attempt) -> str:
        relying = self.relying
        url: str = prepare_grant_uri(
            metadata.authorization_endpoint,
            relying.client_id,
            "code",
            redirect_uri=relying.redirect_uri,
            scope="openid",
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
            acr_values=" ".join(uri for uri, level in ACR.items() if level >= attempt.level),
            max_age=None if attempt.max_age is None else str(attempt.max_age),
            claims=canonical({"id_token": self._claims()}).decode(),
        )
        return url

    def _claims(self) -> Mapping[str, Json]:
        """Return the claims that the id_token itself must carry (OIDC Core §5.5)."""
        names = {"resident": self.relying.person_claim, "officer": "roles"}
        return {
            name: {"essential": True}
            for name in ("acr", "auth_time", names[self.relying.realm.value])
            if name != "sub"
        }

    def _check_answer(self, query: Mapping[str, str], metadata: Metadata) -> None:
        """Return when it is our provider's answer and holds a code (RFC 9207 §2.4)."""
        named = query.get("iss")
        if (named is None and metadata.names_itself) or named not in {None, metadata.issuer}:
            raise failed("The answer came from another sign-in service than you were sent to.")
        if query.get("error") == "access_denied":
            raise failed("You stopped at the sign-in service, or it did not let you in.")
        if "error" in query or not 0 < len(query.get("code", "")) <= _MAX_CODE:
            raise failed("The sign-in service did not sign you in.")

    def _redeem(self, metadata: Metadata, code: str, attempt: Attempt) -> Tokens:
        """Return what the code is worth (OIDC Core §3.1.3.1)."""
        form: str = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=self.relying.redirect_uri,
            code_verifier=attempt.verifier,
            client_id=self.relying.client_id,
            client_assertion_type=_ASSERTION,
            client_assertion=self._assertion(),
        )
        status, answer = post(metadata.token_endpoint, form)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if status != _OK or not isinstance(id_token, str):
            raise failed("The sign-in service did not tell us who you are.")
        if access_token is not None and not isinstance(access_token, str):
            raise failed("The sign-in service's answer cannot be read.")
        return Tokens(id_token, access_token)

    def _assertion(self) -> str:
        """Return our proof of being the client (RFC 7523 §3); its one audience is the issuer."""
        now = self.clock.now() // SECOND
        claims: Mapping[str, Json] = {
            "iss": self.relying.client_id,
            "sub": self.relying.client_id,
            "aud": self.relying.issuer,
            "jti": self.chance.identifier("as"),
            "iat": now,
            "exp": now + ASSERTION_LIFE,
        }
        return sign(claims, "JWT", self.key)
