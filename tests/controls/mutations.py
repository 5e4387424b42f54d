"""Mutations: each takes one defence out, and the promise's test that must notice.

`old` stands exactly once in `file`; the product still works with `new` in its place, so the test
fails for the promise and for nothing else.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """What the product would be without one defence."""

    promise: str
    without: str
    file: str
    old: str
    new: str
    test: str
    country: str = "watched"
    """In which of the tests' countries it runs."""

    def __str__(self) -> str:
        return f"{self.promise} without {self.without}"


P1 = "tests/flow/test_promise_1_trace.py::test_p1_no_data_without_a_trace_"
P2 = "tests/flow/test_promise_2_withdrawal.py::test_p2_withdrawal_is_final_"
P3 = "tests/flow/test_promise_3_width.py::test_p3_never_wider_than_permitted_"

P4 = "tests/flow/test_promise_4_seal.py::test_p4_sealed_for_the_asker_"
P5 = "tests/flow/test_promise_5_history.py::test_p5_history_cannot_be_rewritten_"
P6 = "tests/flow/test_promise_6_closed.py::test_p6_closed_by_default_when_"
STOP = "tests/flow/test_emergency_stop.py::test_p6_closed_by_default_when_"
P7 = "tests/flow/test_promise_7_basis.py::test_p7_the_agreement_decides_the_basis_"
P8 = "tests/flow/test_promise_8_completeness.py::test_p8_you_see_everything_"

MUTATIONS = (
    Mutation(
        "P1",
        "the decision ahead of the source: the record is fetched in advance, to save time",
        "gateway/pipeline.py",
        "        return self.journal.decision(docket, permit)  # (5)\n",
        """\
        parts = (docket.person, docket.agreement, docket.service, permit, docket.caller.epoch)
        self.fetch(Warrant(docket.exchange, docket.ask, *parts))
        return self.journal.decision(docket, permit)  # (5)
""",
        P1 + "the_decision_is_committed_before_the_source_is_asked",
    ),
    Mutation(
        "P1",
        "the release ahead of the answer: a ledger that cannot write stops nobody",
        "gateway/pipeline.py",
        """\
        receipt = self._current(docket, lambda _: self._release(docket, warrant, *leaving))  # (9)
""",
        """\
        try:
            receipt = self._current(docket, lambda _: self._release(docket, warrant, *leaving))
        except Refusal as refusal:
            if refusal.reason is not Reason.LEDGER_UNAVAILABLE:
                raise
            receipt = Receipt("to follow")
""",
        P1 + "nothing_leaves_while_the_release_cannot_be_committed",
    ),
    Mutation(
        "P2",
        "the second gate: consent is not looked at again when the release is written",
        "gateway/journal.py",
        "both(closed(docket.exchange, State.RELEASED, claims), used(release))",
        "closed(docket.exchange, State.RELEASED, claims)",
        P2 + "also_for_a_request_that_waits_for_its_source",
    ),
    Mutation(
        "P2",
        "the first gate: the rules do not know that a withdrawn consent denies",
        "consent/rules.py",
        "    State.WITHDRAWN: FindingState.WITHDRAWN,\n",
        "",
        P2 + "every_later_request_is_refused_and_every_release_before_is_listed",
    ),
    Mutation(
        "P2",
        "the whole list: the acknowledgement names the last use alone",
        "consent/reading.py",
        """WHERE consent = ? ORDER BY "index"\n""",
        """WHERE consent = ? ORDER BY "index" DESC LIMIT 1\n""",
        P2 + "every_later_request_is_refused_and_every_release_before_is_listed",
    ),
    Mutation(
        "P3",
        "the cut before: the source is asked for all that was asked for",
        "gateway/sources.py",
        "        fields = warrant.permit.fields\n",
        "        fields = frozenset(warrant.ask.fields)\n",
        P3 + "the_source_is_asked_for_the_permitted_fields_alone",
    ),
    Mutation(
        "P3",
        "the cut after: what the source sent is passed on",
        "gateway/minimise.py",
        "    cut = _Cut(on).value(record, _tree(permit.fields, permit.transforms))\n",
        "    cut = record\n",
        P3 + "what_a_source_sends_besides_never_leaves",
    ),
    Mutation(
        "P3",
        "the answer: where a question was agreed, the fact travels",
        "gateway/minimise.py",
        """\
            return _Absent.ABSENT
        return answer(transform, value, self.on)
""",
        """\
            return _Absent.ABSENT
        return value
""",
        P3 + "where_a_question_was_agreed_the_fact_stays_home[59999-True]",
    ),
    Mutation(
        "P3",
        "the policies' own cut: what they take out travels all the same",
        "gateway/policy/pdp.py",
        " & question.granted & frozenset(decision.fields)\n",
        " & question.granted\n",
        P3 + "what_the_policies_take_out_stays_home",
        "misruled",
    ),
    Mutation(
        "P3",
        "the grant: whatever the policies allow may travel",
        "gateway/policy/pdp.py",
        " & question.granted & frozenset(decision.fields)\n",
        " & frozenset(decision.fields)\n",
        P3 + "lavish_policies_cannot_give_what_nobody_granted",
        "misruled",
    ),
    Mutation(
        "P4",
        "the seal: what looks like one is only encoded",
        "crypto/seal.py",
        "    parts = (wrapped, nonce, sealed[:-_TAG], sealed[-_TAG:])\n",
        '    parts = (b"", b"", extract.plaintext, b"")\n',
        P4 + "nothing_beside_the_seal_tells_what_is_in_it",
    ),
    Mutation(
        "P4",
        "silence about the record: a line for debugging was left behind",
        "gateway/pipeline.py",
        "        record = self.fetch(warrant)  # (6)\n",
        """\
        record = self.fetch(warrant)  # (6)
        print(record, flush=True)
""",
        P4 + "a_record_passes_through_and_leaves_nothing_on_the_disk",
    ),
    Mutation(
        "P5",
        "the receipts' roots: the verifier looks at the entry of a receipt alone",
        "audit/verify.py",
        "            if self._root() != receipt.seen.root:\n",
        "            if not receipt.seen.root:\n",
        P5 + "a_receipt_exposes_what_the_real_key_signed_again[altered]",
    ),
    Mutation(
        "P5",
        "the checkpoint's root: the verifier believes the tiles",
        "audit/verify.py",
        "        if self._root() != self._seen.root:\n",
        "        if not self._seen.root:\n",
        P5 + "without_the_key_the_log_alone_shows_it[altered]",
    ),
    Mutation(
        "P6",
        "refusing duties that nobody knows: they are passed over",
        "gateway/policy/pdp.py",
        """\
        if decision.reasons or any(o.type not in OBLIGATIONS for o in decision.obligations):
""",
        """\
        if decision.reasons:
""",
        P6 + "the_policies_answer[a-duty-nobody-knows]",
        "misruled",
    ),
    Mutation(
        "P6",
        "refusing an answer that names nobody: it is taken to be the right one",
        "gateway/minimise.py",
        "    if told != warrant.ask.subject.value:\n",
        "    if told not in {None, warrant.ask.subject.value}:\n",
        P6 + "a_source[does-not-say-whom]",
        "misruled",
    ),
    Mutation(
        "P6",
        "refusing without a memory of used proofs: the request goes on",
        "kernel/bootfile.py",
        """\
                if not self._still_there():
                    raise unavailable("was deleted while in use")
""",
        "",
        P6 + "nobody_can_know_whether_a_proof_was_used",
    ),
    Mutation(
        "P6",
        "the emergency stop: nobody looks at what is stopped",
        "gateway/resolve.py",
        "    if registered.stops.agreement(agreement):\n",
        "    if registered.stops is None:\n",
        STOP + "an_agreement_is_stopped",
    ),
    Mutation(
        "P6",
        "the second look: what was decided before a stop is released after it",
        "gateway/pipeline.py",
        "        if docket.caller.epoch != warrant.epoch:\n",
        "        if docket.policy is None:\n",
        STOP + "the_stop_comes_while_the_source_is_asked[source]",
    ),
    Mutation(
        "P7",
        "the one basis: where consent says no, a law of the same agency is tried",
        "gateway/pipeline.py",
        """\
            self.journal.refuse(docket, refusal, docket.caller.epoch)
            raise
""",
        """\
            from dataclasses import replace

            own = self.control.at(docket.caller.epoch).agreements.values()
            agency = docket.caller.agency
            laws = [one.id for one in own if (one.agency, one.basis) == (agency, "statutory")]
            if not laws or docket.ask.agreement in laws:
                self.journal.refuse(docket, refusal, docket.caller.epoch)
                raise
            docket.ask = replace(docket.ask, agreement=laws[0])
            return self._decided(docket)
""",
        P7 + "a_refused_consent_is_not_answered_by_a_law",
    ),
    Mutation(
        "P7",
        "strictness: what a caller says about the basis is overheard",
        "gateway/ask.py",
        'extra="forbid"',
        'extra="ignore"',
        P7 + "a_caller_cannot_say_one[basis]",
    ),
    Mutation(
        "P8",
        "the person in early refusals: who is asked about is noted once the fields are in order",
        "gateway/pipeline.py",
        """\
        docket.agreement = agreement_for(in_force, docket.caller.agency, ask, now)  # (2)
        docket.service = service_for(in_force, docket.agreement, ask)
""",
        """\
        person, docket.person = docket.person, None
        docket.agreement = agreement_for(in_force, docket.caller.agency, ask, now)  # (2)
        docket.service = service_for(in_force, docket.agreement, ask)
        docket.person = person
""",
        P8 + "who_asked_for_what_and_why_not",
    ),
    Mutation(
        "P8",
        "the others: a release concerns the person asked for alone",
        "gateway/journal.py",
        "            (warrant.person, *named),\n",
        "            (warrant.person,),\n",
        P8 + "also_what_was_told_of_you_when_somebody_else_was_asked_about",
    ),
    Mutation(
        "P8",
        "the person in late refusals: what failed at the source is nobody's business",
        "gateway/journal.py",
        """\
        (docket.person,) if docket.person else (),
    )
""",
        """\
        (),
    )
""",
        P8 + "also_what_failed_at_the_source",
    ),
)
