"""The lab needs network namespaces and a TUN device: where they are not permitted it says so, loudly, and its tests do not run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.namespaces import why_not
from tests.lab.network import Network, network


@pytest.fixture(scope="session")
def lab() -> None:
    """Asked for by every test that needs a network of its own."""
    refused = why_not()
    if refused is not None:
        pytest.skip(f"THE FLEET IS NOT PROVED HERE: {refused}")


@pytest.fixture
async def pair(lab: None, tmp_path: Path) -> AsyncIterator[Network]:
    """Two namespaces, `here` and `there`."""
    async with network(tmp_path, "here", "there") as made:
        yield made
