"""What the tests of the doors need."""

from collections.abc import Iterator

import pytest

from tests.web.daemon import unix_sockets_allowed


@pytest.fixture(autouse=True)
def _unix_sockets() -> Iterator[None]:
    """Control is a unix socket."""
    with unix_sockets_allowed():
        yield
