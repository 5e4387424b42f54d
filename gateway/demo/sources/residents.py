"""Two hundred made-up residents, the same for the same seed; the first is Amina."""

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

from gateway.demo.sources.names import (
    CITIES,
    COLLEGE,
    EMPLOYERS,
    NAMES,
    SCHOOLS,
    STREETS,
    Names,
)

COUNT = 200
TODAY = date(2026, 9, 1)
"""The day on which the silos were written: part of the sample, so that a seed says it all."""
_SCHOOL_AGE = range(6, 18)


@dataclass(frozen=True, slots=True, repr=False)
class Child:
    """A child as the population register knows it."""

    number: str
    family: str
    given: str
    birth_date: date


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """A line of the school register."""

    pupil: str
    school: str
    since: date
    level: str
    absences: int
    support: str


@dataclass(frozen=True, slots=True, repr=False)
class Taxes:
    """What the tax office assessed, in whole units of the currency that means a test."""

    employment: int
    capital: int
    due: int
    arrears: int
    employer: str
    account: str


@dataclass(frozen=True, slots=True, repr=False)
class Resident:
    """One made-up person, and what the three agencies hold about them."""

    number: str
    family: str
    given: str
    birth_date: date
    nationality: str
    street: str
    postcode: str
    municipality: str
    phone: str | None
    children: tuple[Child, ...]
    taxes: Taxes
    enrolments: tuple[Enrolment, ...]


def check_digit(six: str) -> str:
    """Return the Luhn check digit (ISO/IEC 7812-1 annex B) over the digits before it."""
    total = 0
    for place, digit in enumerate(reversed(six)):
        doubled = int(digit) * (1 if place % 2 else 2)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


class Draw:
    """Choices that depend on the seed, the person and the question alone."""

    def __init__(self, seed: str, person: int) -> None:
        """Keep what the choices depend on."""
        self._prefix = f"{seed}|{person}|"

    def number(self, question: str, below: int) -> int:
        """Return a number from 0 to `below` - 1."""
        digest = sha256((self._prefix + question).encode()).digest()
        return int.from_bytes(digest[:8], "big") % below

    def one(self, question: str, options: tuple[str, ...]) -> str:
        """Return one of the options."""
        return options[self.number(question, len(options))]

    def day(self, question: str, youngest: int, oldest: int) -> date:
        """Return a birthday that makes somebody at least and at most so many years old."""
        days = youngest * 366 + self.number(question, (oldest - youngest) * 365)
        return TODAY - timedelta(days=days)


def make(seed: str, count: int = COUNT) -> tuple[Resident, ...]:
    """Return so many residents of this seed; the first of them are the same in every country."""
    return (_amina(seed), *(_resident(seed, person) for person in range(1, count)))


def _resident(seed: str, person: int) -> Resident:
    draw = Draw(seed, person)
    names = NAMES[person % len(NAMES)]
    family, given = draw.one("family", names.family), draw.one("given", names.given)
    children = tuple(_child(seed, person, place, family) for place in range(draw.number("n", 4)))
    postcode, municipality = CITIES[draw.number("city", len(CITIES))]
    return Resident(
        number=_number(seed, person, 0),
        family=family,
        given=given,
        birth_date=draw.day("born", 21, 80),
        nationality=draw.one("nationality", ("XA", "XB", "XC")),
        street=f"{draw.one('street', STREETS)} {1 + draw.number('house', 99)}",
        postcode=postcode,
        municipality=municipality,
        phone=_phone(draw) if draw.number("has phone", 5) else None,
        children=children,
        taxes=_taxes(draw, 12_000 + 100 * draw.number("income", 700)),
        enrolments=_enrolments(draw, given, children),
    )


def _amina(seed: str) -> Resident:
    """Return the one whom the story is about: a mother of a pupil and of a newborn child."""
    draw = Draw(seed, 0)
    family = "Şen-Example"
    children = (
        Child(_number(seed, 0, 1), family, "Idris", date(2018, 3, 14)),
        Child(_number(seed, 0, 2), family, "نور", date(2026, 8, 21)),
    )
    return Resident(
        number=_number(seed, 0, 0),
        family=family,
        given="Amina",
        birth_date=date(1993, 5, 2),
        nationality="XB",
        street="Sample Street 7",
        postcode="2002",
        municipality="Eastferry",
        phone=_phone(draw),
        children=children,
        taxes=_taxes(draw, 23_400),
        enrolments=_enrolments(draw, "Amina", children),
    )


def _phone(draw: Draw) -> str:
    return f"+999 555 {draw.number('phone', 10_000):04d}"


def _taxes(draw: Draw, employment: int) -> Taxes:
    return Taxes(
        employment=employment,
        capital=10 * draw.number("capital", 200),
        due=employment // 5,
        arrears=draw.number("arrears", 4) // 3 * 250,
        employer=draw.one("employer", EMPLOYERS),
        account=f"SAMPLE-{draw.number('account', 10**10):010d}",
    )


def _child(seed: str, person: int, place: int, family: str) -> Child:
    draw = Draw(seed, person)
    names: Names = NAMES[person % len(NAMES)]
    given = draw.one(f"child {place}", names.given)
    return Child(
        _number(seed, person, place + 1), family, given, draw.day(f"child born {place}", 0, 17)
    )


def _enrolments(draw: Draw, given: str, children: tuple[Child, ...]) -> tuple[Enrolment, ...]:
    """Return a line per pupil in the family; whoever has none takes an evening course."""
    pupils = tuple(
        _pupil(draw, child, age)
        for child in children
        if (age := (TODAY - child.birth_date).days // 366) in _SCHOOL_AGE
    )
    return pupils or (Enrolment(given, COLLEGE, date(2025, 9, 1), "evening course", 0, ""),)


def _pupil(draw: Draw, child: Child, age: int) -> Enrolment:
    return Enrolment(
        pupil=child.given,
        school=draw.one("school", SCHOOLS),
        since=date(TODAY.year - (age - 6), 9, 1),
        level=f"year {age - 5}",
        absences=draw.number(f"absences {child.number}", 12),
        support="" if draw.number(f"support {child.number}", 8) else "reading support",
    )


def _number(seed: str, person: int, place: int) -> str:
    """Return a resident number of its own for everybody: parents at place 0, then children."""
    start = Draw(seed, 0).number("numbers", 900_000)
    # 7919 shares no factor with 900,000, so no two places meet.
    six = str(100_000 + (start + (person * 8 + place) * 7919) % 900_000)
    return f"RN-{six}{check_digit(six)}"
