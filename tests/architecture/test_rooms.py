"""Which room may know of which, and what every module looks like from its first line."""

import ast
import subprocess
import sys

import pytest

from tests.architecture.source import ROOT, modules

PURE = {
    "audit.merkle",
    "audit.model",
    "consent.acts",
    "consent.blocks",
    "consent.changes",
    "consent.declined",
    "consent.effects",
    "consent.model",
    "consent.notices",
    "consent.offer",
    "consent.pages.facts",
    "consent.pages.form",
    "consent.receipt",
    "consent.requests",
    "consent.rows",
    "consent.rules",
    "consent.states",
    "crypto.model",
    "gateway.exchanges",
    "gateway.answers",
    "gateway.minimise",
    "gateway.model",
    "gateway.others",
    "gateway.policy.pdp",
    "gateway.pipeline",
    "gateway.pointers",
    "gateway.ports",
    "gateway.resolve",
    "gateway.terms",
    "identity.model",
    "identity.oidc_model",
    "kernel.canonical",
    "kernel.effect",
    "kernel.entry",
    "kernel.errors",
    "kernel.names",
}
IMPURE = {"os", "socket", "time", "random", "secrets", "sqlite3", "threading", "subprocess"}
LONGEST = 260
_LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"


def test_the_layers_hold():
    told = subprocess.run(
        [sys.executable, "-c", _LINT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_module_reads_no_clock_no_chance_and_no_system(name: str):
    module = next(one for one in modules() if one.name == name)
    imported = {full.partition(".")[0] for full in module.imports().values()}
    assert imported & IMPURE == set()
    assert not {"kernel.chance.SystemChance", "kernel.clock.SystemClock"} & set(
        module.imports().values()
    )


def test_the_verifier_knows_nothing_of_the_writer():
    verifier = {one.name for one in modules() if one.name.startswith("audit.verify")}
    for module in (one for one in modules() if one.name in verifier):
        for full in module.imports().values():
            root = full.partition(".")[0]
            own = any(full == name or full.startswith(f"{name}.") for name in verifier)
            assert own or root == "cryptography" or root in sys.stdlib_module_names, full


def test_the_client_needs_the_standard_library_cryptography_and_joserfc_only():
    for module in (one for one in modules() if one.name.partition(".")[0] == "client"):
        for full in module.imports().values():
            root = full.partition(".")[0]
            assert root in {"client", "cryptography", "joserfc"} | sys.stdlib_module_names, full


def test_settings_are_read_at_the_edge_only():
    reading = {
        one.name
        for one in modules()
        if any(full.startswith("gateway.setup.settings") for full in one.imports().values())
    }
    edge = (
        *("gateway.app", "gateway.rooms", "gateway.setup.", "gateway.commands.", "gateway.demo."),
        *("gateway.serving.main", "gateway.serving.workers", "gateway.recovery.recovering", "wsgi"),
    )
    assert all(name.startswith(edge) for name in reading), reading


def test_every_module_says_first_what_it_is():
    silent = [one.name for one in modules() if not ast.get_docstring(one.tree)]
    assert silent == []


def test_no_module_holds_two_ideas():
    long = {one.name: lines for one in modules() if (lines := one.text.count("\n")) > LONGEST}
    assert long == {}
