"""Words: a text that somebody wrote, in the form in which it can be kept and shown."""

from unicodedata import category

from consent.declined import Declined

MAX_REASON = 500
"""Characters in which an authority says why."""
# Characters that turn the direction of all that follows could show a reader another text.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def checked(text: str, most: int) -> str:
    """Return a text with plain line ends, or raise `Declined`: 1 to so many characters, no control
    character but the end of a line."""
    words = text.replace("\r\n", "\n").strip()
    if not 1 <= len(words) <= most:
        raise Declined(f"Write at least a word, and at most {most} characters.")
    if any(
        letter != "\n" and (category(letter) in {"Cc", "Cs"} or letter in _TURNING)
        for letter in words
    ):
        raise Declined("The text holds a character that cannot be kept; write it in plain letters.")
    return words
