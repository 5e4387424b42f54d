"""Unit tests open no socket: whoever needs one says so in a conftest of its own."""

from collections.abc import Iterator

import pytest
import pytest_socket

from tests.unhurried import take_time

take_time()


@pytest.fixture(autouse=True)
def closed_sockets() -> Iterator[None]:
    """Have every attempt to open a socket fail, but for those that stay on this machine's files."""
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()
