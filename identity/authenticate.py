"""Authenticate: token, proof, client, proof used once, scope; only then is somebody a caller."""

from typing import Protocol

from identity import dpop, tokens
from identity.clients import recipient
from identity.dpop import Proofs
from identity.model import Caller, Client, Credentials, Scope
from identity.tokens import Token, Tokens
from kernel.errors import Reason, Refusal
from kernel.names import ClientId


class Register(Protocol):
    """Knows the clients."""

    def find(self, client_id: ClientId) -> tuple[Client | None, int]:
        """Return the client and the control epoch under which it stands, or raise `Refusal`."""
        ...


class Authenticator:
    """Proves callers (RFC 9449 §7); a bearer token proves nobody."""

    def __init__(self, clients: Register, access: Tokens, proofs: Proofs) -> None:
        """Keep the register, what verifies tokens, and what verifies proofs."""
        self._clients = clients
        self._tokens = access
        self._proofs = proofs

    def __call__(self, credentials: Credentials, scope: Scope | None) -> Caller:
        """Return the proven caller, with this scope where one is named, or raise `Refusal`:
        `token.…` first, then `dpop.…`, then `scope.insufficient`; `state.unavailable` and
        `ledger.unavailable` when nobody can know."""
        text = _access_token(credentials.authorization)
        token = self._tokens.verify(text)
        client, epoch = self._active(token)
        proof = self._proofs.check(credentials.dpop, credentials.method, credentials.path, text)
        if proof.jkt != token.jkt:
            raise dpop.invalid("it was made with another key than the access token is bound to")
        self._proofs.spend(proof)
        if scope is not None and scope not in token.scopes:
            raise Refusal(Reason.SCOPE_INSUFFICIENT, f"This needs the scope '{scope.value}'.")
        return Caller(client.id, client.agency, token.scopes, recipient(client), epoch)

    def refresh(self, caller: Caller) -> Caller:
        """Return the same caller under the present control epoch, or raise `token.invalid` when
        the client may not do any more what it was proven for."""
        token = Token(caller.client_id, caller.agency, caller.scopes, jkt="")
        client, epoch = self._active(token)
        return Caller(client.id, client.agency, caller.scopes, recipient(client), epoch)

    def _active(self, token: Token) -> tuple[Client, int]:
        client, epoch = self._clients.find(token.client_id)
        if client is None or not client.active:
            raise tokens.invalid("its client is not active")
        if client.agency != token.agency or not token.scopes <= client.scopes:
            raise tokens.invalid("its client is registered otherwise now")
        return client, epoch


def _access_token(lines: tuple[str, ...]) -> str:
    if not any(lines):
        raise Refusal(
            Reason.TOKEN_MISSING, "The request needs an access token: 'Authorization: DPoP …'."
        )
    if len(lines) > 1:
        raise tokens.invalid("there is more than one Authorization header")
    scheme, _, text = lines[0].partition(" ")
    if scheme.lower() != "dpop":
        raise tokens.invalid("its scheme must be DPoP; bearer tokens are not accepted")
    return text.lstrip(" ")
