"""One daemon to a folder of data: a lock that the kernel drops with the process, whatever ends it."""

import fcntl
import os
from pathlib import Path

from probe.errors import StoreUnavailable


def take_lock(folder: Path) -> int:
    """The descriptor that holds the lock: closing it gives it up. The holder's process id is in the file.

    `StoreUnavailable`, lasting, while another process has it; `OSError` when the file cannot be made.
    """
    path = folder / "probe.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
        os.close(descriptor)
        raise StoreUnavailable(
            f"{folder} is in use by another probe, process {holder}: stop that one, or give this one a folder of data of"
            " its own",
            lasting=True,
        ) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
