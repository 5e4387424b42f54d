"""Stops: one entry each, with its effect; and whose clients are refused as if disabled."""

from dataclasses import replace

import pytest

from gateway.admission import Admission
from gateway.stops import NONE, Halts, Stops, resume, stop
from identity.model import Client, Scope
from kernel.effect import Key
from kernel.entry import EntryType
from kernel.errors import Refusal
from tests.unit.gateway import parts

PLACE = Key("stop", ("source", "tax"))
CLIENT = Client("fb-1", "family-benefits", frozenset({Scope.EXCHANGE_REQUEST}), "{}", active=True)


def test_a_stop_is_one_entry_that_fences_and_restricts_and_says_why():
    ledger = parts.Ledger()
    stop(ledger, Halts.SOURCE, "tax", "Wrong names came.")
    (entry,) = ledger.entries
    assert (entry.type, entry.control, entry.restricts) == (EntryType.STOP_SET, True, True)
    assert entry.header == {"kind": "source", "name": "tax", "reason": "Wrong names came."}
    assert (entry.disclosures, entry.concerned, entry.epoch) == ({}, (), None)
    assert ledger.rows == {
        PLACE: {
            "kind": "source",
            "name": "tax",
            "state": "stopped",
            "since": parts.NOW,
            "reason": "Wrong names came.",
            "index": 0,
        }
    }


def no(call, *arguments):
    with pytest.raises(Refusal) as refusal:
        call(*arguments)
    return refusal.value.detail


def test_what_is_stopped_is_not_stopped_again_and_goes_on_once():
    ledger = parts.Ledger()
    tax = (ledger, Halts.SOURCE, "tax")
    assert no(resume, *tax, None) == "The source 'tax' is not stopped."
    stop(*tax, "Wrong names came.")
    told = "The source 'tax' is stopped already, since 2026-11-18T11:06:40.000000Z."
    assert no(stop, *tax, "Wrong names came.") == told
    resume(*tax, "They were put right.")
    assert no(resume, *tax, None) == "The source 'tax' is not stopped."
    assert ledger.rows[PLACE]["state"] == "resumed"
    stop(*tax, "Wrong names came again.")
    types = [EntryType.STOP_SET, EntryType.STOP_LIFTED, EntryType.STOP_SET]
    assert [one.type for one in ledger.entries] == types
    assert [one.control for one in ledger.entries] == [True, True, True]
    assert [one.restricts for one in ledger.entries] == [True, False, True]


@pytest.mark.parametrize(("agency", "active"), [("family-benefits", False), ("tax", True)])
def test_the_clients_of_a_stopped_agency_are_found_as_if_disabled(agency, active):
    class Register:
        def find(self, client_id):
            return (CLIENT if client_id == CLIENT.id else None), 7

    asked = []

    def stops(epoch):
        asked.append(epoch)
        return Stops.of([("agency", agency, parts.NOW, "A key was stolen.", 3)])

    admission = Admission(Register(), stops)
    assert admission.find("fb-1") == (replace(CLIENT, active=active), 7)
    assert admission.client("fb-1").active is active
    assert admission.find("nobody") == (None, 7)
    assert asked == [7, 7]


def test_an_agreement_and_an_agency_of_one_name_are_two_things():
    stops = Stops.of([("source", "family-benefits", parts.NOW, "Why.", 3)])
    assert stops.agency("family-benefits") is None
    assert stops.agreement(parts.AGREEMENT) is None
    assert NONE.find(Halts.SOURCE, "family-benefits") is None
