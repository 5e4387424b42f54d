from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.identity.parts import World


@pytest.fixture
def world(tmp_path: Any) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()
    made.database.writer.close()
