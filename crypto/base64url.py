"""Base64url without padding, one spelling per value (RFC 7515 §2, RFC 4648 §3.5)."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode


class BadBase64(ValueError):
    """The text is not the one base64url spelling of some bytes."""


def encode(value: bytes) -> str:
    """Return the base64url text of the bytes, without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes, or raise `BadBase64`: padding, foreign characters, or stray last bits."""
    try:
        raw = text.encode("ascii")
        value = urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise BadBase64("the text is not base64url") from None
    # The decoder skips foreign characters and ignores stray bits; only the exact spelling returns.
    if urlsafe_b64encode(value).rstrip(b"=") != raw:
        raise BadBase64("the text is not base64url in its one spelling")
    return value
