"""The verifier names the first place of an exported log that is not as it must be."""

import http.server
import json
import shutil
import threading
from base64 import urlsafe_b64encode
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import store, verify
from audit.checkpoint import Signer, tlog_proof
from audit.export import Occupied, export, write
from audit.merkle import Growth, leaf_hash
from audit.model import BadLedger
from audit.verify_source import Directory, Site
from audit.verify_tree import Defect
from kernel.canonical import canonical
from kernel.entry import EntryType
from tests.contract import ledger_stage as stage

RECEIPTS = Ed25519PrivateKey.from_private_bytes(b"j" * 32)
SIGNER = Signer(stage.ORIGIN, Ed25519PrivateKey.from_private_bytes(b"k" * 32))


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def receipt(logged, members: dict, **changes: object) -> bytes:
    """Return a receipt as the gateway signs it, over these members of the leaf."""
    log = {
        "origin": logged.origin,
        "index": logged.index,
        "leaf": base64url(logged.leaf_hash),
        "proof": logged.proof(),
    }
    names = ("exchange", "agreement", "agreement_revision", "service", "purpose", "basis")
    claims = {name: members.get(name) for name in (*names, "policy", "consent")}
    claims |= {"iss": "https://gateway.example", "log": log} | changes
    header = {"alg": "EdDSA", "typ": "causeway-receipt+jwt", "kid": "r1"}
    signed = f"{base64url(canonical(header))}.{base64url(canonical(claims))}"
    return f"{signed}.{base64url(RECEIPTS.sign(signed.encode()))}\n".encode()


def jwks(key: Ed25519PrivateKey = RECEIPTS) -> bytes:
    x = base64url(key.public_key().public_bytes_raw())
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "r1", "x": x}]}).encode()


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """An export of 600 entries, its leaves, and the receipt of one release at index 300."""
    site = stage.Stage(tmp_path_factory.mktemp("honest"))
    with site.open() as log:

        def append(n: int) -> None:
            for i in range(n, 299, 8):
                if i != 7:
                    log.ledger.append(stage.decision(f"ex_{i}", stage.person(i % 7)))

        workers = [threading.Thread(target=append, args=(n,)) for n in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        # The receipt's own exchange has a known place: a test that forges another entry misses it.
        log.ledger.append(stage.decision("ex_7", stage.person(0)))
        logged = log.ledger.append(stage.release("ex_7", stage.person(0)))
        kept = receipt(logged, dict(log.ledger.entry(logged.index)))
        log.ledger.append(stage.consent(EntryType.CONSENT_WITHDRAWN, "co_2"))
        for i in range(300, 598):
            log.ledger.append(stage.refusal(f"ex_{i}"))
        out = site.directory / "out"
        tree = export(log.database.read(), out, site.keys.signer)
        leaves = [leaf for leaf, _ in store.leaves(log.database.read(), 0, tree.size)]
    assert (logged.index, tree.size) == (300, 600)
    return out, leaves, kept


@pytest.fixture
def copy(honest, tmp_path):
    return Path(shutil.copytree(honest[0], tmp_path / "copy"))


def ask(directory: Path, *receipts: bytes, vkey: str = SIGNER.vkey, keys: bytes | None = None):
    question = verify.Question(vkey, [(str(n), one) for n, one in enumerate(receipts)], keys)
    return verify.verify(Directory(directory), question, lambda _: None)


def bad(directory: Path, *receipts: bytes, **more: object) -> verify.Bad:
    with pytest.raises(verify.Bad) as found:
        ask(directory, *receipts, **more)
    return found.value


def entries(leaves: list[bytes]) -> bytes:
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def test_an_honest_log_is_good_and_its_receipt_stands_in_it(honest):
    out, _, kept = honest
    assert ask(out, kept, keys=jwks()).size == 600


def test_the_export_has_the_files_of_tlog_tiles(honest):
    names = {str(path.relative_to(honest[0])) for path in honest[0].rglob("*") if path.is_file()}
    assert names == {
        "checkpoint",
        "vkey",
        *(f"tile/{level}/{n}" for level in ("0", "entries") for n in ("000", "001", "002.p/88")),
        "tile/1/000.p/2",
    }


def test_exporting_again_into_the_same_directory_is_allowed_and_elsewhere_refused(
    honest, copy, tmp_path
):
    write(honest[1], copy, SIGNER)
    assert ask(copy).size == 600
    other = Signer("other.example/log", SIGNER.key)
    with pytest.raises(Occupied, match="another log"):
        write(honest[1], copy, other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(Occupied, match="not empty"):
        write(honest[1], tmp_path / "full", SIGNER)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 300, 599])
def test_a_flipped_bit_in_an_entry_is_named(honest, copy, index):
    leaves = honest[1]
    name = verify.tile_path("entries", index // 256, min(256, 600 - index // 256 * 256))
    data = bytearray((copy / name).read_bytes())
    at = len(entries(leaves[index // 256 * 256 : index])) + 2 + 40
    data[at] ^= 1
    (copy / name).write_bytes(data)
    assert bad(copy).index == index


@pytest.mark.parametrize("index", [0, 77, 256, 599])
def test_a_flipped_bit_in_a_hash_tile_is_named(copy, index):
    name = verify.tile_path(0, index // 256, min(256, 600 - index // 256 * 256))
    data = bytearray((copy / name).read_bytes())
    data[32 * (index % 256) + 5] ^= 0x80
    (copy / name).write_bytes(data)
    found = bad(copy)
    assert found.index == index
    assert name in found.what


def test_a_flipped_bit_in_a_tile_above_names_the_subtree(copy):
    data = bytearray((copy / "tile/1/000.p/2").read_bytes())
    data[40] ^= 1
    (copy / "tile/1/000.p/2").write_bytes(data)
    assert bad(copy).index == 256


def rewrite(copy: Path, leaves: list[bytes]) -> None:
    for n in range(3):
        part = leaves[256 * n : 256 * (n + 1)]
        name = verify.tile_path("entries", n, (256, 256, 88)[n])
        (copy / name).write_bytes(entries(part))


@pytest.mark.parametrize("index", [1, 255, 256, 400, 598])
def test_entries_deleted_inserted_swapped_or_doubled_are_named(honest, copy, index):
    leaves = honest[1]
    for changed in (
        [*leaves[:index], *leaves[index + 1 :]],
        [*leaves[:index], leaves[index + 1], *leaves[index:]],
        [*leaves[:index], leaves[index + 1], leaves[index], *leaves[index + 2 :]],
        [*leaves[:index], leaves[index - 1], *leaves[index:]],
    ):
        rewrite(copy, changed)
        assert bad(copy).index == index


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("tile/entries/001", 256),
        ("tile/0/001", 256),
        ("tile/0/002.p/88", 512),
        ("tile/1/000.p/2", 0),
        ("checkpoint", 0),
    ],
)
def test_a_missing_or_truncated_file_is_named(honest, copy, name, index):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[:-1])
    assert index <= bad(copy).index <= index + 256
    (copy / name).write_bytes(whole + b"x")
    assert index <= bad(copy).index <= index + 256
    (copy / name).unlink()
    found = bad(copy)
    assert found.index == index
    assert ask(honest[0]).size == 600


def test_a_full_tile_serves_where_the_partial_one_is_gone(honest, copy):
    for level in ("0", "entries"):
        partial = copy / f"tile/{level}/002.p/88"
        extra = b"" if level == "0" else entries(honest[1][:1])
        (copy / f"tile/{level}/002").write_bytes(partial.read_bytes() + extra)
        partial.unlink()
    assert ask(copy).size == 600


@pytest.mark.parametrize("at", [1, 250, 298])
def test_a_log_rebuilt_without_an_entry_and_signed_with_the_real_key_verifies_alone(
    honest, tmp_path, at
):
    _, leaves, kept = honest
    write(leaves[:at] + leaves[at + 1 :], tmp_path / "forged", SIGNER)
    assert ask(tmp_path / "forged").size == 599
    found = bad(tmp_path / "forged", kept)
    assert found.index == 300
    assert "receipt" in found.what


def test_a_log_cut_short_and_signed_again_is_exposed_by_a_receipt(honest, tmp_path):
    _, leaves, kept = honest
    write(leaves[:300], tmp_path / "short", SIGNER)
    assert ask(tmp_path / "short").size == 300
    found = bad(tmp_path / "short", kept)
    assert found.index == 300
    assert "fewer" in found.what


def test_a_log_changed_before_the_receipts_entry_is_exposed_by_its_checkpoint(honest, tmp_path):
    _, leaves, kept = honest
    other = canonical(json.loads(leaves[9]) | {"consumer": "somebody-else"})
    write([*leaves[:9], other, *leaves[10:]], tmp_path / "forged", SIGNER)
    found = bad(tmp_path / "forged", kept)
    assert found.index == 300
    assert "first 301 entries" in found.what


def test_a_checkpoint_by_another_key_or_of_another_log_is_refused(honest, copy):
    other = Signer(stage.ORIGIN, Ed25519PrivateKey.generate())
    assert "no signature" in bad(copy, vkey=other.vkey).what
    stranger = Signer("other.example/log", SIGNER.key)
    assert "no signature" in bad(copy, vkey=stranger.vkey).what
    assert "verifier key" in bad(copy, vkey="nonsense").what


def story(*steps: bytes | None) -> list[bytes]:
    return [step for step in steps if step is not None]


def made(kind: str, /, time: str = "2026-01-01T00:00:01.000000Z", **header: object) -> bytes:
    members = {"v": 1, "type": kind, "time": time, "_sd": [], "_sd_alg": "sha-256"}
    return canonical(members | header)


OPENED = made("log.opened", origin=stage.ORIGIN, key="00000000")
DECIDED = made("exchange.decision", **stage.exchange("decision", "ex_1"))
RELEASED = made("exchange.release", **stage.exchange("release", "ex_1"))
REFUSED = made("exchange.refusal", exchange="ex_1", consumer="family-benefits")
CONSENT = {"consent": "co_1", "agreement": "a", "agreement_revision": stage.REVISION}
GIVEN = made("consent.given", **CONSENT)
WITHDRAWN = made("consent.withdrawn", **CONSENT)
REVOKED = made("consent.revoked", **CONSENT)
INVALIDATED = made("consent.invalidated", **CONSENT)
SUSPENDED = made("consent.suspended", **CONSENT)
RESUMED = made("consent.resumed", **CONSENT)
NARROWED = made("consent.narrowed", **CONSENT)
CASE = made("case.opened", case="ca_1")
ANSWERED = made("case.answered", case="ca_1")
VIEWED = made("access.view", case="ca_1")


def halted(kind: str, name: str, how: str = "set") -> bytes:
    return made(f"stop.{how}", kind=kind, name=name, reason="Wrong names came.")


AGREEMENT = stage.exchange("release", "ex_1")["agreement"]
STOPPED, GOES_ON = halted("agreement", AGREEMENT), halted("agreement", AGREEMENT, "lifted")
BARRED = halted("agency", "family-benefits")


@pytest.mark.parametrize(
    ("leaves", "index", "words"),
    [
        ([DECIDED], 0, "log.opened"),
        ([OPENED, OPENED], 1, "log.opened"),
        ([made("log.opened", origin="other.example", key="0")], 0, "origin"),
        ([OPENED, RELEASED], 1, "without its decision"),
        ([OPENED, DECIDED, DECIDED], 2, "decided before"),
        ([OPENED, DECIDED, RELEASED, RELEASED], 3, "closed before"),
        ([OPENED, DECIDED, REFUSED, RELEASED], 3, "closed before"),
        ([OPENED, REFUSED, DECIDED], 2, "closed before"),
        ([OPENED, DECIDED, WITHDRAWN, RELEASED], 3, "withdrawal"),
        ([OPENED, DECIDED, REVOKED, RELEASED], 3, "revocation"),
        ([OPENED, DECIDED, INVALIDATED, RELEASED], 3, "invalidation"),
        ([OPENED, DECIDED, SUSPENDED, RELEASED], 3, "suspension"),
        ([OPENED, DECIDED, SUSPENDED, NARROWED, RELEASED], 4, "suspension"),
        ([OPENED, DECIDED, SUSPENDED, RESUMED, WITHDRAWN, RELEASED], 5, "withdrawal"),
        ([OPENED, DECIDED, STOPPED, RELEASED], 3, "stop of its agreement"),
        ([OPENED, DECIDED, BARRED, RELEASED], 3, "stop of its agency"),
        ([OPENED, STOPPED, STOPPED], 2, "stopped before"),
        ([OPENED, GOES_ON], 1, "resumed was not"),
        ([OPENED, WITHDRAWN, GIVEN], 2, "final"),
        ([OPENED, REVOKED, RESUMED], 2, "final"),
        ([OPENED, INVALIDATED, NARROWED], 2, "final"),
        ([OPENED, CASE, CASE], 2, "opened before"),
        ([OPENED, ANSWERED], 1, "not opened"),
        ([OPENED, VIEWED], 1, "not opened"),
        ([OPENED, CASE, ANSWERED, VIEWED, ANSWERED], 4, "answered before"),
        ([OPENED, made("consent.given", "2025-01-01T00:00:01.000000Z", **CONSENT)], 1, "time"),
        (
            [
                OPENED,
                DECIDED,
                made("exchange.release", **stage.exchange("release", "ex_1", "co_2")),
            ],
            2,
            "match",
        ),
        ([OPENED, b'{"v":1}'], 1, "leaf"),
    ],
)
def test_a_story_that_cannot_be_is_named_though_every_hash_is_right(tmp_path, leaves, index, words):
    write(leaves, tmp_path / "log", SIGNER)
    found = bad(tmp_path / "log")
    assert found.index == index
    assert words in found.what


@pytest.mark.parametrize(
    "leaves",
    [
        [OPENED, GIVEN, DECIDED, RELEASED, WITHDRAWN],
        [OPENED, GIVEN, DECIDED, SUSPENDED, RESUMED, RELEASED, REVOKED],
        [OPENED, GIVEN, DECIDED, SUSPENDED, GIVEN, NARROWED, RELEASED, INVALIDATED],
        [OPENED, CASE, VIEWED, made("access.view"), ANSWERED, VIEWED],
        [OPENED, made("block.set"), made("block.lifted"), made("subject.access")],
        [
            OPENED,
            STOPPED,
            BARRED,
            DECIDED,
            halted("agency", "family-benefits", "lifted"),
            GOES_ON,
            halted("source", "tax"),
            halted("agreement", "another"),
            RELEASED,
        ],
    ],
)
def test_a_story_that_can_be_is_good(tmp_path, leaves):
    write(leaves, tmp_path / "log", SIGNER)
    assert ask(tmp_path / "log").size == len(leaves)


def test_the_empty_log_is_good_and_an_export_of_no_log_is_refused(tmp_path):
    write([], tmp_path / "log", SIGNER)
    assert ask(tmp_path / "log").size == 0
    site = stage.Stage(tmp_path)
    database = site.database()
    with pytest.raises(BadLedger, match="no log"):
        export(database.read(), tmp_path / "none", SIGNER)
    database.close(stage.Deadline.within(10, site.clock))


def test_an_export_of_leaves_that_do_not_lead_to_the_root_signs_nothing(tmp_path):
    site = stage.Stage(tmp_path)
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        with log.database.sequence(stage.Deadline.within(10, log.clock)) as writer:
            writer.execute("UPDATE ledger_leaf SET leaf = CAST('{}' AS BLOB)")
        with pytest.raises(BadLedger, match="do not lead"):
            export(log.database.read(), tmp_path / "out", SIGNER)
        with pytest.raises(BadLedger, match="not other"):
            export(log.database.read(), tmp_path / "out", Signer("other.example", SIGNER.key))
    assert not (tmp_path / "out" / "checkpoint").exists()


def claims(**changes: object) -> bytes:
    """Return a receipt over a small log of its own, with some claims changed."""
    growth = Growth(0, [])
    growth.extend(map(leaf_hash, (OPENED, DECIDED, RELEASED)))
    tree = stage_tree(growth)

    class Logged:
        origin, index, leaf_hash = stage.ORIGIN, 2, growth.hashes[2]

        @staticmethod
        def proof() -> str:
            return tlog_proof(2, growth.inclusion(2), SIGNER.sign(tree))

    return receipt(Logged, json.loads(RELEASED), **changes)


def stage_tree(growth: Growth):
    from audit.model import Tree

    return Tree(growth.size, growth.root())


@pytest.fixture
def small(tmp_path):
    write([OPENED, DECIDED, RELEASED], tmp_path / "log", SIGNER)
    return tmp_path / "log"


def log_claims(**changes: object) -> dict:
    payload = claims().split(b".")[1].decode()
    import base64

    return (
        json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["log"] | changes
    )


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (b"nonsense", "compact JWS"),
        (b"a.b.c", "base64url"),
        (b"e30.e30.x", "causeway-receipt"),
        (b"x" * 200_000, "too large"),
        (claims(log=None), "does not speak"),
        (claims(log=log_claims(origin="other.example")), "does not speak"),
        (claims(log=log_claims(index="2")), "malformed"),
        (claims(log=log_claims(index=True)), "malformed"),
        (claims(log=log_claims(index=1)), "another entry"),
        (claims(log=log_claims(leaf=base64url(b"x" * 32))), "lead to the root"),
        (claims(log=log_claims(leaf=base64url(b"x")[:-1] + "R")), "base64url"),
        (claims(log=log_claims(proof="")), "tlog-proof"),
        (claims(exchange="ex_2"), "exchange"),
        (claims(consent=None), "consent"),
        (claims(agreement="other"), "agreement"),
    ],
)
def test_a_receipt_that_is_not_what_it_says_is_refused(small, kept, words):
    assert ask(small, claims(), keys=jwks()).size == 3
    assert words in bad(small, kept).what


def test_a_receipts_own_signature_counts_when_keys_are_given(small):
    other = Ed25519PrivateKey.generate()
    assert "does not verify" in bad(small, claims(), keys=jwks(other)).what
    for keys in (b"", b"{}", b'{"keys":[]}', b'{"keys":[7]}', jwks().replace(b"r1", b"r2")):
        assert "not among those" in bad(small, claims(), keys=keys).what


def test_a_receipt_that_points_at_something_else_than_a_release_is_refused(tmp_path):
    write([OPENED, DECIDED, REFUSED], tmp_path / "log", SIGNER)
    found = bad(tmp_path / "log", claims())
    assert found.index == 2


def test_the_command_prints_the_verdict_as_its_last_line(honest, copy, tmp_path, capsys):
    vkey, kept = tmp_path / "vkey", tmp_path / "a.receipt"
    vkey.write_text(SIGNER.vkey + "\n")
    kept.write_bytes(honest[2])
    assert verify.main(copy, None, vkey, [kept]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ok size=600 root=")
    assert verify.main(copy, None, None, [kept]) == 0
    assert "taken on trust" in capsys.readouterr().err
    (copy / "tile/entries/000").unlink()
    assert verify.main(copy, None, vkey, []) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "bad index=0 what=tile/entries/000 is missing"
    assert verify.main(None, None, vkey, []) == 2
    assert verify.main(copy, "http://localhost", vkey, []) == 2
    assert verify.main(copy, None, tmp_path / "none", []) == 2
    assert verify.main(None, "ftp://localhost", vkey, []) == 2


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        elif self.path.startswith("/broken"):
            self.send_error(500)
        elif self.path.startswith("/endless"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 70_000)
        else:
            super().do_GET()


@pytest.fixture
def site(honest):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(honest[0]))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_same_verdict_comes_over_http_from_any_static_hosting(honest, site):
    question = verify.Question(None, [("r", honest[2])])
    assert verify.verify(Site(site + "/"), question, lambda _: None).size == 600


@pytest.mark.parametrize(
    ("path", "words"),
    [("/moved", "302"), ("/broken", "500"), ("/endless", "larger"), ("/nothing", "verifier key")],
)
def test_redirects_errors_and_endless_answers_are_refused(site, path, words):
    with pytest.raises(verify.Bad, match=words):
        verify.verify(Site(site + path), verify.Question(None), lambda _: None)


def test_a_server_that_is_not_there_is_said_plainly():
    with pytest.raises(Defect, match="cannot be fetched"):
        Site("http://127.0.0.1:1").read("checkpoint", 10)
