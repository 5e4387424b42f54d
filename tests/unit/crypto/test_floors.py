"""The JOSE and OAuth libraries stand above every release with a known hole."""

import subprocess
import sys
from importlib.metadata import version

import pytest

# Each advisory with a release that is known to be clear of it.
CLEAR = {
    "authlib": {
        "1.9.9": [
            "CVE-2024-37568",
            "CVE-2025-61920",
            "CVE-2025-62706",
            "CVE-2026-27962",
            "CVE-2026-28498",
            "CVE-2026-41479",
            "CVE-2026-44681",
            "CVE-2026-114617",
            "CVE-2026-116672",
            "PYSEC-2026-25",
            "PYSEC-2026-4354",
            "PYSEC-2026-4357",
            "PYSEC-2026-4358",
            "PYSEC-2026-4360",
        ]
    },
    "joserfc": {"1.8.0": ["CVE-2025-65015", "CVE-2026-49852", "CVE-2026-62995", "CVE-2026-75509"]},
}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


@pytest.mark.parametrize(
    ("library", "clear", "advisory"),
    [
        (library, clear, advisory)
        for library, releases in CLEAR.items()
        for clear, advisories in releases.items()
        for advisory in advisories
    ],
)
def test_the_installed_library_is_clear_of(library: str, clear: str, advisory: str) -> None:
    assert numbers(version(library)) >= numbers(clear), advisory


def test_the_deprecated_jose_of_authlib_is_never_loaded() -> None:
    code = (
        "import identity.server, sys; print(any(m.startswith('authlib.jose') for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
