"""Pseudonyms: how the gateway's tables know a person without holding their number."""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.canonical import canonical, parse
from kernel.chance import Chance
from kernel.names import Subject, SubjectRef

_REF_BYTES = 16
_NONCE_BYTES = 12
_MAX_SEALED = 4096
_PURPOSE = b"causeway identifier v1"


class NotOurs(ValueError):
    """The bytes are no identifier that was sealed under this root."""


class Pseudonyms:
    """Refs and sealed identifiers under one root secret."""

    def __init__(self, root: bytes, chance: Chance) -> None:
        """Derive the sealing key (HKDF, RFC 5869); the root itself keys the refs, and is put into
        their HMAC once, since that costs more than a ref."""
        self._mac = hmac.new(root, digestmod="sha256")
        key = HKDF(hashes.SHA256(), 32, salt=None, info=_PURPOSE).derive(root)
        self._cipher = AESGCM(key)
        self._chance = chance

    def ref(self, subject: Subject) -> SubjectRef:
        """Return the person's ref: HMAC-SHA-256 over scheme, 0x00 and value, its first 128 bits
        as hex. The value is in the one spelling of its scheme already."""
        mac = self._mac.copy()
        mac.update(f"{subject.scheme}\0{subject.value}".encode())
        return SubjectRef(mac.digest()[:_REF_BYTES].hex())

    def seal(self, subject: Subject) -> bytes:
        """Return the identifier encrypted (AES-256-GCM), bound to the person's ref."""
        nonce = self._chance.bits(_NONCE_BYTES)
        text = canonical({"scheme": subject.scheme, "value": subject.value})
        return nonce + self._cipher.encrypt(nonce, text, self.ref(subject).encode())

    def open(self, sealed: bytes, ref: SubjectRef) -> Subject:
        """Return the identifier that was sealed for this ref, or raise `NotOurs`."""
        match parse(self._decrypted(sealed, ref.encode()), max_bytes=_MAX_SEALED):
            case {"scheme": str(scheme), "value": str(value)}:
                return Subject(scheme, value)
        raise NotOurs("the sealed identifier does not hold one")

    def seal_text(self, text: str, ref: SubjectRef) -> bytes:
        """Return a text about the person of a ref, such as an agency's case, encrypted."""
        nonce = self._chance.bits(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text.encode(), _about(ref))

    def open_text(self, sealed: bytes, ref: SubjectRef) -> str:
        """Return the text that was sealed for this ref, or raise `NotOurs`."""
        return self._decrypted(sealed, _about(ref)).decode()

    def _decrypted(self, sealed: bytes, bound: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):
            raise NotOurs("the sealed bytes do not open") from None


def _about(ref: SubjectRef) -> bytes:
    """Return what binds a text: never what binds an identifier."""
    return b"text " + ref.encode()
