"""PDP: states the facts of a request, has the policies decide on them, and grants no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.model import (
    Agreed,
    Agreement,
    Ask,
    Authority,
    Basis,
    Decision,
    Obligation,
    Permit,
    Service,
    Transform,
)
from gateway.policy.decision import unavailable
from gateway.ports import Engine
from kernel.canonical import Json, canonical
from kernel.clock import SECOND, Micros
from kernel.errors import Exact, Reason, Refusal, about_the_person
from kernel.names import AgencyId, ConsentId, Pointer, Revision, ServiceId

MINUTE = 60
PERMITTING = frozenset({"given", "renewed"})
OBLIGATIONS = frozenset({"record", "seal", "transform"})
"""What the pipeline does: the first two with every answer, the last with each field of which the
agreement lets an answer travel only. Any other obligation is refused."""

_PUBLIC: Mapping[Reason, str] = {
    Reason.CASE_REQUIRED: "This agreement wants the case named; add the member `case`.",
    Reason.USER_REQUIRED: "This agreement wants the user named; add the member `user`.",
    Reason.AGREEMENT_NOT_IN_FORCE: (
        "The agreement is not in force: it has not begun, has ended, or its impact assessment "
        "or its law has run out. Only its parties can renew it."
    ),
    Reason.SERVICE_NOT_AGREED: "The agreement does not cover this service; see /v1/agreements.",
    Reason.FIELD_NOT_AGREED: (
        "The agreement does not cover every field asked for; see /v1/agreements for what it does."
    ),
    Reason.POLICY_DENIED: "The policies of this gateway do not allow this request.",
}
PRECEDENCE: tuple[Reason | Exact, ...] = (
    Reason.AGREEMENT_NOT_IN_FORCE,
    Reason.CASE_REQUIRED,
    Reason.USER_REQUIRED,
    Reason.SERVICE_NOT_AGREED,
    Reason.FIELD_NOT_AGREED,
    Exact.SUBJECT_BLOCKED,
    Exact.CONSENT_REFUSED,
    Exact.CONSENT_WITHDRAWN,
    Exact.CONSENT_SUSPENDED,
    Exact.CONSENT_EXPIRED,
    Exact.CONSENT_EXHAUSTED,
    Exact.CONSENT_ABSENT,
    Exact.CONSENT_FIELD,
    Reason.POLICY_DENIED,
)
"""Every reason that the policies may give; the first of those given is the answer."""


class Finding(Protocol):
    """What was found about a person's consent; none is a finding too."""

    @property
    def state(self) -> str:
        """Return one of the states in `policies/schemas/input.json`."""
        ...

    @property
    def consent(self) -> ConsentId | None:
        """Return the consent record that was found, if any."""
        ...

    @property
    def granted(self) -> frozenset[tuple[ServiceId, Pointer]]:
        """Return the facts that the person lets go."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """All that a decision rests on; `authority` is the law of a statutory agreement."""

    requester: AgencyId
    agreement: Agreement
    service: Service
    ask: Ask
    finding: Finding
    blocks: frozenset[str]
    authority: Authority | None
    at: Micros

    @property
    def agreed(self) -> Mapping[Pointer, Agreed]:
        """Return the agreed fields of the asked service, each with how it is agreed."""
        return self.agreement.services.get(self.service.id, {})

    def granted(self) -> frozenset[Pointer]:
        """Return the asked fields that the agreement's one basis grants, and no other basis."""
        if self.agreement.basis is Basis.CONSENT:
            if self.finding.state not in PERMITTING:
                return frozenset()
            pairs = self.finding.granted
            return frozenset(p for p in self.ask.fields if (self.service.id, p) in pairs)
        named = frozenset[str]() if self.authority is None else self.authority.categories
        fields = self.service.fields
        return frozenset(p for p in self.ask.fields if p in fields and fields[p].category in named)


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """The facts, and the canonical policy input that states them."""

    facts: Facts
    granted: frozenset[Pointer]
    input: bytes


def question(facts: Facts) -> Question:
    """Return the facts put as the question that engines decide on and the ledger keeps."""
    granted = facts.granted()
    return Question(facts, granted, canonical(_input(facts, granted)))


@dataclass(frozen=True, slots=True)
class DecisionPoint:
    """The policy decision point (NIST SP 800-162): one engine under one policy revision."""

    engine: Engine
    revision: Revision

    def decide(self, question: Question) -> Permit:
        """Return the permit, never wider than asked, agreed and granted, or raise `Refusal` with
        the first reason in `PRECEDENCE`, or with `policy.unavailable`."""
        decision = self.engine.decide(question.input, self.revision)
        if not decision.allow:
            raise _refusal(decision.reasons)
        if decision.reasons or any(o.type not in OBLIGATIONS for o in decision.obligations):
            raise unavailable()
        facts = question.facts
        fields = _released(question, decision)
        transforms = _transforms(facts, fields)
        if transforms and Obligation("transform") not in decision.obligations:
            raise unavailable()
        return Permit(
            fields=fields,
            withheld=tuple(field for field in facts.ask.fields if field not in fields),
            consent=facts.finding.consent if facts.agreement.basis is Basis.CONSENT else None,
            policy=self.revision,
            input=question.input,
            transforms=transforms,
        )


def _transforms(facts: Facts, fields: frozenset[Pointer]) -> Mapping[Pointer, Transform]:
    """Return which of the released fields travel as an answer only, as agreed."""
    agreed = facts.agreed
    return {
        field: transform for field in fields if (transform := agreed[field].transform) is not None
    }


def _released(question: Question, decision: Decision) -> frozenset[Pointer]:
    facts = question.facts
    asked, agreed = frozenset(facts.ask.fields), facts.agreed
    released = asked.intersection(agreed) & question.granted & frozenset(decision.fields)
    required = {field for field in asked if field not in agreed or not agreed[field].optional}
    if not released or not required <= released:
        raise _refusal(
            (Exact.CONSENT_FIELD,)
            if facts.agreement.basis is Basis.CONSENT
            else (Reason.POLICY_DENIED,)
        )
    return released


def _refusal(reasons: tuple[str, ...]) -> Refusal:
    if not reasons or not set(reasons) <= set(PRECEDENCE):
        return unavailable()
    first = next(reason for reason in PRECEDENCE if reason in reasons)
    if isinstance(first, Exact):
        return about_the_person(first)
    return Refusal(first, _PUBLIC[first])


def _input(facts: Facts, granted: frozenset[Pointer]) -> Mapping[str, Json]:
    """Return the input of `policies/schemas/input.json`; it names no person, case or clerk."""
    agreement, agreed = facts.agreement, facts.agreed
    by_consent = agreement.basis is Basis.CONSENT
    return {
        "at": facts.at // SECOND // MINUTE * MINUTE,
        "requester": {"agency": facts.requester},
        "agreement": {
            "id": agreement.id,
            "agency": agreement.agency,
            "basis": agreement.basis.value,
            "purpose": agreement.purpose,
            "valid_from": agreement.valid_from // SECOND,
            "valid_until": agreement.valid_until // SECOND,
            "impact_assessment_until": agreement.impact_assessment_until // SECOND,
            "case_required": agreement.case_required,
            "user_required": agreement.user_required,
            "required": {field: True for field, how in agreed.items() if not how.optional},
            "optional": {field: True for field, how in agreed.items() if how.optional},
            "transforms": {
                field: how.transform.kind.value
                for field, how in agreed.items()
                if how.transform is not None
            },
        },
        "service": {"id": facts.service.id, "provider": facts.service.provider},
        "request": {
            "fields": dict.fromkeys(facts.ask.fields, True),
            "case": facts.ask.case is not None,
            "user": facts.ask.user is not None,
        },
        "consent": {
            "state": facts.finding.state if by_consent else "not_applicable",
            "fields": dict.fromkeys(granted, True) if by_consent else {},
        },
        "blocks": dict.fromkeys(facts.blocks, True),
        "authority": None if by_consent else _law(facts.authority, granted),
    }


def _law(authority: Authority | None, granted: frozenset[Pointer]) -> Json:
    if authority is None:
        return None
    return {
        "id": authority.id,
        "valid_from": authority.valid_from // SECOND,
        "valid_until": authority.valid_until // SECOND,
        "bodies": {str(body): True for body in authority.bodies},
        "purposes": dict.fromkeys(authority.purposes, True),
        "fields": {str(field): True for field in granted},
    }
