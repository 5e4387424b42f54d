"""Receipts: what a person keeps of each decision, on paper and as a signed file; and the check."""

from dataclasses import dataclass
from io import BytesIO

import segno
from werkzeug.wrappers import Response

from consent.model import Happened, Record
from consent.pages.consents import Shelf
from consent.pages.facts import by_office, facts_of
from consent.pages.frame import Visit
from consent.pages.ports import SignReceipt
from consent.receipt import receipt_claims
from kernel.errors import Reason, Refusal
from kernel.names import ReceiptId

_DARK, _LIGHT = "#000", "#fff"


@dataclass(frozen=True, slots=True)
class Receipts:
    """The page of one receipt, its file, its code, and the public check."""

    shelf: Shelf
    public_url: str
    sign: SignReceipt

    def receipt_page(self, visit: Visit, receipt: str) -> Response:
        """GET /receipts/{id}: what was decided, to print."""
        event, record = self._mine(visit, receipt)
        held = self.shelf.held(visit, record)
        facts = facts_of(self.shelf.directory, held.offer, event.granted, visit.language.tag)
        return visit.page(
            "receipt.html",
            event=event,
            held=held,
            offices=by_office(facts),
            superseded=self.shelf.store.superseded(event),
            check=self._check(event),
        )

    def receipt_code(self, visit: Visit, receipt: str) -> Response:
        """GET /receipts/{id}/code.svg: the address of the check, for a camera (ISO/IEC 18004)."""
        event, _ = self._mine(visit, receipt)
        drawn = BytesIO()
        segno.make_qr(self._check(event), error="m").save(
            drawn, kind="svg", scale=4, dark=_DARK, light=_LIGHT, svgclass=None, lineclass=None
        )
        return Response(drawn.getvalue(), content_type="image/svg+xml")

    def receipt_file(self, visit: Visit, receipt: str) -> Response:
        """GET /receipts/{id}/receipt.jwt: the receipt as a signed file (RFC 7515)."""
        event, record = self._mine(visit, receipt)
        notice = self.shelf.store.notice(event.notice) if event.notice else None
        answer = Response(
            self.sign(receipt_claims(event, record, notice)), content_type="application/jwt"
        )
        answer.headers["Content-Disposition"] = f'attachment; filename="{event.receipt}.jwt"'
        return answer

    def verify_page(self, visit: Visit) -> Response:
        """GET /verify: valid, superseded, or not known; nothing else, to anybody."""
        asked = visit.asked("receipt")
        event = self.shelf.store.receipt(ReceiptId(asked)) if asked else None
        found = "unknown" if event is None else "valid"
        if event is not None and self.shelf.store.superseded(event):
            found = "superseded"
        return visit.page("verify.html", asked=asked, found=found if asked else "")

    def _mine(self, visit: Visit, receipt: str) -> tuple[Happened, Record]:
        event = self.shelf.store.receipt(ReceiptId(receipt))
        record = self.shelf.store.record(visit.person.ref, event.consent) if event else None
        if event is None or record is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "You have no such receipt.")
        return event, record

    def _check(self, event: Happened) -> str:
        return f"{self.public_url}/verify?receipt={event.receipt}"
