"""Seal: open an answer that was sealed for us, and only for this exchange (RFC 7516)."""

from collections.abc import Mapping
from typing import NamedTuple

from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry, decrypt_compact

from client.jose import as_object, decode, encode
from client.keys import Identity
from client.model import Json, NotTrustworthy
from client.transport import MAX_ANSWER

_ALGORITHM = "ECDH-ES+A256KW"
_ENCRYPTION = "A256GCM"


class _Registry(JWERegistry):
    """joserfc's own bounds, which are below what an answer may be."""

    max_protected_header_length = 4096
    max_ciphertext_length = MAX_ANSWER


class Opened(NamedTuple):
    """What was under the seal."""

    as_of: str
    record: Mapping[str, Json]


def open_seal(text: str, identity: Identity, issuer: str, exchange: str, service: str) -> Opened:
    """Return what was sealed by this issuer for us in this exchange, or raise `NotTrustworthy`."""
    header = as_object(decode(text.partition(".")[0]))
    expected = {
        "alg": _ALGORITHM,
        "enc": _ENCRYPTION,
        "typ": "causeway-extract+jwe",
        "cty": "application/json",
        "kid": identity.sealing.kid,
        "apu": encode(issuer.encode()),
        "apv": encode(f"{identity.client_id}|{exchange}".encode()),
    }
    for name, value in expected.items():
        if header.get(name) != value:
            raise NotTrustworthy(f"The seal's '{name}' is not the one of this exchange.")
    if header.keys() - expected.keys() != {"epk"}:
        raise NotTrustworthy("The seal's header has members that it must not have.")
    opened = as_object(_decrypted(text, identity))
    record, as_of = opened.get("record"), opened.get("as_of")
    if opened.get("exchange") != exchange or opened.get("service") != service:
        raise NotTrustworthy("What was sealed belongs to another exchange.")
    if not isinstance(record, dict) or not isinstance(as_of, str):
        raise NotTrustworthy("What was sealed is not a record.")
    return Opened(as_of, record)


def _decrypted(text: str, identity: Identity) -> bytes:
    registry = _Registry(algorithms=[_ALGORITHM, _ENCRYPTION])
    try:
        content = decrypt_compact(text, identity.sealing.jose, registry=registry).plaintext
    except (JoseError, ValueError, TypeError, KeyError, AssertionError, RecursionError):
        # The library's errors may quote what they decrypted.
        raise NotTrustworthy("The seal cannot be opened with our sealing key.") from None
    if content is None:
        raise NotTrustworthy("There is nothing under the seal.")
    return content
