"""A door for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.access.door import Door, opened_door


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened_door(tmp_path) as found:
        yield found
