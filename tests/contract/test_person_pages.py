"""A person's list comes page by page, newest first, and a list with a gap is not shown as whole."""

from dataclasses import replace

import pytest

from audit import person
from audit.model import BadLedger
from kernel.entry import EntryType
from tests.contract import ledger_stage as stage

ME, OTHER = stage.person(1), stage.person(2)


@pytest.fixture
def log(place):
    site = stage.Stage(place)
    with site.open() as opened:
        yield opened


@pytest.fixture
def root(place):
    return stage.Stage(place).keys.root


def write(log, count: int) -> list[int]:
    """Write so many entries about the person, with others in between; return their indices."""
    indices = []
    for n in range(1, count + 1):
        log.ledger.append(stage.refusal(f"ex_other_{n}", OTHER))
        indices.append(log.ledger.append(stage.refusal(f"ex_{n}", ME)).index)
    return indices


def numbers(page) -> list[int]:
    return [one.number for one in page.entries]


def test_pages_follow_each_other_from_the_newest_entry_to_the_first(log, root):
    indices = write(log, 7)
    connection = log.database.read()
    first = person.page(connection, root, ME.ref, None, 3)
    second = person.page(connection, root, ME.ref, first.before, 3)
    third = person.page(connection, root, ME.ref, second.before, 3)
    assert [numbers(one) for one in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
    assert [one.index for one in first.entries] == indices[:3:-1]
    assert [one.total for one in (first, second, third)] == [7, 7, 7]
    assert third.before is None


def test_a_page_that_ends_with_the_first_entry_is_the_last(log, root):
    write(log, 3)
    assert person.page(log.database.read(), root, ME.ref, None, 3).before is None


def test_every_chunk_of_a_long_list_is_read(log, root, monkeypatch):
    monkeypatch.setattr(person, "_CHUNK", 4)
    write(log, 11)
    connection = log.database.read()
    assert numbers(person.page(connection, root, ME.ref, None, 100)) == list(range(11, 0, -1))
    assert [one.number for one in person.activity(connection, root, ME.ref)] == list(range(1, 12))
    assert [one.number for one in person.newest(connection, root, ME.ref, 9)] == list(
        range(9, 0, -1)
    )


@pytest.mark.parametrize("before", [0, 1, -5])
def test_before_the_first_entry_there_is_nothing(log, root, before):
    write(log, 2)
    page = person.page(log.database.read(), root, ME.ref, before, 10)
    assert (page.entries, page.total, page.before) == ((), 2, None)


def test_a_number_beyond_the_list_begins_with_its_newest_entry(log, root):
    write(log, 2)
    assert numbers(person.page(log.database.read(), root, ME.ref, 10**12, 10)) == [2, 1]


def test_somebody_whom_the_ledger_does_not_know_has_an_empty_list(log, root):
    connection = log.database.read()
    page = person.page(connection, root, ME.ref, None, 10)
    assert (page.entries, page.total, page.before) == ((), 0, None)
    assert person.one(connection, root, ME.ref, 1) is None
    assert person.at(connection, root, ME.ref, 0) is None
    assert person.count(connection, ME.ref) == 0
    assert list(person.activity(connection, root, ME.ref)) == []


def test_only_what_is_wanted_is_shown_and_the_list_still_ends(log, root):
    write(log, 5)
    log.ledger.append(stage.consent(EntryType.CONSENT_GIVEN, "co_1", ME))
    write(log, 5)
    connection = log.database.read()
    page = person.page(connection, root, ME.ref, None, 10, lambda leaf: b"consent.given" in leaf)
    assert (numbers(page), page.before) == ([6], None)


def test_a_search_looks_at_so_many_entries_and_says_where_it_goes_on(log, root, monkeypatch):
    monkeypatch.setattr(person, "MAX_LOOKED_AT", 3)
    write(log, 5)
    connection = log.database.read()
    page = person.page(connection, root, ME.ref, None, 10, lambda _: False)
    assert (page.entries, page.before) == ((), 3)
    assert person.page(connection, root, ME.ref, 3, 10, lambda _: False).before is None


def test_one_entry_is_found_by_its_number_and_by_its_place_in_the_log(log, root):
    indices = write(log, 4)
    connection = log.database.read()
    for number, index in enumerate(indices, 1):
        by_number = person.one(connection, root, ME.ref, number)
        assert (by_number.number, by_number.index) == (number, index)
        assert person.at(connection, root, ME.ref, index) == by_number
    assert person.one(connection, root, ME.ref, 0) is None
    assert person.one(connection, root, ME.ref, 5) is None


def test_an_entry_about_somebody_else_is_not_shown(log, root):
    write(log, 1)
    theirs = person.one(log.database.read(), root, OTHER.ref, 1).index
    assert person.at(log.database.read(), root, ME.ref, theirs) is None


def spoil(log, statement: str, *values: object) -> None:
    assert log.site.change(statement, *values) == 1


@pytest.mark.parametrize("number", [1, 3, 5])
def test_an_entry_that_was_removed_is_found_on_the_page_that_would_show_it(log, root, number):
    indices = write(log, 5)
    spoil(log, 'DELETE FROM ledger_body WHERE "index" = ?', indices[number - 1])
    connection = log.database.read()
    with pytest.raises(BadLedger, match="gap"):
        person.page(connection, root, ME.ref, None, 10)
    with pytest.raises(BadLedger, match="gap"):
        list(person.activity(connection, root, ME.ref))


def test_a_number_that_was_changed_is_found(log, root):
    indices = write(log, 3)
    spoil(log, 'UPDATE ledger_body SET number = 7 WHERE "index" = ?', indices[1])
    with pytest.raises(BadLedger, match="gap"):
        person.one(log.database.read(), root, ME.ref, 2)


def test_a_count_that_hides_the_newest_entry_is_found(log, root):
    write(log, 3)
    spoil(log, "UPDATE person SET number = 2 WHERE ref = ?", ME.ref)
    with pytest.raises(BadLedger, match="gap"):
        person.page(log.database.read(), root, ME.ref, None, 10)


def test_disclosures_of_another_entry_are_not_shown(log, root):
    indices = write(log, 2)
    spoil(
        log,
        "UPDATE ledger_body SET sealed = (SELECT sealed FROM ledger_body WHERE person = ?"
        ' AND "index" = ?) WHERE person = ? AND "index" = ?',
        ME.ref,
        indices[0],
        ME.ref,
        indices[1],
    )
    with pytest.raises(BadLedger, match="do not open"):
        person.one(log.database.read(), root, ME.ref, 2)


def test_a_leaf_that_was_changed_is_found_by_its_disclosures(log, root):
    write(log, 1)
    other = log.ledger.append(replace(stage.refusal("ex_9"), disclosures={})).index
    spoil(
        log,
        'UPDATE ledger_leaf SET leaf = (SELECT leaf FROM ledger_leaf WHERE "index" = ?)'
        ' WHERE "index" = (SELECT "index" FROM ledger_body WHERE person = ?)',
        other,
        ME.ref,
    )
    with pytest.raises(BadLedger, match="not the one in its leaf"):
        person.one(log.database.read(), root, ME.ref, 1)
