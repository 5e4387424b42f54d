"""Bundles: hands each OPA of this host the policies that it is to load, signed."""

from dataclasses import dataclass, field

from flask import request
from werkzeug.wrappers import Response

from crypto.jose import SigningKey
from gateway.policy.bundle import BadBundle, Bundle
from gateway.policy.control import Control
from gateway.policy.preparing import PLACES, Places
from gateway.policy.signed import ALGORITHM, SCOPE, signed_bundle
from gateway.setup.forwarded import Operators
from kernel.errors import Reason, Refusal
from kernel.names import Revision
from kernel.recent import Recent

ACTIVE = "active"
"""The place of an OPA that stands alone: what is in force."""
_MOST, _MOST_BYTES = 4, 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bundles:
    """What belongs into which OPA."""

    control: Control
    places: Places
    key: SigningKey
    _signed: Recent[Revision, bytes] = field(default_factory=lambda: Recent(_MOST, _MOST_BYTES))

    def revision(self, place: str) -> Revision:
        """Return the revision for a place, or raise `Refusal` where there is none."""
        active = self.control.active()
        if active is None:
            raise Refusal(Reason.POLICY_UNAVAILABLE, "No policies are in force yet.")
        held = self.places.revisions() if place in PLACES else {}
        return held.get(place, active) if active in held.values() else active

    def signed(self, revision: Revision) -> bytes:
        """Return the signed file of a revision, or raise `Refusal`."""
        if (kept := self._signed.get(revision)) is not None:
            return kept
        made = signed_bundle(self._bundle(revision), self.key.jose.private_key, self.key.kid)
        self._signed.keep(revision, made, len(made))
        return made

    def _bundle(self, revision: Revision) -> Bundle:
        try:
            return self.places.bundle(revision) or self.control.stored(revision)
        except BadBundle as error:
            raise Refusal(Reason.POLICY_UNAVAILABLE, "These policies cannot be read.") from error


@dataclass(frozen=True, slots=True)
class BundleViews:
    """What OPA looks at every second."""

    bundles: Bundles
    operators: Operators

    def bundle(self, place: str) -> Response:
        """GET /policies/bundle/{place}: the signed policies of a place, for OPA beside us."""
        if not self.operators.include(request.environ) or place not in (ACTIVE, *PLACES):
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is nothing at this address.")
        revision = self.bundles.revision(place)
        tag = f'"{revision}.{self.bundles.key.kid}"'
        headers = {"ETag": tag, "Cache-Control": "no-store"}
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers=headers)
        content = self.bundles.signed(revision)
        return Response(content, 200, headers, content_type="application/gzip")


def opa_config(gateway: str, place: str, kid: str, pem: str) -> dict[str, object]:
    """Return the configuration with which OPA loads a place's policies and verifies them."""
    signing = {"keyid": kid, "scope": SCOPE}
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
    return {
        "services": {"gateway": {"url": gateway, "response_header_timeout_seconds": 5}},
        "keys": {kid: {"algorithm": ALGORITHM, "key": pem}},
        "bundles": {
            "policies": {
                "service": "gateway",
                "resource": f"policies/bundle/{place}",
                "polling": polling,
                "signing": signing,
            }
        },
    }
