"""The story's browser is tested against a site of its own on loopback."""

import pytest


@pytest.fixture(autouse=True)
def closed_sockets() -> None:
    """Leave sockets open here."""
