"""Notices: the exact texts that people saw, kept once under their digest and never rewritten."""

from collections.abc import Sequence
from hashlib import sha256

from consent.model import Notice
from kernel.effect import Key, Rows, Write

MAX_CONTENT = 64 * 1024


def notice_key(notice: Notice) -> Key:
    """Return the key of a notice's row."""
    return Key("notice", (notice.digest,))


def check_notice(notice: Notice) -> None:
    """Raise `ValueError` where a notice is too large or its digest is not that of its content."""
    content = notice.content.encode()
    if len(content) > MAX_CONTENT:
        raise ValueError(f"a notice has at most {MAX_CONTENT} bytes")
    if sha256(content).hexdigest() != notice.digest:
        raise ValueError("a notice is named by the SHA-256 of its content, in hex")


def noticed(rows: Rows, notice: Notice | None) -> Sequence[Write]:
    """Return what keeps a notice, or nothing where it is kept already."""
    if notice is None or rows[notice_key(notice)] is not None:
        return ()
    row = {"digest": notice.digest, "language": notice.language, "content": notice.content}
    return (Write(notice_key(notice), row),)
