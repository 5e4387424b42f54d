"""Blocks: each kind is set and lifted by itself, and the others stay."""

import pytest

from consent.blocks import BlockKind, blocking, kinds
from consent.model import Stale
from consent.rows import block_key
from kernel.entry import EntryType
from tests.unit.consent import parts

KEY = block_key(parts.REF)


def change(tables, kind, *, lift=False, at=parts.START):
    entry, effect = blocking(parts.AMINA, kind, parts.PAGE, lift=lift)
    tables.commit(effect, at)
    return entry


def test_kinds_add_up_and_are_lifted_one_by_one():
    tables = parts.Tables()
    change(tables, BlockKind.SELF)
    change(tables, BlockKind.COURT, at=parts.START + 1)
    assert tables.rows[KEY] == {
        "subject_ref": parts.REF,
        "kinds": "court self",
        "since": parts.START + 1,
    }
    change(tables, BlockKind.SELF, lift=True)
    assert kinds(tables.rows[KEY]) == {"court"}
    change(tables, BlockKind.COURT, lift=True)
    assert tables.rows[KEY]["kinds"] == ""
    assert kinds(tables.rows[KEY]) == kinds(None) == frozenset()


@pytest.mark.parametrize("lift", [False, True])
def test_what_is_done_already_is_stale(lift):
    tables = parts.Tables()
    if not lift:
        change(tables, BlockKind.SELF)
    with pytest.raises(Stale):
        change(tables, BlockKind.SELF, lift=lift)


def test_setting_restricts_and_lifting_does_not():
    tables = parts.Tables()
    entry = change(tables, BlockKind.SELF)
    assert (entry.type, entry.restricts, dict(entry.header)) == (EntryType.BLOCK_SET, True, {})
    assert entry.disclosures == {
        "actor": {"method": "web", "clerk": "", "level": "substantial"},
        "request": {"kind": "self"},
    }
    entry = change(tables, BlockKind.SELF, lift=True)
    assert (entry.type, entry.restricts) == (EntryType.BLOCK_LIFTED, False)
    (concerned,) = entry.concerned
    assert (concerned.ref, concerned.subject) == (parts.REF, parts.AMINA.subject)
