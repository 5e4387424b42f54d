"""Limits: how much one client, and one agreement, may ask; told before an exchange opens.

The fields `RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from gateway.ask import Posted, named_agreement, parse_ask
from gateway.load.rates import Bucket, Limit, Rates
from gateway.model import Ask
from gateway.ports import Authenticate
from identity.model import Caller, Credentials, Scope
from kernel.errors import Reason, Refusal

_CLIENT, _AGREEMENT = "client", "agreement"


class OverQuota(Refusal):
    """Too much was asked: when to come back, and the header fields that say so."""

    def __init__(self, detail: str, seconds: int, fields: Mapping[str, str]) -> None:
        """Keep the seconds until something is left again, and the fields."""
        super().__init__(Reason.QUOTA_EXCEEDED, detail)
        self.retry_after = seconds
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Limits:
    """The quotas of every client, and of every agreement as its agency uses it."""

    rates: Rates
    client: Limit
    agreement: Limit

    def ask(self, caller: Caller, posted: Posted) -> Ask:
        """Return the request in a body within the quotas, or raise `Refusal`: `quota.exceeded`
        comes before whatever is wrong with the body, as far as the body tells an agreement."""
        try:
            ask = parse_ask(posted)
        except Refusal:
            self.take(caller, named_agreement(posted))
            raise
        self.take(caller, ask.agreement)
        return ask

    def take(self, caller: Caller, agreement: str | None = None) -> None:
        """Count one request, or raise `OverQuota` and count nothing."""
        buckets = [Bucket((_CLIENT, caller.client_id), self.client)]
        if agreement is not None:  # an agency cannot use up another's: the name is the caller's
            buckets.append(Bucket((_AGREEMENT, caller.agency, agreement), self.agreement))
        empty = self.rates.take(*buckets)
        if empty is not None:
            raise self._over(empty.bucket, max(1, ceil(empty.seconds)))

    def _over(self, bucket: Bucket, seconds: int) -> OverQuota:
        what, limit = bucket.name[0], bucket.limit
        whose = "Your client" if what == _CLIENT else "Your agency, under this agreement,"
        policies = {_CLIENT: self.client, _AGREEMENT: self.agreement}
        fields = {
            "RateLimit-Policy": ", ".join(
                f'"{name}";q={one.count};w={one.seconds}' for name, one in policies.items()
            ),
            "RateLimit": f'"{what}";r=0;t={seconds}',
        }
        return OverQuota(
            f"{whose} asked more than {limit.count} times in {limit.seconds} seconds: "
            f"go on in {seconds}.",
            seconds,
            fields,
        )


@dataclass(frozen=True, slots=True)
class LimitedAuthenticate:
    """The front door for everything but an exchange: who is proven is counted."""

    authenticate: Authenticate
    limits: Limits

    def __call__(self, credentials: Credentials, scope: Scope | None) -> Caller:
        """Return the caller when token, proof, scope and quota hold, or raise `Refusal`."""
        caller = self.authenticate(credentials, scope)
        self.limits.take(caller)
        return caller

    def refresh(self, caller: Caller) -> Caller:
        """Return the caller under the epoch of now, or raise `Refusal` when it may not ask."""
        return self.authenticate.refresh(caller)
