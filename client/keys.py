"""Keys: an agency's two private keys, as JWK files, and what each may be used for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from client.jose import SigningKey
from client.model import CalledWrongly

_KINDS: Mapping[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
_SIGNING = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA", ("RSA", ""): "PS256"}
_SEALING = {("EC", "P-256"), ("OKP", "X25519")}
_MAX_FILE = 16 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class SealKey:
    """The private key that opens what is sealed for us."""

    kid: str
    jose: ECKey | OKPKey


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who asks: the registered client, its signing key and its sealing key."""

    client_id: str
    signing: SigningKey
    sealing: SealKey

    @classmethod
    def of(
        cls, client_id: str, signing: Mapping[str, str], sealing: Mapping[str, str]
    ) -> "Identity":
        """Return the identity with these private JWKs, or raise `CalledWrongly`."""
        return cls(client_id, _signing(signing), _sealing(sealing))


def load_key(file: Path) -> Mapping[str, str]:
    """Return the members of a JWK file, or raise `CalledWrongly` with the file's name."""
    try:
        with file.open("rb") as opened:
            value = json.loads(opened.read(_MAX_FILE))
    except OSError as error:
        raise CalledWrongly(f"The key file {file} cannot be read.") from error
    except (ValueError, RecursionError):
        # The parser's error carries the text, which is the key.
        raise CalledWrongly(f"The key file {file} is not JSON.") from None
    if not isinstance(value, dict):
        raise CalledWrongly(f"The key file {file} is not a JWK.")
    return value


def proof_key() -> SigningKey:
    """Return a fresh key for proofs of possession (RFC 9449): it lives as long as the process."""
    return SigningKey("ES256", None, ECKey.generate_key("P-256"))


def _signing(jwk: Mapping[str, str]) -> SigningKey:
    algorithm = _SIGNING.get(_kind(jwk))
    if algorithm is None or jwk.get("use", "sig") != "sig":
        raise CalledWrongly("The signing key must be EC P-256, Ed25519 or RSA, with use 'sig'.")
    kid = jwk.get("kid")
    return SigningKey(algorithm, kid if isinstance(kid, str) else None, _imported(jwk))


def _sealing(jwk: Mapping[str, str]) -> SealKey:
    kid = jwk.get("kid")
    if _kind(jwk) not in _SEALING or jwk.get("use", "enc") != "enc":
        raise CalledWrongly("The sealing key must be EC P-256 or X25519, with use 'enc'.")
    if not isinstance(kid, str):
        raise CalledWrongly("The sealing key needs its 'kid', as it was registered.")
    key = _imported(jwk)
    assert not isinstance(key, RSAKey)  # noqa: S101 - of another kind
    return SealKey(kid, key)


def _kind(jwk: Mapping[str, str]) -> tuple[str, str]:
    return str(jwk.get("kty")), str(jwk.get("crv", ""))


def _imported(jwk: Mapping[str, str]) -> ECKey | OKPKey | RSAKey:
    if not isinstance(jwk.get("d"), str):
        raise CalledWrongly("The key file holds no private key.")
    try:
        return _KINDS[str(jwk.get("kty"))].import_key(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError):
        raise CalledWrongly("The key file holds a key that cannot be used.") from None
