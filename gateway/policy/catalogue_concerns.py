"""Checking facts about others: does a service say where its source names whom they are about?"""

from collections.abc import Iterator

from gateway.policy.catalogue_parse import Written
from gateway.policy.catalogue_schema import ServiceEntry
from gateway.policy.fault import Fault


def check_concerns(written: Written[ServiceEntry]) -> Iterator[Fault]:
    """Yield where a service has facts about others and does not say who they are, or why its
    source cannot name them, and where it names people about whom it has no fact."""
    entry = written.entry
    told = {field.about for field in entry.fields.values()} - {"subject"}
    for member, people in (("concerns", entry.concerns), ("unnamed", entry.unnamed)):
        for person in people:
            if person not in told:
                yield written.fault(f"no field is about `{person}`", member, person)
    for person in entry.unnamed:
        if person in entry.concerns:
            yield written.fault(
                f"`{person}` stands in `concerns`: the source names them", "unnamed", person
            )
    for pointer, field in entry.fields.items():
        if field.about == "subject" or field.about in entry.unnamed:
            continue
        names = entry.concerns.get(field.about)
        if names is None:
            yield written.fault(
                f"`{pointer}` is about `{field.about}`: say in `concerns` where the source names "
                "them, or in `unnamed` why it cannot",
                "fields",
                pointer,
            )
        elif not pointer.startswith(items(names)):
            yield written.fault(
                f"`{pointer}` is not in the list `{items(names)}` whose people `concerns` names",
                "fields",
                pointer,
            )


def items(pointer: str) -> str:
    """Return what of a pointer leads to one item of its innermost list; empty without a list."""
    head, star, _ = pointer.rpartition("/*/")
    return f"{head}/*" if star else ""
