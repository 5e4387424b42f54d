"""Metrics: each stage, entry, decision and question is counted once, about nobody."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.demo.country import ROOT
from gateway.http.routes import ROUTES
from gateway.load.circuit import State
from gateway.observing.gauges import PARTS
from gateway.steps import Step
from kernel.entry import EntryType
from kernel.errors import Reason
from tests.country import AGREEMENT, INCOME
from tests.figures import rise, samples, text
from tests.flow.office import YEAR, told
from tests.flow.watched import WatchedCountry, watched_country

OBSERVABILITY = ROOT / "deploy" / "observability"
NAME = re.compile(r"\bcauseway_[a-z_]+\b")
CASE, CLERK = "FA-2026-7719-QJXW", "clerk-zvbhtrq-4471"
OUTCOMES = {"answered", "not_asked", "internal", "allow", "deny", "unavailable", "other_revision"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country where one exchange was released, one refused, and one failed at its source."""
    with watched_country(tmp_path_factory.mktemp("measured") / "demo") as country:
        agency = country.agency()
        one, other = country.consented(), country.resident()
        assert agency.exchange(one.number, INCOME, [YEAR], case=CASE, user=CLERK).status == 200
        assert agency.exchange(other.number, INCOME, [YEAR], case=CASE, user=CLERK).status == 403
        country.office.tells(one.number, lambda _: told({"taxpayer": other.number}))
        assert agency.exchange(one.number, INCOME, [YEAR], case=CASE, user=CLERK).status == 502
        yield country


def test_each_of_the_ten_stages_of_a_released_exchange_is_counted_once(measured: WatchedCountry):
    agency, number = measured.agency(), measured.consented().number
    rose = rise(agency, lambda: agency.exchange(number, INCOME, [YEAR]))
    counted = {step: rose("causeway_stage_seconds_count", stage=step.value) for step in Step}
    assert counted == {step: float(step is not Step.REFUSE) for step in Step}
    assert rose("causeway_source_seconds_count", source="tax", outcome="answered") == 1
    assert rose("causeway_engine_decisions_total") == 1
    assert rose("causeway_ledger_entries_total", type="exchange.decision") == 1
    assert rose("causeway_ledger_entries_total", type="exchange.release") == 1
    assert rose("causeway_exchanges_total", agreement=AGREEMENT, result="released") == 1
    assert rose("causeway_ledger_batch_entries_sum") == 2
    assert rose("causeway_answers_total", route="/v1/exchanges", status="200") == 1
    assert rose("causeway_turn_wait_seconds_count") >= 1


def test_a_refusal_counts_the_stages_that_it_came_to_and_where_it_was_written_down(
    measured: WatchedCountry,
):
    agency, number = measured.agency(), measured.resident().number
    rose = rise(agency, lambda: agency.exchange(number, INCOME, [YEAR]))
    counted = {step for step in Step if rose("causeway_stage_seconds_count", stage=step.value)}
    reached = {Step.AUTHENTICATE, Step.RESOLVE, Step.CONSENT, Step.DECIDE, Step.REFUSE}
    assert counted == reached
    assert rose("causeway_exchanges_total", agreement=AGREEMENT, result="refused") == 1
    assert rose("causeway_answers_total", reason="subject.not_released") == 1


def test_every_label_is_from_a_closed_set_and_none_tells_of_anybody(measured: WatchedCountry):
    agency = measured.agency()
    person = measured.resident()
    for path in (
        f"/v1/exchanges/{person.number}",
        f"/{quote(person.family)}",
        "/v1/agreements/made-up",
    ):
        agency.get(path)
    agency.request("MADEUP", "/livez")
    closed = {
        "route": {"-", *(route.rule for route in ROUTES)},
        "reason": {"-", *Reason},
        "status": {str(status) for status in range(200, 600)},
        "stage": {*Step},
        "type": {*EntryType},
        "agreement": {path.stem for path in (ROOT / "policies/catalogue/agreements").iterdir()},
        "result": {"released", "refused"},
        "source": {"tax", "population", "education"},
        "state": {*State},
        "outcome": OUTCOMES | {*Reason} | {"exported", "dropped", "failed"},
        "engine": {"embedded", "opa"},
        "how": {"remembered", "evaluated"},
        "event": {"begun", "ended", "ended_by_provider"},
        "pool": {"turns", "fibres"},
        "part": {*PARTS},
        "pid": {"1"},
    }
    shown = text(agency)
    for one in samples(shown):
        for label, held in one.labels.items():
            assert label == "le" or held in closed[label], f"{one.name}: {label}={held}"
    for private in (person.number, person.family, person.given, CASE, CLERK, "made", "MADE"):
        assert private not in shown


def test_prometheus_has_nothing_to_say_against_the_figures(measured: WatchedCountry):
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text(measured.agency()),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize("path", ["grafana-dashboard.json", "alerts.yml"])
def test_every_figure_that_dashboard_and_alerts_name_is_there(measured: WatchedCountry, path: str):
    named = {*NAME.findall((OBSERVABILITY / path).read_text(encoding="utf-8"))}
    assert named
    assert named <= {one.name for one in samples(text(measured.agency()))}


def test_the_page_about_figures_names_each_with_its_labels_and_no_other(
    measured: WatchedCountry,
):
    shown: dict[str, set[str]] = {}
    for one in samples(text(measured.agency())):
        name = re.sub(r"_(bucket|sum|count)$", "", one.name)
        shown.setdefault(name, set()).update(one.labels.keys() - {"le"})
    assert documented(ROOT / "docs/observability.md") == shown


def documented(page: Path) -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(causeway_\w+)` \|([^|]*)\|", page.read_text("utf-8"), re.MULTILINE)
    return {name: {*re.findall(r"`(\w+)`", labels)} for name, labels in rows}


def test_the_dashboard_can_be_imported():
    dashboard = json.loads((OBSERVABILITY / "grafana-dashboard.json").read_text(encoding="utf-8"))
    assert dashboard["uid"] == "causeway-gateway"
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len({*identifiers}) == len(identifiers)
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == [
        "Traffic", "Refusals by reason", "Latency per stage", "Ledger", "Engine", "Sources", "Hosts"
    ]  # fmt: skip
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len(identifiers)
