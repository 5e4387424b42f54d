"""Signed: policies as one file, in OPA's own format of a signed bundle (`.signatures.json`).

The one file is what OPA loads and verifies, and what another gateway takes as its policies: rules,
catalogue and schemas. OPA reads the rules of it and lets the rest be.
"""

import io
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from crypto import base64url
from crypto.jose import BadToken, Jws, SigningKey, take_apart
from crypto.signature import is_right, made_alike
from gateway.policy.bundle import (
    MANIFEST,
    MAX_FILE,
    MAX_FILES,
    MAX_TOTAL,
    BadBundle,
    Bundle,
    packed,
)
from kernel.canonical import BadJson, Json, canonical, parse

ALGORITHM = "ES256"
SCOPE = "causeway"
"""What OPA is told to demand (`scope`), so that no other signature of the key passes for one."""
SIGNATURES = ".signatures.json"
WRITTEN = "manifest.txt"
"""The manifest as the directory has it: it counts for the revision, which the other one names."""
_MAX_SIGNATURES = 256 * 1024
_MAX_PACKED = 2 * MAX_TOTAL
_MAX_ARCHIVE = 4 * MAX_TOTAL
_END = "-----END PUBLIC KEY-----\n"
PolicyKeys = Sequence[EllipticCurvePublicKey]


def are_signed(policies: Path) -> bool:
    """Return whether a place of policies is a file, which is taken only with its signature, and
    not a directory, which anybody may have changed who can write there."""
    return policies.is_file()


def policy_keys(text: str) -> PolicyKeys:
    """Return the public keys that may sign policies, none for an empty text, or raise
    `ValueError` that says what would be right."""
    keys: list[EllipticCurvePublicKey] = []
    for one in filter(str.strip, text.split(_END.strip())):
        try:
            key = load_pem_public_key((one + _END).strip().encode())
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("is one or more public keys of P-256, in PEM")  # noqa: TRY004 - a text
        keys.append(key)
    return tuple(keys)


def public_pem(key: SigningKey) -> str:
    """Return the public half of a key as PEM, as OPA is given it."""
    native = key.jose.public_key
    assert isinstance(native, EllipticCurvePublicKey)  # noqa: S101 - the key ring checked it
    return native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def signed_bundle(bundle: Bundle, key: object, kid: str) -> bytes:
    """Return the signed file of a bundle (`tar.gz`), the same bytes each time; the key is a
    private one of P-256."""
    members = {path: text.encode() for path, text in bundle.files.items()}
    members[WRITTEN], members[MANIFEST] = members[MANIFEST], bundle.manifest()
    files: Json = [
        {"name": path, "hash": sha256(members[path]).hexdigest(), "algorithm": "SHA-256"}
        for path in sorted(members)
    ]
    header = base64url.encode(canonical({"alg": ALGORITHM, "kid": kid}))
    stated = f"{header}.{base64url.encode(canonical({'files': files, 'scope': SCOPE}))}"
    signature = base64url.encode(made_alike(key, stated.encode("ascii")))
    members[SIGNATURES] = canonical({"signatures": [f"{stated}.{signature}"]})
    return packed(members)


def read_signed(policies: Path, keys: PolicyKeys) -> Bundle:
    """Return the bundle of a signed file, or raise `BadBundle`: no key that may sign, a signature
    by none of them, or a file that is not exactly what was signed."""
    if not keys:
        raise BadBundle(
            f"{policies} is a signed bundle; set GATEWAY_POLICY_KEY to who may sign policies"
        )
    try:
        with policies.open("rb") as file:
            content = file.read(_MAX_PACKED + 1)
    except OSError as error:
        raise BadBundle(f"{policies} cannot be read") from error
    try:
        members = _unpacked(content)
        _verify(members, keys)
    except (BadJson, BadToken, ValueError) as error:
        raise BadBundle(f"{policies} is not a bundle that we may load: {error}") from None
    return _bundle(members, policies)


def _bundle(members: Mapping[str, bytes], policies: Path) -> Bundle:
    try:
        texts = {path: raw.decode("utf-8") for path, raw in members.items()}
        texts[MANIFEST] = texts.pop(WRITTEN)
    except (LookupError, UnicodeDecodeError):
        raise BadBundle(f"{policies} was not made by `policy bundle`") from None
    del texts[SIGNATURES]
    bundle = Bundle.from_files(texts)
    if members[MANIFEST] != bundle.manifest():
        raise BadBundle(f"{policies} names another revision than its files make")
    return bundle


def _unpacked(content: bytes) -> Mapping[str, bytes]:
    """Return the plain files of an archive by path; every bound is held before memory is taken."""
    if len(content) > _MAX_PACKED:
        raise ValueError("it is too large")
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(content, _MAX_ARCHIVE)
        if not inflate.eof or inflate.unused_data:
            raise ValueError("it is too large, or not one whole archive")
        members: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                # `opa build` writes the path of a member with a slash before it.
                path = member.name.removeprefix("/")
                if file is None or path in members or len(members) > MAX_FILES:
                    raise ValueError("it holds something other than plain files, each once")
                members[path] = file.read()
    except (zlib.error, tarfile.TarError, EOFError) as error:
        raise ValueError("it is no archive (tar.gz)") from error
    return members


def _verify(members: Mapping[str, bytes], keys: PolicyKeys) -> None:
    """Return when one of the keys signed exactly these members; raise `ValueError` otherwise."""
    stated = parse(members.get(SIGNATURES, b"null"), max_bytes=_MAX_SIGNATURES)
    match stated:
        case {"signatures": [str(token)]}:
            jws = take_apart(token, _MAX_SIGNATURES)
        case _:
            raise ValueError("it has no signature, or more than one")
    if not _signed(jws, keys):
        raise ValueError("none of the keys of GATEWAY_POLICY_KEY signed it")
    claims = parse(jws.payload, max_bytes=_MAX_SIGNATURES)
    if not isinstance(claims, dict) or claims.get("scope") != SCOPE:
        raise ValueError(f"it was signed for something else than the scope {SCOPE}")
    wanted = [
        {"name": path, "hash": sha256(_hashed(path, raw)).hexdigest(), "algorithm": "SHA-256"}
        for path, raw in members.items()
        if path != SIGNATURES
    ]
    files = claims.get("files")
    if not isinstance(files, list) or _texts(files) != _texts(wanted):
        raise ValueError("what it holds is not what was signed")


def _texts(files: Sequence[Json]) -> list[bytes]:
    return sorted(map(canonical, files))


def _signed(jws: Jws, keys: PolicyKeys) -> bool:
    if jws.algorithm != ALGORITHM:
        return False
    return any(is_right(ALGORITHM, key, jws.signed, jws.signature) for key in keys)


def _hashed(path: str, raw: bytes) -> bytes:
    """Return what OPA takes the hash of: of the manifest its value, of the rest its bytes."""
    return canonical(parse(raw, max_bytes=MAX_FILE)) if path == MANIFEST else raw
