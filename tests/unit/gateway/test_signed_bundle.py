"""Policies as one signed file: what is taken, what is refused, and that bytes stay the same."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from crypto import base64url
from crypto.signature import made_alike
from gateway.policy.bundle import BadBundle, packed
from gateway.policy.signed import (
    SIGNATURES,
    are_signed,
    policy_keys,
    read_signed,
    signed_bundle,
)
from kernel.canonical import canonical, parse
from tests.policies.repository import POLICIES, bundle, opa_command

KEY, OTHER = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
KEYS = (OTHER.public_key(), KEY.public_key())
SIGNED = signed_bundle(bundle(), KEY, "officers")
RULES = "exchange/decision.rego"
Members = dict[str, bytes]


def members(content: bytes = SIGNED) -> Members:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        found = {one.name: archive.extractfile(one) for one in archive}
        return {name: file.read() for name, file in found.items() if file is not None}


def signed_by(key: object, claims: dict[str, object], algorithm: str = "ES256") -> bytes:
    head = base64url.encode(canonical({"alg": algorithm, "kid": "officers"}))
    stated = f"{head}.{base64url.encode(canonical(claims))}"  # type: ignore[arg-type]
    signature = base64url.encode(made_alike(key, stated.encode()))
    return canonical({"signatures": [f"{stated}.{signature}"]})


def claims() -> dict[str, object]:
    token = parse(members()[SIGNATURES], max_bytes=10**6)["signatures"][0]
    return dict(parse(base64url.decode(token.split(".")[1]), max_bytes=10**6))


def test_a_signed_file_holds_the_same_policies(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(SIGNED)
    assert read_signed(file, KEYS) == bundle()
    assert signed_bundle(bundle(), KEY, "officers") == SIGNED


def test_what_it_holds_can_be_written_out_and_is_the_same(tmp_path: Path) -> None:
    bundle().write(tmp_path)
    assert bundle().from_directory(tmp_path).revision == bundle().revision


def test_what_opa_itself_signed_is_taken(tmp_path: Path) -> None:
    place, key, scope = tmp_path / "unsigned.tar.gz", tmp_path / "key.pem", tmp_path / "claims.json"
    key.write_bytes(
        KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    scope.write_text('{"scope": "causeway"}')
    held = members()
    del held[SIGNATURES]
    place.write_bytes(packed(held))
    options = ["--signing-alg", "ES256", "--signing-key", str(key), "--claims-file", str(scope)]
    options += ["--bundle", str(place), "--output-file-path", str(tmp_path)]
    done = opa_command().run(["sign", *options])
    assert done.returncode == 0, done.stderr
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(packed({**held, SIGNATURES: (tmp_path / SIGNATURES).read_bytes()}))
    assert read_signed(file, KEYS) == bundle()


CHANGES: dict[str, Callable[[Members], None]] = {
    "one byte": lambda held: held.update({RULES: held[RULES] + b"\n"}),
    "a file more": lambda held: held.update({"exchange/more.rego": b"package exchange.more\n"}),
    "a file less": lambda held: held.pop(RULES) and None,
    "another revision": lambda held: held.update(
        {".manifest": held[".manifest"].replace(b'"revision":"', b'"revision":"0')}
    ),
    "no signature": lambda held: held.pop(SIGNATURES) and None,
    "no signatures": lambda held: held.update({SIGNATURES: b'{"signatures":[]}'}),
    "two signatures": lambda held: held.update(
        {SIGNATURES: held[SIGNATURES].replace(b'["', b'["x.y.z","')}
    ),
    "a stranger's": lambda held: held.update(
        {SIGNATURES: signed_by(generate_private_key(SECP256R1()), claims())}
    ),
    "another scope": lambda held: held.update(
        {SIGNATURES: signed_by(KEY, {**claims(), "scope": "write"})}
    ),
    "no scope": lambda held: held.update(
        {SIGNATURES: signed_by(KEY, {"files": claims()["files"]})}
    ),
    "no files": lambda held: held.update({SIGNATURES: signed_by(KEY, {"scope": "causeway"})}),
    "no algorithm": lambda held: held.update({SIGNATURES: signed_by(KEY, claims(), "none")}),
    "another algorithm": lambda held: held.update({SIGNATURES: signed_by(KEY, claims(), "HS256")}),
    "no manifest": lambda held: held.pop("manifest.txt") and None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_is_not_exactly_as_signed_is_refused(tmp_path: Path, change: str) -> None:
    held, file = members(), tmp_path / "bundle.tar.gz"
    CHANGES[change](held)
    file.write_bytes(packed(held))
    with pytest.raises(BadBundle, match=r"bundle\.tar\.gz"):
        read_signed(file, KEYS)


def test_a_link_in_it_is_refused(tmp_path: Path) -> None:
    content, file = io.BytesIO(), tmp_path / "bundle.tar.gz"
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        link = tarfile.TarInfo("exchange/decision.rego")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    file.write_bytes(content.getvalue())
    with pytest.raises(BadBundle, match="plain files"):
        read_signed(file, KEYS)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", SIGNED[:-9], SIGNED + b"x", b"x" * 5_000_000, packed({"a": bytes(9 << 20)})],
    ids=["empty", "begun", "cut", "longer", "large", "a bomb"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(content)
    with pytest.raises(BadBundle):
        read_signed(file, KEYS)


def test_without_a_key_that_may_sign_no_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(SIGNED)
    with pytest.raises(BadBundle, match="GATEWAY_POLICY_KEY"):
        read_signed(file, ())
    with pytest.raises(BadBundle, match="none of the keys"):
        read_signed(file, (OTHER.public_key(),))
    with pytest.raises(BadBundle, match="cannot be read"):
        read_signed(tmp_path / "nothing.tar.gz", KEYS)


def test_a_file_is_signed_and_a_directory_is_not(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(SIGNED)
    assert are_signed(file)
    assert not are_signed(POLICIES)
    assert not are_signed(tmp_path / "nothing")


PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_several_keys_may_sign() -> None:
    text = "".join(key.public_bytes(*PEM).decode() for key in KEYS)
    assert [key.public_numbers() for key in policy_keys(text)] == [
        key.public_numbers() for key in KEYS
    ]
    assert policy_keys("\n") == ()


@pytest.mark.parametrize(
    "text",
    [
        "a key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        generate_private_key(SECP384R1()).public_key().public_bytes(*PEM).decode(),
        Ed25519PrivateKey.generate().public_key().public_bytes(*PEM).decode(),
    ],
    ids=["words", "nothing", "P-384", "Ed25519"],
)  # fmt: skip
def test_what_is_no_key_of_p256_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="P-256"):
        policy_keys(text)
