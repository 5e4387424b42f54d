"""Evidence: one entry of a person's own list, as a file that proves itself (`verify_evidence`)."""

from typing import Final

import orjson

from audit.model import Shown

FORM: Final = "causeway-evidence-1"
README: Final = """\
What this file is. It is evidence of one entry in the list of everything that happened about you.

What it proves. The log whose key is `vkey` holds the entry `leaf`, at the place that `proof` \
names. The texts in `disclosures` belong to that entry: a changed letter would show. The entry has \
the number `number` in your own list, and that list has no gaps.

What it does not prove. It does not show that `vkey` is the right key. Get the key from somebody \
whom you trust, and compare. The gateway gives it at /audit/log/vkey.

How to check it. Run `python -m gateway audit verify-evidence FILE --vkey KEYFILE`. That needs no \
network, no settings and no account. It ends with `ok`, the place of the entry in the log, and its \
number in your list. If anything was changed, it says `bad` and what is wrong.

How to check it without our program. Each text in `disclosures` is base64url of a JSON list: a \
random salt, a name, a value. The SHA-256 of the text, as base64url, is in `_sd` of the leaf (RFC \
9901). The SHA-256 of a zero byte and the leaf is the leaf's hash (RFC 6962). `proof` leads from \
that hash to the root in the signed checkpoint at its end (C2SP tlog-proof, tlog-checkpoint).

Take care. This file names you. Give it only to people who may know what it says. You may take a \
text out of `disclosures` before you give the file away, but not the one with your number: the \
rest can still be checked.
"""


def evidence(shown: Shown, proof: str, vkey: str) -> bytes:
    """Return the evidence file of an entry as its person may see it, with a C2SP tlog-proof."""
    document = {
        "evidence": FORM,
        "readme": README,
        "number": shown.number,
        "leaf": shown.leaf.decode("ascii"),
        "disclosures": list(shown.disclosures),
        "proof": proof,
        "vkey": vkey,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
