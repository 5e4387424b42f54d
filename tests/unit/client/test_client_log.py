"""The client's reading of logs, against published vectors and texts with one flaw each."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Signer
from client import CalledWrongly, LogKey, NotTrustworthy
from client.log import check_proof

# Public test vectors: transparency-dev/merkle, Apache License 2.0 (see the file's own `source`).
VECTORS = json.loads(Path("tests/assets/rfc6962-vectors.json").read_text("utf-8"))["inclusion"]
LOG = Signer("log.example/one", Ed25519PrivateKey.generate())
KEY = LogKey.parse(LOG.vkey)


def proof_of(index: int, size: int, root: bytes, path: list[str]) -> str:
    body = f"{LOG.name}\n{size}\n{b64encode(root).decode()}\n"
    signature = b64encode(LOG.key_id + LOG.key.sign(body.encode())).decode()
    note = f"{body}\n— {LOG.name} {signature}\n"
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}", *path]
    return "\n".join(lines) + "\n\n" + note


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_published_inclusion_vector_is_decided_as_published(vector: dict[str, Any]) -> None:
    leaf, root = b64decode(vector["leafHash"] or ""), b64decode(vector["root"] or "")
    proof = proof_of(vector["leafIdx"], vector["treeSize"], root, vector["proof"] or [])
    if vector["wantErr"]:
        with pytest.raises(NotTrustworthy):
            check_proof(proof, leaf, KEY)
    else:
        assert check_proof(proof, leaf, KEY).index == vector["leafIdx"]


def test_other_signatures_beside_the_logs_are_no_harm() -> None:
    leaf = sha256(b"leaf").digest()
    proof = proof_of(0, 1, leaf, [])
    with_witness = proof + "— witness.example/w " + b64encode(b"x" * 76).decode() + "\n"
    with_extra = with_witness.replace("@v1\n", "@v1\nextra QUJD\n")
    assert check_proof(with_extra, leaf, KEY).size == 1


def test_a_known_key_whose_signature_fails_spoils_the_note() -> None:
    leaf = sha256(b"leaf").digest()
    proof = proof_of(0, 1, leaf, [])
    forged = b64encode(LOG.key_id + b"\0" * 64).decode()
    body, _, signatures = proof.rpartition("\n\n")
    with pytest.raises(NotTrustworthy, match="does not verify"):
        check_proof(f"{body}\n\n— {LOG.name} {forged}\n{signatures}", leaf, KEY)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "nonsense",
        LOG.vkey.replace("log.example", "other.example"),
        LOG.vkey[:-4] + "AAA=",
        LOG.vkey[:-4],
        LOG.vkey.replace("+A", "+B", 1),
        LOG.vkey + "\n" + LOG.vkey,
        LOG.vkey.rpartition("+")[0] + "+" + b64encode(b"\x01" + b"x" * 31).decode(),
    ],
    ids=["empty", "a word", "another name", "padded", "cut", "another id", "twice", "another key"],
)
def test_a_verifier_key_must_fit_its_own_id(vkey: str) -> None:
    with pytest.raises(CalledWrongly, match="verifier key"):
        LogKey.parse(vkey)


def test_the_signed_note_example_of_the_specification_verifies() -> None:
    # The published example of golang.org/x/mod/sumdb/note, which C2SP signed-note describes.
    key = LogKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
        "pRZb6KE6RyyBwJnAM=\n"
    )
    assert key.verify(note).startswith("If you think")
    with pytest.raises(NotTrustworthy):
        key.verify(note.replace("problem", "solution"))
