"""Checking the catalogue: do its entries fit each other, the adapters, the laws and the day?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from gateway.policy.catalogue_agreement import AgreementEntry
from gateway.policy.catalogue_concerns import check_concerns
from gateway.policy.catalogue_members import instant
from gateway.policy.catalogue_parse import Entries, Written
from gateway.policy.catalogue_schema import (
    AgencyEntry,
    AuthorityEntry,
    SchemeEntry,
    ServiceEntry,
)
from gateway.policy.fault import Fault
from kernel.clock import Micros

CheckRead = Callable[[str, Mapping[str, Any], Sequence[str]], None]
"""Checks the `read` block of a service of this adapter for these pointers, or raises
`ValueError` with one plain sentence."""
_E = TypeVar("_E", SchemeEntry, AgencyEntry, ServiceEntry, AuthorityEntry, AgreementEntry)


def check_entries(
    entries: Entries, at: Micros | None, check_read: CheckRead | None
) -> Iterator[Fault]:
    """Yield what is wrong in the entries or, once each can be read, between them; `at` is the day
    on which no impact assessment may have expired, None where that is left to the policies."""
    if entries.faults:
        yield from entries.faults
        return
    if not entries.schemes:
        yield Fault("catalogue/scheme.yaml", 1, "the file is missing")
    yield from _twice(entries.agencies, lambda entry: entry.id)
    yield from _twice(entries.services, lambda entry: entry.service)
    yield from _twice(entries.authorities, lambda entry: entry.authority)
    yield from _twice(entries.agreements, lambda entry: entry.agreement)
    agencies = {written.entry.id for written in entries.agencies}
    services = {written.entry.service: written.entry for written in entries.services}
    laws = {written.entry.authority: written.entry for written in entries.authorities}
    for service in entries.services:
        yield from _service(service, agencies, check_read)
        yield from check_concerns(service)
    for authority in entries.authorities:
        yield from _authority(authority, agencies, services)
    for agreement in entries.agreements:
        yield from _agreement(agreement, agencies, at)
        yield from _agreed(agreement, services)
        yield from _lawful(agreement, services, laws)


def _twice(writtens: Iterable[Written[_E]], name: Callable[[_E], str]) -> Iterator[Fault]:
    first: dict[str, Written[_E]] = {}
    for written in writtens:
        held = first.setdefault(name(written.entry), written)
        if held is not written:
            where = held.document.fault(held.at, "")
            yield written.fault(
                f"`{name(written.entry)}` is already registered in {where.file}:{where.line}"
            )


def _service(
    written: Written[ServiceEntry], agencies: set[str], check_read: CheckRead | None
) -> Iterator[Fault]:
    entry = written.entry
    if entry.provider not in agencies:
        yield written.fault(f"there is no agency `{entry.provider}`", "service")
    for pointer in entry.fields:
        inside = [other for other in entry.fields if other.startswith(f"{pointer}/")]
        if inside:
            yield written.fault(
                f"`{pointer}` contains `{inside[0]}`: a field is one fact", "fields", pointer
            )
    if check_read is not None:
        try:
            named = entry.concerns.values()
            check_read(entry.adapter, entry.read, [*entry.fields, *named, entry.subject_at])
        except ValueError as error:
            yield written.fault(f"`read`: {error}", "read")


def _authority(
    written: Written[AuthorityEntry], agencies: set[str], services: Mapping[str, ServiceEntry]
) -> Iterator[Fault]:
    entry = written.entry
    known = {field.category for service in services.values() for field in service.fields.values()}
    for place, body in enumerate(entry.bodies):
        if body not in agencies:
            yield written.fault(f"there is no agency `{body}`", "bodies", place)
    for place, category in enumerate(entry.categories):
        if category not in known:
            yield written.fault(
                f"no service has a field of the category `{category}`", "categories", place
            )
    if entry.valid_from >= entry.valid_until:
        yield written.fault("`valid_until` must be after `valid_from`", "valid_until")


def _agreement(
    written: Written[AgreementEntry], agencies: set[str], at: Micros | None
) -> Iterator[Fault]:
    entry = written.entry
    if entry.agency not in agencies:
        yield written.fault(f"there is no agency `{entry.agency}`", "agency")
    if entry.valid_from >= entry.valid_until:
        yield written.fault("`valid_until` must be after `valid_from`", "valid_until")
    if entry.basis == "consent" and entry.asking is None:
        yield written.fault("`asking` is missing: how often may people be asked?")
    if entry.basis == "statutory" and entry.asking is not None:
        yield written.fault("an agreement that rests on law asks nobody", "asking")
    if at is not None and instant(entry.impact_assessment_until) <= at:
        yield written.fault(
            f"the impact assessment expired on {entry.impact_assessment_until}",
            "impact_assessment_until",
        )


def _agreed(
    written: Written[AgreementEntry], services: Mapping[str, ServiceEntry]
) -> Iterator[Fault]:
    for name, fields in written.entry.services.items():
        service = services.get(name)
        if service is None:
            yield written.fault(f"there is no service `{name}`", "services", name)
            continue
        if not fields:
            yield written.fault(f"no field of `{name}` is agreed", "services", name)
        for pointer in fields:
            if pointer not in service.fields:
                yield written.fault(
                    f"the service `{name}` has no field `{pointer}`", "services", name, pointer
                )


def _lawful(
    written: Written[AgreementEntry],
    services: Mapping[str, ServiceEntry],
    laws: Mapping[str, AuthorityEntry],
) -> Iterator[Fault]:
    """Yield where a statutory agreement reaches beyond its law; one on consent names no law."""
    entry = written.entry
    if entry.basis == "consent":
        if entry.authority is not None:
            yield written.fault(
                "an agreement that rests on consent names no authority: it has one basis",
                "authority",
            )
        return
    law = laws.get(entry.authority or "")
    if law is None:
        yield written.fault(f"there is no authority `{entry.authority or ''}`", "authority")
        return
    name = law.authority
    if entry.agency not in law.bodies:
        yield written.fault(f"`{name}` does not name the body `{entry.agency}`", "agency")
    if entry.purpose not in law.purposes:
        yield written.fault(f"`{name}` does not name the purpose `{entry.purpose}`", "purpose")
    if entry.valid_from < law.valid_from:
        yield written.fault(f"`{name}` is in force from {law.valid_from}", "valid_from")
    if entry.valid_until > law.valid_until:
        yield written.fault(f"`{name}` is in force until {law.valid_until}", "valid_until")
    for service, pointer in ((s, p) for s, fields in entry.services.items() for p in fields):
        field = services[service].fields.get(pointer) if service in services else None
        if field is not None and field.category not in law.categories:
            yield written.fault(
                f"`{name}` does not name the category `{field.category}` of `{pointer}`",
                "services",
                service,
                pointer,
            )
