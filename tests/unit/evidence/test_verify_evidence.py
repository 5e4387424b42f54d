"""Evidence proves itself without the gateway, and no changed letter of it passes."""

import json
import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import evidence as writer
from audit import verify_evidence
from audit.checkpoint import Signer
from audit.verify_evidence import Found, verify
from audit.verify_tree import Defect
from tests.contract import ledger_stage as stage
from tests.unit.evidence.proven import changed, made, numbered

MEMBERS = ("number", "leaf", "disclosures", "proof", "vkey")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return made(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def file(files: list[bytes]) -> bytes:
    """The evidence of the release."""
    return files[2]


@pytest.fixture(scope="module")
def vkey(file: bytes) -> str:
    return json.loads(file)["vkey"]


def test_evidence_of_each_entry_verifies_and_names_its_place_and_number(files, vkey):
    found = [verify(one, vkey) for one in files]
    assert found == [Found(1, 1), Found(3, 2), Found(4, 3), Found(5, 4)]


def test_the_readme_says_in_plain_words_what_it_proves_and_how_to_check(file):
    readme = json.loads(file)["readme"]
    assert readme == writer.README
    for word in ("audit verify-evidence", "RFC 9901", "RFC 6962", "vkey", "names you"):
        assert word in readme


def test_the_writer_and_the_verifier_speak_of_the_same_form(file):
    assert json.loads(file)["evidence"] == writer.FORM == verify_evidence._FORM


def flips(text: str):
    """Yield the text with each of its characters changed, one at a time."""
    for place, letter in enumerate(text):
        other = "B" if letter == "A" else "A"
        yield place, f"{text[:place]}{other}{text[place + 1 :]}"


@pytest.mark.parametrize("member", ["leaf", "proof", "vkey"])
def test_no_letter_of_a_member_can_be_changed(file, member):
    passed = []
    for place, text in flips(json.loads(file)[member]):
        try:
            verify(changed(file, **{member: text}), None)
        except Defect:
            continue
        passed.append(place)
    assert passed == []


def test_no_letter_of_a_disclosure_can_be_changed(file):
    texts = json.loads(file)["disclosures"]
    assert len(texts) == 2
    passed = []
    for n, text in enumerate(texts):
        for place, other in flips(text):
            try:
                verify(changed(file, disclosures=[*texts[:n], other, *texts[n + 1 :]]), None)
            except Defect:
                continue
            passed.append((n, place))
    assert passed == []


@pytest.mark.parametrize("number", [0, 1, 2, 4, -3, 10**15, 10**400, 3.0, "3", True, None, [3], {}])
def test_another_number_is_refused(file, number):
    with pytest.raises(Defect):
        verify(changed(file, number=number), None)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_of_another_entry_is_refused(files, member):
    other = json.loads(files[1])[member]
    if member == "vkey":
        other = Signer(stage.ORIGIN, Ed25519PrivateKey.generate()).vkey
    with pytest.raises(Defect):
        verify(changed(files[2], **{member: other}), None)


@pytest.mark.parametrize("member", ["evidence", "readme", *MEMBERS])
@pytest.mark.parametrize("value", [..., None, 7, 1.5, True, "", "x", [], [1], {}, {"a": 1}])
def test_a_member_that_is_missing_or_of_another_kind_is_refused(file, member, value):
    if member == "readme" and isinstance(value, str):
        value = 7
    with pytest.raises(Defect):
        verify(changed(file, **{member: value}), None)


def test_the_readme_may_be_in_other_words_but_not_too_many(file):
    assert verify(changed(file, readme="Lisez-moi."), None) == Found(4, 3)
    with pytest.raises(Defect, match="readme"):
        verify(changed(file, readme="x" * (verify_evidence.MAX_README + 1)), None)


def test_a_disclosure_may_be_kept_back_but_not_the_one_with_the_number(file):
    texts = json.loads(file)["disclosures"]
    name = {json.loads(urlsafe_b64decode(text + "==="))[1]: text for text in texts}
    assert verify(changed(file, disclosures=[name["subject"]]), None) == Found(4, 3)
    with pytest.raises(Defect, match="whom the entry is about"):
        verify(changed(file, disclosures=[name["response"]]), None)


@pytest.mark.parametrize(
    "more",
    [
        [None],
        [7],
        [["x"]],
        ["é"],
        ["\ud800"],
        ["x" * 1000],
        [urlsafe_b64encode(b'["salt","subject",{}]').decode()],
    ],
)
def test_a_disclosure_that_is_not_of_the_leaf_is_refused(file, more):
    texts = json.loads(file)["disclosures"]
    with pytest.raises(Defect):
        verify(changed(file, disclosures=[*texts, *more]), None)


def test_a_disclosure_that_stands_there_twice_is_refused(file):
    texts = json.loads(file)["disclosures"]
    with pytest.raises(Defect, match="twice"):
        verify(changed(file, disclosures=[*texts, texts[0]]), None)
    with pytest.raises(Defect, match="more disclosures"):
        verify(changed(file, disclosures=texts[:1] * 17), None)


def test_a_member_that_stands_there_twice_is_refused(file):
    twice = file.replace(b'"number":', b'"number": 3, "number":', 1)
    with pytest.raises(Defect, match="twice"):
        verify(twice, None)


def test_a_member_that_nobody_knows_is_refused(file):
    with pytest.raises(Defect, match="members"):
        verify(changed(file, note="x"), None)


def test_evidence_by_another_key_than_the_one_given_is_refused(file):
    other = Signer(stage.ORIGIN, Ed25519PrivateKey.generate())
    with pytest.raises(Defect, match="another log"):
        verify(file, other.vkey)
    with pytest.raises(Defect, match="verifier key"):
        verify(file, "nonsense")


def test_a_line_of_the_file_itself_can_be_changed_nowhere_but_in_the_readme(file):
    """Each byte of the file is changed in turn; what still verifies is space, or the readme."""
    document = json.loads(file)
    for place in range(0, len(file), 7):
        flipped = file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]
        try:
            verify(flipped, None)
        except Defect:
            continue
        same = json.loads(flipped)
        assert {k: v for k, v in same.items() if k != "readme"} == {
            k: v for k, v in document.items() if k != "readme"
        }


@pytest.mark.parametrize(("number", "previous"), [(1, None), (2, 0), (9, 0)])
def test_the_entry_before_may_stand_anywhere_earlier(number, previous):
    log = {"origin": stage.ORIGIN, "number": number, "previous": previous}
    assert verify(numbered(log), None) == Found(1, number)


@pytest.mark.parametrize(
    "log",
    [
        {"origin": stage.ORIGIN, "number": 1, "previous": 0},
        {"origin": stage.ORIGIN, "number": 2, "previous": None},
        {"origin": stage.ORIGIN, "number": 2, "previous": 1},
        {"origin": stage.ORIGIN, "number": 2, "previous": 7},
        {"origin": stage.ORIGIN, "number": 2, "previous": -1},
        {"origin": stage.ORIGIN, "number": 2, "previous": "0"},
        {"origin": stage.ORIGIN, "number": 2, "previous": False},
        {"origin": stage.ORIGIN, "number": True, "previous": None},
        {"origin": "other.example", "number": 1, "previous": None},
        {"number": 1, "previous": None},
        None,
        "x",
        [],
    ],
)
def test_a_place_in_the_list_that_cannot_be_is_refused_though_the_log_signed_it(log):
    with pytest.raises(Defect):
        verify(numbered(log), None)


HOSTILE = {
    "empty": b"",
    "nothing": b"null",
    "a list": b"[]",
    "not text": b"\xff\xfe\x00",
    "a half": b'{"evidence": "causeway-evidence-1", ',
    "deep": b"[" * 200_000,
    "deep inside": b'{"evidence": ' + b'{"a":' * 100_000,
    "a huge number": b'{"evidence": ' + b"9" * 50_000 + b"}",
    "not a number": b'{"evidence": NaN}',
    "huge": b" " * (verify_evidence.MAX_FILE + 1),
    "surrogates": b'{"evidence": "\\ud800", "evidence": 1}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_gets_one_plain_sentence(tmp_path, capsys, text):
    path = tmp_path / "evidence.json"
    path.write_bytes(text)
    assert verify_evidence.main(path, None) == 1
    told = capsys.readouterr().out
    assert told.startswith("bad what=")
    assert told.removesuffix("\n").isprintable()


@pytest.mark.parametrize("text", ["\n\nok entry=1 number=1\n", "\x1b[2J", "\ud800", "é" * 100])
@pytest.mark.parametrize("member", ["evidence", "leaf", "proof", "vkey"])
def test_a_hostile_text_in_a_member_gets_one_plain_sentence(tmp_path, capsys, file, member, text):
    path = tmp_path / "evidence.json"
    path.write_bytes(changed(file, **{member: text}))
    assert verify_evidence.main(path, None) == 1
    told = capsys.readouterr().out
    assert told.startswith("bad what=")
    assert told.removesuffix("\n").isprintable()


def run(*arguments: Path | str) -> subprocess.CompletedProcess:
    """Run the command as people do; it has no settings and no state."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", "audit", "verify-evidence", *map(str, arguments)],
        cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_command_says_ok_and_needs_nothing_else(tmp_path, file, vkey):
    path, key = tmp_path / "evidence.json", tmp_path / "vkey"
    path.write_bytes(file)
    key.write_text(f"{vkey}\n")
    told = run(path, "--vkey", key)
    assert (told.returncode, told.stdout, told.stderr) == (0, "ok entry=4 number=3\n", "")
    told = run(path)
    assert (told.returncode, told.stdout) == (0, "ok entry=4 number=3\n")
    assert "on trust" in told.stderr


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_said_in_a_sentence(tmp_path, capsys, name):
    assert verify_evidence.main(tmp_path / name, None) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1


def test_the_command_says_bad_and_ends_with_one(tmp_path, file):
    path = tmp_path / "evidence.json"
    path.write_bytes(changed(file, number=4))
    told = run(path)
    assert (told.returncode, told.stdout.split("=")[0]) == (1, "bad what")


def test_the_verifier_imports_nothing_of_the_writer():
    program = (
        "import sys, audit.verify_evidence\n"
        "print(*sorted(n for n in sys.modules if n.partition('.')[0] in "
        "('audit', 'consent', 'crypto', 'gateway', 'identity', 'kernel')))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [
        "audit",
        "audit.verify_evidence",
        "audit.verify_leaf",
        "audit.verify_tree",
    ]
