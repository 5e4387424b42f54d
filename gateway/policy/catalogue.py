"""Catalogue: the agencies, services, laws and agreements that are registered, and nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.model import Agency, Agreement, Authority, Service, Text
from gateway.policy.catalogue_check import CheckRead, check_entries
from gateway.policy.catalogue_parse import parse_entries
from gateway.policy.catalogue_schema import SchemeEntry
from gateway.policy.fault import PolicyError
from kernel.clock import Micros
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, AgreementId, ServiceId, Subject

_DOUBLED = str.maketrans("0123456789", "0246813579")
"""Each digit's double, the digits of that added up."""


class CatalogueError(PolicyError):
    """The catalogue is not loaded; `faults` says where and why, line by line."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The one way in which this deployment names people: a prefix, digits, a Luhn check digit."""

    id: str
    title: Text
    prefix: str
    digits: int

    def subject(self, scheme: str, value: str) -> Subject:
        """Return the person so named, or raise `Refusal` with `subject.malformed`, which never
        repeats the value."""
        if scheme != self.id:
            raise Refusal(Reason.SUBJECT_MALFORMED, f"People are named by `{self.id}` here.")
        matched = _shape(self.prefix, self.digits).fullmatch(value)
        if matched is None:
            raise Refusal(
                Reason.SUBJECT_MALFORMED,
                f"A `{self.id}` is {self.prefix} and {self.digits} digits.",
            )
        if not luhn(matched[1]):
            raise Refusal(Reason.SUBJECT_MALFORMED, f"The check digit of the `{self.id}` is wrong.")
        return Subject(scheme, value)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is registered, by name."""

    scheme: Scheme
    agencies: Mapping[AgencyId, Agency]
    services: Mapping[ServiceId, Service]
    authorities: Mapping[str, Authority]
    agreements: Mapping[AgreementId, Agreement]

    @classmethod
    def load(
        cls,
        files: Mapping[str, str],
        at: Micros | None = None,
        check_read: CheckRead | None = None,
    ) -> "Catalogue":
        """Return the catalogue that the files of a bundle state, or raise `CatalogueError`; with
        `at`, also when an impact assessment has expired by then."""
        entries = parse_entries(files)
        if faults := list(check_entries(entries, at, check_read)):
            raise CatalogueError(faults)
        agencies = [written.entry.noun() for written in entries.agencies]
        services = [written.entry.noun() for written in entries.services]
        authorities = [written.entry.noun() for written in entries.authorities]
        agreements = [written.entry.noun() for written in entries.agreements]
        return cls(
            scheme=_scheme(entries.schemes[0].entry),
            agencies={agency.id: agency for agency in agencies},
            services={service.id: service for service in services},
            authorities={authority.id: authority for authority in authorities},
            agreements={agreement.id: agreement for agreement in agreements},
        )

    def parse_subject(self, scheme: str, value: str) -> Subject:
        """Return the person so named, or raise `Refusal` with `subject.malformed`."""
        return self.scheme.subject(scheme, value)

    def authority_of(self, agreement: Agreement) -> Authority | None:
        """Return the law on which an agreement rests, None where it rests on consent."""
        return None if agreement.authority is None else self.authorities[agreement.authority]


@lru_cache(maxsize=16)
def _shape(prefix: str, digits: int) -> re.Pattern[str]:
    return re.compile(f"{re.escape(prefix)}([0-9]{{{digits}}})")


def luhn(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit of those before it (ISO/IEC 7812-1)."""
    plain, doubled = digits[-1::-2], digits[-2::-2].translate(_DOUBLED)
    return sum(map(int, plain + doubled)) % 10 == 0


def _scheme(entry: SchemeEntry) -> Scheme:
    return Scheme(entry.scheme, entry.title, entry.prefix, entry.digits)
