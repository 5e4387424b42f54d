"""The client is tested against a stand-in gateway that answers on loopback."""

import pytest


@pytest.fixture(autouse=True)
def closed_sockets() -> None:
    """Leave sockets open here."""
