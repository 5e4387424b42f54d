"""Checking a policy directory: everything that can be known before it decides about anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.policy.bundle import MAX_FILE, BadBundle, Bundle
from gateway.policy.cases import Case, read_cases
from gateway.policy.catalogue import Catalogue
from gateway.policy.catalogue_check import CheckRead
from gateway.policy.engine_embedded import EmbeddedEngine
from gateway.policy.fault import Fault, PolicyError
from gateway.policy.opa_command import OpaCommand, OpaOnce
from gateway.ports import Engine
from kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Tested:
    """How the cases went: how many, on which engines, and what was not as expected."""

    cases: int
    engines: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class PolicyCheck:
    """Checks and tests policy directories on the engines that are there: the embedded one always,
    OPA where its command is installed."""

    clock: Clock
    check_read: CheckRead | None
    opa: OpaCommand | None

    def check(self, directory: Path) -> list[Fault]:
        """Return everything that stops these policies from being loaded, or that a reviewer would
        send back; nothing is changed."""
        try:
            bundle = Bundle.from_directory(directory)
        except BadBundle as error:
            return [Fault(str(directory), 1, str(error))]
        faults: list[Fault] = []
        try:
            Catalogue.load(bundle.files, self.clock.now(), self.check_read)
        except PolicyError as error:
            faults += error.faults
        engine = EmbeddedEngine(self.clock, threads=1)
        try:
            engine.prepare(bundle)
        except PolicyError as error:
            faults += error.faults
        finally:
            engine.close()
        if self.opa is not None:
            faults += self.opa.check(directory)
        return sorted(set(faults))

    def test(self, directory: Path) -> Tested:
        """Run every case on every engine, and the Rego tests where OPA is there; raises
        `PolicyError` or `BadBundle` when the policies cannot be loaded at all."""
        bundle = Bundle.from_directory(directory)
        cases = cases_of(directory, Catalogue.load(bundle.files, None, self.check_read))
        embedded = EmbeddedEngine(self.clock, threads=1)
        engines: dict[str, Engine] = {"embedded": embedded}
        faults: list[Fault] = []
        if self.opa is not None:
            engines["opa"] = OpaOnce(self.opa, bundle)
            faults += self.opa.test(directory)
        try:
            embedded.prepare(bundle)
            faults += _run(cases, engines, bundle)
        finally:
            embedded.close()
        return Tested(len(cases), tuple(engines), tuple(sorted(set(faults))))


def cases_of(directory: Path, catalogue: Catalogue) -> list[Case]:
    """Return the cases in `cases/*.yaml`, or raise `PolicyError`, also when there are none."""
    files: dict[str, str] = {}
    for place in sorted((directory / "cases").glob("*.yaml")):
        path = place.relative_to(directory).as_posix()
        content = place.read_bytes()[: MAX_FILE + 1]
        try:
            files[path] = content.decode()
        except UnicodeDecodeError:
            raise PolicyError([Fault(path, 1, "the file is not UTF-8 text")]) from None
    if not files:
        raise PolicyError([Fault("cases", 1, "there is no case: rules without one are not known")])
    return read_cases(files, catalogue)


def _run(cases: list[Case], engines: Mapping[str, Engine], bundle: Bundle) -> list[Fault]:
    return [
        fault
        for name, engine in engines.items()
        for case in cases
        for fault in case.run(engine, name, bundle.revision)
    ]
