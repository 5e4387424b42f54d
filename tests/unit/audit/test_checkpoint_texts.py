"""Checkpoints and proofs are the texts of C2SP, and nothing sloppier is read."""

from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import BadCheckpoint, Signer, tlog_proof
from audit.model import Tree
from audit.verify_tree import Defect, VerifierKey

SIGNER = Signer("gateway.example/audit/1", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
KEY = VerifierKey.parse(SIGNER.vkey)
TREE = Tree(70_000, sha256(b"root").digest())
NOTE = SIGNER.sign(TREE)
BODY, _, SIGNATURE = NOTE.partition("\n\n")


def signed(body: str, *others: str) -> bytes:
    """Return a note over a body as it stands, with more signature lines behind ours."""
    made = b64encode(SIGNER.key_id + SIGNER.key.sign(body.encode())).decode()
    return "".join([body, "\n", f"— {SIGNER.name} {made}\n", *others]).encode()


def test_a_checkpoint_is_three_lines_and_a_signature():
    root = b64encode(TREE.root).decode()
    assert f"gateway.example/audit/1\n70000\n{root}" == BODY
    assert SIGNATURE.startswith("— gateway.example/audit/1 ")
    assert SIGNER.read(NOTE) == TREE
    seen = KEY.open(NOTE.encode())
    assert (seen.size, seen.root) == (TREE.size, TREE.root)


def test_a_key_published_with_the_go_implementation_and_its_signature_are_understood():
    # golang.org/x/mod sumdb/note, note_test.go (BSD licence).
    key = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    line = (
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
        "otpRZb6KE6RyyBwJnAM="
    )
    assert key._signed(line, text.encode())


@pytest.mark.parametrize("name", ["", "two words", "a+b", "José", "x" * 121, "a\nb"])
def test_a_log_cannot_have_a_name_that_a_note_cannot_carry(name):
    with pytest.raises(ValueError, match="origin"):
        Signer(name, SIGNER.key)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        SIGNER.vkey.replace("+", "-", 1),
        SIGNER.vkey + "=",
        SIGNER.vkey[:-4],
        SIGNER.vkey.replace("gateway", "gatewav"),
        "+" + SIGNER.vkey.partition("+")[2],
        SIGNER.vkey.replace("example", "exam ple"),
        f"{SIGNER.name}+00000000+" + b64encode(b"\x01" + SIGNER.public).decode(),
        f"{SIGNER.name}+{SIGNER.key_id.hex()}+" + b64encode(b"\x02" + SIGNER.public).decode(),
    ],
)
def test_a_verifier_key_that_is_not_exactly_one_is_refused(vkey):
    with pytest.raises(Defect):
        VerifierKey.parse(vkey)


ROOT = b64encode(TREE.root).decode()
NAME = SIGNER.name


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        b"\xff" + NOTE.encode(),
        NOTE.encode()[:-1],
        NOTE.replace("\n", "\r\n").encode(),
        NOTE.replace("70000", "70001").encode(),
        NOTE.replace("— ", "- ").encode(),
        NOTE.replace("— ", "—  ").encode(),
        (BODY + "\n\n").encode(),
        signed(f"{NAME}\n070000\n{ROOT}\n"),
        signed(f"{NAME}\n+7\n{ROOT}\n"),
        signed(f"{NAME}\n\uff17\n{ROOT}\n"),
        signed(f"{NAME}\n7\n{ROOT[:-4]}\n"),
        signed(f"{NAME}\n7\n{ROOT}=\n"),
        signed(f"{NAME}\n7\n"),
        signed(f"{NAME}\n7\n\n{ROOT}\n"),
        signed(f"{NAME}\n7\n{ROOT}\na\tb\n"),
        signed(f"{NAME}\x00\n7\n{ROOT}\n"),
        signed(f"other.example/log\n7\n{ROOT}\n"),
        signed(BODY + "\n", f"— {NAME} " + b64encode(SIGNER.key_id + b"x" * 64).decode() + "\n"),
        signed(BODY + "\n", "— witness.example AAAA\n"),
        signed(BODY + "\n", *["— witness.example AAAAAAAA\n"] * 16),
        signed(BODY + "\n", "— witness.example " + "A" * 70_000 + "\n"),
    ],
)
def test_a_note_that_is_not_exactly_a_checkpoint_by_us_is_refused(note):
    with pytest.raises(Defect):
        KEY.open(note)
    with pytest.raises((BadCheckpoint, UnicodeDecodeError)):
        SIGNER.read(note.decode())


def test_signatures_by_unknown_keys_are_ignored_up_to_sixteen():
    note = signed(BODY + "\n", *["— witness.example AAAAAAAA\n"] * 15)
    assert KEY.open(note).size == TREE.size
    with pytest.raises(Defect, match="no signature"):
        KEY.open(f"{BODY}\n\n— {NAME} AAAAAAAA\n".encode())


def test_the_writer_reads_back_only_what_its_own_key_signed():
    other = Signer(SIGNER.name, Ed25519PrivateKey.generate())
    with pytest.raises(BadCheckpoint, match="another key"):
        SIGNER.read(other.sign(TREE))
    with pytest.raises(BadCheckpoint, match="another log"):
        SIGNER.read(Signer("other.example", SIGNER.key).sign(TREE))
    forged = b64encode(SIGNER.key_id + b"x" * 64).decode()
    with pytest.raises(BadCheckpoint, match="does not verify"):
        SIGNER.read(f"{BODY}\n\n— {NAME} {forged}\n")


PATH = [sha256(bytes([n])).digest() for n in range(3)]


def test_a_proof_is_a_tlog_proof_and_reads_back():
    text = tlog_proof(5, PATH, NOTE)
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 5\n")
    proof = KEY.proof(text)
    assert (proof.index, proof.path, proof.checkpoint.size) == (5, PATH, 70_000)
    extra = text.replace("index", f"extra {b64encode(b'x').decode()}\nindex", 1)
    assert KEY.proof(extra).path == PATH
    assert KEY.proof(tlog_proof(0, [], NOTE)).path == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        NOTE,
        tlog_proof(5, PATH, NOTE).replace("@v1", "@v2"),
        tlog_proof(5, PATH, NOTE).replace("index 5", "index 05"),
        tlog_proof(5, PATH, NOTE).replace("index 5\n", ""),
        tlog_proof(5, PATH, NOTE).replace("index 5", "extra !\nindex 5"),
        tlog_proof(5, PATH, NOTE).replace("index 5", "extra"),
        tlog_proof(5, [b"short"], NOTE),
        tlog_proof(5, PATH * 22, NOTE),
        tlog_proof(5, PATH, NOTE[:-3]),
        "c2sp.org/tlog-proof@v1\n\n" + NOTE,
    ],
)
def test_a_proof_that_is_not_exactly_one_is_refused(text):
    with pytest.raises(Defect):
        KEY.proof(text)


def test_the_key_id_is_the_one_that_signed_note_recommends():
    expected = sha256(SIGNER.name.encode() + b"\n\x01" + SIGNER.public).digest()[:4]
    assert SIGNER.key_id == expected == b64decode(SIGNATURE.split(" ")[2])[:4]
