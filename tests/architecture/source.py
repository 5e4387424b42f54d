"""The product's source as syntax trees, so that tests can ask who makes and imports what."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "audit", "client", "consent", "crypto", "gateway", "identity", "kernel")


@dataclass(frozen=True)
class Module:
    """One file of the product."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def imports(self) -> dict[str, str]:
        """Return what each imported name stands for, as in {"Permit": "gateway.model.Permit"}."""
        names = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {(one.asname or one.name): one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {
                    (one.asname or one.name): f"{node.module}.{one.name}" for one in node.names
                }
        return names

    def calls(self) -> Iterator[str]:
        """Yield the full name of everything that is called under an imported or own name."""
        names = self.imports()
        own = {node.name for node in self.tree.body if isinstance(node, ast.ClassDef)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                head, _, rest = called.partition(".")
                if head in names:
                    yield names[head] + (f".{rest}" if rest else "")
                elif head in own:
                    yield f"{self.name}.{called}"


@cache
def modules() -> tuple[Module, ...]:
    """Return every Python file of the product that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *PACKAGES, "wsgi.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = []
    for file in sorted(name for name in listed if name.endswith(".py")):
        path = ROOT / file
        if not path.exists():
            continue
        text = path.read_text()
        name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        found.append(Module(name, path, text, ast.parse(text)))
    return tuple(found)
