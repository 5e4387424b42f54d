"""Asking: exchanges made beforehand, each with a proof of its own, for a load generator to send.

A proof counts once and for a minute, a token for five: so requests are made in portions, just
before they are sent, with a new token each time.
"""

import hashlib
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.agency import Agency, base64url
from tests.bench.stage import PATH
from tests.bench.wrk import raw
from tests.country import AGREEMENT, INCOME, SCHEME
from tests.flow.office import TOTAL, YEAR

LONGEST = 25
"""Seconds for which a portion may be sent; making it takes some of a proof's minute too."""
CASE, USER = {"case": "FA-2026-00042"}, {"user": "clerk-4471"}
WAYS = [
    {"fields": fields, **named}
    for fields in ([YEAR, TOTAL], [YEAR])
    for named in ({}, CASE, USER, CASE | USER)
]
"""What is asked about a person: with their states, some two dozen questions to the policies."""


def proving(agency: Agency, token: str) -> Callable[[], str]:
    """Return what makes proofs like `Agency.proof`, for a quarter of its price."""
    key = agency.proof_key
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    head = base64url(json.dumps(header).encode())
    claims = {"htm": "POST", "htu": agency.gateway + PATH}
    claims["ath"] = base64url(hashlib.sha256(token.encode()).digest())

    def prove() -> str:
        made = {**claims, "jti": str(uuid.uuid4()), "iat": int(time.time())}
        signed = f"{head}.{base64url(json.dumps(made).encode())}"
        halves = decode_dss_signature(key.private_key.sign(signed.encode(), ECDSA(SHA256())))
        return f"{signed}.{base64url(b''.join(half.to_bytes(32, 'big') for half in halves))}"

    return prove


@dataclass
class Asker:
    """An agency that asks about many people, in many ways: other facts, with a case, with a user.

    Nobody's answer is no: a refusal is written down once, not twice, and so would flatter.
    """

    agency: Agency
    numbers: Sequence[str]
    turn: Iterator[int] = field(default_factory=itertools.count)

    def made(self, count: int) -> list[bytes]:
        """Return so many requests, to be sent at once."""
        token = replace(self.agency, held=None).token
        prove = proving(self.agency, token)
        shown = {
            "Host": self.agency.gateway.partition("://")[2],
            "Content-Type": "application/json",
            "Authorization": f"DPoP {token}",
        }
        return [
            raw("POST", PATH, {**shown, "DPoP": prove()}, self._body(place))
            for place in itertools.islice(self.turn, count)
        ]

    def _body(self, place: int) -> bytes:
        everybody, one = divmod(place, len(self.numbers))
        body = {
            "agreement": AGREEMENT,
            "service": INCOME,
            "subject": {"scheme": SCHEME, "value": self.numbers[one]},
            **WAYS[(everybody + one) % len(WAYS)],
        }
        return json.dumps(body).encode()
