"""Policy cases: a request in plain words, and the decision that is expected of every engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic import Field as Member

from gateway.model import Agreement, Ask, Basis, Decision, Obligation, Service
from gateway.policy.catalogue import Catalogue
from gateway.policy.catalogue_members import instant
from gateway.policy.catalogue_parse import faults_of
from gateway.policy.catalogue_yaml import BadYaml, Document, Place, read_yaml
from gateway.policy.decision import canonical_decision
from gateway.policy.fault import Fault, PolicyError
from gateway.policy.pdp import Facts, question
from gateway.ports import Engine
from kernel.canonical import canonical, parse
from kernel.errors import Refusal
from kernel.names import AgencyId, AgreementId, ConsentId, Pointer, Revision, ServiceId, Subject

MAX_INPUT = 64 * 1024


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class _Request(_Strict):
    agreement: str
    service: str
    fields: list[str]
    case: bool = True
    user: bool = True
    requester: str | None = None
    at: str = "2026-11-22"


class _Consent(_Strict):
    state: str
    fields: list[str] | Literal["all"] = []


class _Expected(_Strict):
    travel: list[str] = []
    answers: list[str] = []
    refused: list[str] = []


class _Case(_Strict):
    case: str
    request: _Request
    consent: _Consent = _Consent(state="absent")
    blocks: list[str] = []
    but: dict[str, Any] = {}
    expect: _Expected


class _Cases(_Strict):
    cases: Annotated[list[_Case], Member(min_length=1)]


@dataclass(frozen=True, slots=True)
class Found:
    """What a case says was found about consent."""

    state: str
    consent: ConsentId | None
    granted: frozenset[tuple[ServiceId, Pointer]]


@dataclass(frozen=True, slots=True)
class Case:
    """One case: where it stands, what it is called, the input and the expected decision."""

    file: str
    line: int
    name: str
    input: bytes
    expected: Decision

    def run(self, engine: Engine, name: str, revision: Revision) -> list[Fault]:
        """Return nothing when the engine decides as expected, else a fault that says how not."""
        try:
            decided = canonical_decision(engine.decide(self.input, revision))
        except Refusal as refusal:
            decided = refusal.reason.value.encode()
        expected = canonical_decision(self.expected)
        if decided == expected:
            return []
        sentence = f"{name}: {self.name}: expected {expected.decode()}, got {decided.decode()}"
        return [Fault(self.file, self.line, sentence)]


def read_cases(files: Mapping[str, str], catalogue: Catalogue) -> list[Case]:
    """Return the cases in these files by path, stated on the catalogue, or raise `PolicyError`."""
    cases: list[Case] = []
    faults: list[Fault] = []
    for path, text in sorted(files.items()):
        try:
            document = read_yaml(path, text)
            listed = _Cases.model_validate(document.value).cases
            cases += [
                _stated(written, document, ("cases", place), catalogue)
                for place, written in enumerate(listed)
            ]
        except BadYaml as error:
            faults.append(Fault(path, error.line, error.sentence))
        except ValidationError as error:
            faults += faults_of(read_yaml(path, text), error)
        except PolicyError as error:
            faults += error.faults
    if faults:
        raise PolicyError(faults)
    return cases


def _stated(written: _Case, document: Document, place: Place, catalogue: Catalogue) -> Case:
    request = written.request
    agreement = catalogue.agreements.get(AgreementId(request.agreement))
    service = catalogue.services.get(ServiceId(request.service))
    if agreement is None or service is None:
        sentence = f"the catalogue has no `{request.agreement}` or no `{request.service}`"
        raise PolicyError([document.fault((*place, "request"), sentence)])
    line = document.line(place)
    agreed = agreement.services.get(service.id, {})
    expect = written.expect
    questions = {p for p in expect.travel if (how := agreed.get(Pointer(p))) and how.transform}
    if set(expect.answers) != questions:
        sentence = "`answers` must name each fact in `travel` that is agreed as an answer, no other"
        raise PolicyError([document.fault((*place, "expect"), sentence)])
    facts = _facts(written, agreement, service, catalogue)
    told = _changed(question(facts).input, written)
    return Case(document.file, line, written.case, told, _expected(written))


def _facts(written: _Case, agreement: Agreement, service: Service, catalogue: Catalogue) -> Facts:
    request = written.request
    granted = written.consent.fields
    agreed = agreement.services.get(service.id, {})
    by_consent = agreement.basis is Basis.CONSENT
    return Facts(
        requester=AgencyId(request.requester or agreement.agency),
        agreement=agreement,
        service=service,
        ask=Ask(
            agreement.id,
            service.id,
            Subject("nobody", ""),
            tuple(map(Pointer, request.fields)),
            "a case" if request.case else None,
            "a user" if request.user else None,
        ),
        finding=Found(
            state=written.consent.state if by_consent else "not_applicable",
            consent=None,
            granted=frozenset(
                (service.id, Pointer(p)) for p in (agreed if granted == "all" else granted)
            ),
        ),
        blocks=frozenset(written.blocks),
        authority=catalogue.authority_of(agreement),
        at=instant(request.at),
    )


def _changed(told: bytes, written: _Case) -> bytes:
    """Return the input with the members that a case states otherwise (`but`), by dotted name."""
    value: Any = parse(told, max_bytes=MAX_INPUT)
    for name, otherwise in written.but.items():
        *way, last = name.split(".")
        inner = value
        for member in way:
            inner = inner[member]
        inner[last] = otherwise
    return canonical(value)


def _expected(written: _Case) -> Decision:
    expect = written.expect
    travel = tuple(Pointer(field) for field in sorted(expect.travel))
    duties = ("record", "seal", "transform") if expect.answers else ("record", "seal")
    return Decision(
        allow=bool(travel),
        reasons=tuple(sorted(expect.refused)),
        fields=travel,
        obligations=tuple(map(Obligation, duties)) if travel else (),
    )
