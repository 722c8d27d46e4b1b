"""Where the control socket is, and how it is reached: for the daemon and for its commands. Imports nothing heavy."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SOCKET: Final = "probe.sock"
"""The name of the control socket in the data folder."""
LONGEST: Final = 107
"""Bytes of the address of a unix socket."""


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a socket's path, for the time of the context, that is short enough however deep its folder lies."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
