"""A gateway's figures as Prometheus reads them."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.agency import Agency


def text(agency: Agency) -> str:
    """Return what `/metrics` says now."""
    answer = agency.request("GET", "/metrics")
    assert answer.status == 200
    return answer.body.decode()


def samples(told: str) -> list[Sample]:
    """Return every sample of a text."""
    return [one for family in text_string_to_metric_families(told) for one in family.samples]


def value(told: str, name: str, **labels: str) -> float:
    """Return the sum of a figure over all samples that have these labels."""
    return sum(
        one.value
        for one in samples(told)
        if one.name == name and labels.items() <= one.labels.items()
    )


def rise(agency: Agency, work: Callable[[], object]) -> Callable[..., float]:
    """Return by how much figures rose while something was done."""
    before = text(agency)
    work()
    after = text(agency)
    return lambda name, **labels: value(after, name, **labels) - value(before, name, **labels)
