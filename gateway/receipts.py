"""Receipts: what a requester can show afterwards, and to anybody, without the data."""

from collections.abc import Mapping
from dataclasses import dataclass

from crypto import base64url
from crypto.model import Sealed
from gateway.model import Permit, Warrant
from kernel.canonical import Json
from kernel.names import ClientId


def receipt_claims(client: ClientId, warrant: Warrant, sealed: Sealed) -> dict[str, Json]:
    """Return a receipt's claims, all but the issuer and those that only the ledger knows."""
    told = answers(warrant.permit)
    return {
        "aud": client,
        "exchange": warrant.exchange,
        "agreement": warrant.agreement.id,
        "agreement_revision": warrant.agreement.revision,
        "service": warrant.service.id,
        "purpose": warrant.agreement.purpose,
        "basis": warrant.agreement.basis.value,
        "fields": sorted(warrant.permit.fields),
        **({"answers": told} if told else {}),
        "policy": warrant.permit.policy,
        "consent": warrant.permit.consent,
        "sealed_sha256": base64url.encode(sealed.sha256),
    }


def answers(permit: Permit) -> dict[str, Json]:
    """Return the released fields of which only an answer travels, each with its kind."""
    return {field: how.kind.value for field, how in sorted(permit.transforms.items())}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a release stands in the log."""

    origin: str
    index: int
    leaf_hash: bytes
    proof: str
    """A C2SP tlog-proof: the path, and the signed checkpoint that it leads to."""


def located(claims: Mapping[str, Json], issuer: str, place: Place) -> dict[str, Json]:
    """Return the whole of a receipt's claims: who signs, and where the release is logged."""
    return {
        **claims,
        "iss": issuer,
        "log": {
            "origin": place.origin,
            "index": place.index,
            "leaf": base64url.encode(place.leaf_hash),
            "proof": place.proof,
        },
    }
