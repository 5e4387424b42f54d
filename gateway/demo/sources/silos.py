"""Silos: the demo's residents written where each agency keeps its own part, and no other's."""

import csv
import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.sources.residents import COUNT, Resident, make
from kernel.chance import Chance

_SCHEMA = """
CREATE TABLE resident (
    resident_number TEXT PRIMARY KEY, family_name TEXT NOT NULL, given_name TEXT NOT NULL,
    birth_date TEXT NOT NULL, nationality TEXT NOT NULL, street TEXT NOT NULL,
    postcode TEXT NOT NULL, municipality TEXT NOT NULL, phone TEXT
) WITHOUT ROWID;
CREATE TABLE child (
    resident_number TEXT PRIMARY KEY,
    parent_number TEXT NOT NULL REFERENCES resident (resident_number),
    family_name TEXT NOT NULL, given_name TEXT NOT NULL, birth_date TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX child_parent ON child (parent_number);
-- What the register shows to others: views, of an installation whose tables may change.
CREATE VIEW residents AS SELECT * FROM resident;
CREATE VIEW children AS SELECT * FROM child;
"""


@dataclass(frozen=True, slots=True, repr=False)
class Residents:
    """Everybody in the sample, and where the three agencies keep what they know."""

    people: tuple[Resident, ...]
    register: Path
    """The population register: an SQLite database file."""
    returns: Path
    """What the tax service answers from; only `gateway.demo.sources.tax` reads it."""
    secret: Path
    """The secret that the tax service demands (mode 0600)."""
    schools: Path
    """The directory into which the school register drops `enrolments.csv`."""


def build(directory: Path, seed: str, chance: Chance, count: int = COUNT) -> Residents:
    """Write the silos under a directory, in place of what this wrote there before."""
    people = make(seed, count)
    for agency in ("population", "tax", "education"):
        shutil.rmtree(directory / agency, ignore_errors=True)
        (directory / agency).mkdir(parents=True, mode=0o700)
    silos = Residents(
        people,
        register=directory / "population" / "register.db",
        returns=directory / "tax" / "returns.json",
        secret=directory / "tax" / "secret",
        schools=directory / "education",
    )
    _write_register(silos.register, people)
    _replace(silos.returns, json.dumps(_returns(people), ensure_ascii=False))
    _replace(silos.secret, chance.bits(32).hex())
    write_enrolments(silos.schools / "enrolments.csv", people)
    return silos


def write_enrolments(file: Path, people: Sequence[Resident]) -> None:
    """Put the school register's drop in place, whole or not at all."""
    fresh = file.with_suffix(".new")
    with fresh.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("guardian", "pupil", "school", "since", "level", "absences", "support"))
        writer.writerows(
            (
                *(one.number, line.pupil, line.school, line.since.isoformat()),
                *(line.level, line.absences, line.support),
            )
            for one in people
            for line in one.enrolments
        )
    fresh.replace(file)


def _write_register(file: Path, people: Sequence[Resident]) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(_SCHEMA)
        database.executemany(
            "INSERT INTO resident VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(one.number, one.family, one.given, one.birth_date.isoformat()),
                    *(one.nationality, one.street, one.postcode, one.municipality, one.phone),
                )
                for one in people
            ],
        )
        database.executemany(
            "INSERT INTO child VALUES (?, ?, ?, ?, ?)",
            [
                (child.number, one.number, child.family, child.given, child.birth_date.isoformat())
                for one in people
                for child in one.children
            ],
        )


def _returns(people: Sequence[Resident]) -> dict[str, object]:
    return {
        one.number: {
            "taxpayer": one.number,
            "income": {
                "year": 2025,
                "total": one.taxes.employment + one.taxes.capital,
                "employment": one.taxes.employment,
                "capital": one.taxes.capital,
            },
            "tax": {"due": one.taxes.due, "arrears": one.taxes.arrears},
            "employer": {"name": one.taxes.employer},
            "bank": {"account": one.taxes.account},
        }
        for one in people
    }


def _replace(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    fresh.replace(file)
