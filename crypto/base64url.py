"""Base64url without padding, one spelling per value (RFC 7515 §2, RFC 4648 §3.5)."""

from binascii import Error, a2b_base64, b2a_base64

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class BadBase64(ValueError):
    """The text is not the one base64url spelling of some bytes."""


def encode(value: bytes) -> str:
    """Return the base64url text of the bytes, without padding."""
    return b2a_base64(value, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes, or raise `BadBase64`: padding, foreign characters, or stray last bits."""
    try:
        padded = text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4)
        value = a2b_base64(padded)
    except (UnicodeEncodeError, Error):
        raise BadBase64("the text is not base64url") from None
    # The decoder skips foreign characters and ignores stray bits; only the exact spelling returns.
    if encode(value) != text:
        raise BadBase64("the text is not base64url in its one spelling")
    return value
