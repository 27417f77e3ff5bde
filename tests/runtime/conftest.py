"""The house that every test of the runtime begins with."""

from pathlib import Path

import pytest

from tests.runtime import support


@pytest.fixture
def house(tmp_path: Path) -> support.House:
    return support.House(tmp_path)
