"""Parsing the catalogue: from files to entries, with every fault told in a plain sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.policy.catalogue_agreement import AgreementEntry
from gateway.policy.catalogue_schema import (
    AgenciesEntry,
    AgencyEntry,
    AuthorityEntry,
    SchemeEntry,
    ServiceEntry,
)
from gateway.policy.catalogue_yaml import BadYaml, Document, Place, read_yaml
from gateway.policy.fault import Fault

E_co = TypeVar("E_co", bound=BaseModel, covariant=True)
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a member that belongs here",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must have members of its own",
    "model_type": "must have members of its own",
    "too_short": "must not be empty",
}


@dataclass(frozen=True, slots=True)
class Written(Generic[E_co]):
    """An entry, and where it is written."""

    entry: E_co
    document: Document
    at: Place = ()

    def fault(self, sentence: str, *place: str | int) -> Fault:
        """Return a fault about the entry, at a place inside it."""
        return self.document.fault((*self.at, *place), sentence)


@dataclass(slots=True)
class Entries:
    """Everything that the catalogue's files say, entry by entry, and what is wrong with them."""

    schemes: list[Written[SchemeEntry]] = field(default_factory=list)
    agencies: list[Written[AgencyEntry]] = field(default_factory=list)
    services: list[Written[ServiceEntry]] = field(default_factory=list)
    authorities: list[Written[AuthorityEntry]] = field(default_factory=list)
    agreements: list[Written[AgreementEntry]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def parse_entries(files: Mapping[str, str]) -> Entries:
    """Return the entries of the files below `catalogue/`, in the order of their paths."""
    entries = Entries()
    for path in sorted(files):
        if not path.startswith("catalogue/"):
            continue
        try:
            _take(entries, read_yaml(path, files[path]))
        except BadYaml as error:
            entries.faults.append(Fault(path, error.line, error.sentence))
        except ValidationError as error:
            entries.faults += faults_of(read_yaml(path, files[path]), error)
    return entries


def _take(entries: Entries, document: Document) -> None:
    path, value = document.file, document.value
    if path == "catalogue/scheme.yaml":
        entries.schemes.append(Written(SchemeEntry.model_validate(value), document))
    elif path == "catalogue/agencies.yaml":
        listed = AgenciesEntry.model_validate(value).agencies
        entries.agencies += [
            Written(agency, document, ("agencies", place)) for place, agency in enumerate(listed)
        ]
    elif fnmatchcase(path, "catalogue/services/*.yaml"):
        entries.services.append(Written(ServiceEntry.model_validate(value), document))
    elif fnmatchcase(path, "catalogue/authorities/*.yaml"):
        entries.authorities.append(Written(AuthorityEntry.model_validate(value), document))
    elif fnmatchcase(path, "catalogue/agreements/*.yaml"):
        entries.agreements.append(Written(AgreementEntry.model_validate(value), document))
    else:
        sentence = (
            "the catalogue has scheme.yaml, agencies.yaml and the folders services, authorities "
            "and agreements; this file is none of them"
        )
        entries.faults.append(Fault(path, 1, sentence))


def faults_of(document: Document, error: ValidationError) -> list[Fault]:
    """Return the faults of a document's value, each on its line and in plain words."""
    return [_told(document, detail) for detail in error.errors()]


def _told(document: Document, detail: ErrorDetails) -> Fault:
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    name = ".".join(map(str, place)) or "the file"
    return document.fault(place, f"`{name}` {_words(detail)}")


def _words(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"must be {context['expected']}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case kind:
            return _WORDS.get(kind, "is not what it should be")
