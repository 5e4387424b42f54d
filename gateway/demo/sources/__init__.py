"""The demo's three agencies: silos of made-up residents, each in a technique of its own."""

from gateway.demo.sources.residents import COUNT, Child, Enrolment, Resident, check_digit
from gateway.demo.sources.silos import Residents, build

__all__ = ["COUNT", "Child", "Enrolment", "Resident", "Residents", "build", "check_digit"]
