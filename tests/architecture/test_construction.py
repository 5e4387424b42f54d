"""Each step of the pipeline hands on something that only it can make."""

import ast

import pytest

from tests.architecture.source import Module, modules

MAKERS = {
    "gateway.model.Permit": {"gateway.policy.pdp"},
    "gateway.model.Extract": {"gateway.minimise"},
    "crypto.model.Sealed": {"crypto.seal"},
    "gateway.model.Warrant": {"gateway.journal"},
    "gateway.model.Receipt": {"gateway.journal"},
}
BROAD = {("gateway.pipeline", "handle"), ("audit.ledger", "_turn")}


@pytest.mark.parametrize("proof", MAKERS)
def test_a_proof_is_made_in_one_module_only(proof: str):
    makers = {module.name for module in modules() if proof in module.calls()}
    assert makers == MAKERS[proof]


def test_no_module_of_the_gateway_copies_a_proof():
    copying = {
        module.name
        for module in modules()
        if module.name.startswith("gateway")
        and {"dataclasses.replace", "copy.replace", "copy.copy"} & set(module.imports().values())
    }
    assert copying == set()


def test_the_two_broad_excepts_are_the_pipelines_and_the_batchers():
    assert {place for module in modules() for place in _broad(module)} == BROAD


def _broad(module: Module):
    for function in ast.walk(module.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                if caught in {"everything", "Exception", "BaseException"}:
                    yield module.name, function.name
