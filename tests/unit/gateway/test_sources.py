"""Sources: the adapter of a warrant's service, built once and again when the service changes."""

from dataclasses import replace

import pytest

from adapters.model import SourceAddress
from gateway.load.gates import Gates
from gateway.sources import Sources
from kernel.errors import Reason, Refusal
from kernel.waits import OwnThread
from tests.unit.gateway import parts

CSV = {
    "format": "csv",
    "file": "people.csv",
    "key": "number",
    "columns": {"/number": "number", "/name/family": "family"},
}
SERVICE = replace(parts.SERVICE, adapter="files", read=CSV)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "people.csv").write_text(
        f"number,family,nickname\n{parts.NUMBER},Haddad,Mina\n", encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def sources(folder):
    address = SourceAddress("population", folder.as_uri(), timeout=2.0)
    clock = parts.Set()
    return Sources({"population": address}, clock, Gates({"population"}, 8, clock), OwnThread())


def ask(sources, service=SERVICE):
    return sources(parts.warrant(parts.FAMILY, service=service))


def test_the_source_of_the_warrants_service_answers(sources):
    record = ask(sources)
    assert record["number"] == parts.NUMBER
    assert record["name"] == {"family": "Haddad"}


def test_a_source_without_an_address_is_not_available(sources):
    with pytest.raises(Refusal) as refusal:
        ask(sources, replace(SERVICE, source="tax"))
    assert refusal.value.reason is Reason.SOURCE_UNAVAILABLE
    assert refusal.value.detail == "Source tax is not set up."


def test_a_source_is_built_once_and_kept(sources):
    ask(sources)
    (built,) = sources._built.values()
    ask(sources)
    ask(sources, replace(SERVICE))
    (kept,) = sources._built.values()
    assert kept is built
    assert not kept.asking


def test_a_service_that_changed_gets_a_new_source(sources):
    ask(sources)
    changed = {**CSV, "columns": {"/number": "number", "/name/family": "nickname"}}
    assert ask(sources, replace(SERVICE, read=changed))["name"] == {"family": "Mina"}
    assert ask(sources)["name"] == {"family": "Haddad"}


@pytest.mark.parametrize("blocks", [True, False])
def test_a_source_that_was_replaced_is_closed_once_nobody_asks_it(monkeypatch, sources, blocks):
    closed, during = [], []

    class Asked:
        def __init__(self, name):
            self.name, self.blocks = name, blocks

        def fetch(self, *_):
            if self.name == "old" and not during:
                during.append(ask(sources, changed))
                during.append(list(closed))
            return self.name

        def close(self):
            closed.append(self.name)

    made = iter(["old", "new", "newest"])
    monkeypatch.setattr("gateway.sources.build", lambda *_: Asked(next(made)))
    changed = replace(SERVICE, read={**CSV, "key": "family"})
    assert ask(sources) == "old"
    assert during == ["new", []]
    assert closed == ["old"]
    assert ask(sources, SERVICE) == "newest"
    assert closed == ["old", "new"]


def test_the_deadline_is_the_sources_own(monkeypatch, sources):
    given = []

    class Asked:
        blocks = True

        def fetch(self, subject, fields, deadline):
            given.append((subject, fields, deadline.left()))
            return {}

    monkeypatch.setattr("gateway.sources.build", lambda *_: Asked())
    ask(sources)
    assert given == [(parts.AMINA, {parts.FAMILY}, 2.0)]


def test_whom_the_facts_are_about_is_asked_for_besides_and_only_then(monkeypatch, sources):
    asked = []

    class Asked:
        blocks = True

        def fetch(self, subject, fields, deadline):
            asked.append(fields)
            return {}

    monkeypatch.setattr("gateway.sources.build", lambda *_: Asked())
    sources(parts.warrant(parts.FAMILY, parts.BORN, service=SERVICE))
    sources(parts.warrant(parts.FAMILY, service=SERVICE))
    assert asked == [{parts.FAMILY, parts.BORN, "/children/*/number"}, {parts.FAMILY}]
