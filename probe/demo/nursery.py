"""`python -m probe.demo.nursery`: the process that forks the app workers, and takes them with it when it ends.

It pays the imports once and forks before any thread or event loop exists, so three workers start as fast as one.
The workers die with it by the kernel's hand (PR_SET_PDEATHSIG works on a stopped process too, which no watching of
pipes would), and it ends when its standard input does: so a parent killed with -9 leaves nothing behind.
"""

import ctypes
import os
import shutil
import signal
import sys
from contextlib import suppress
from typing import Final

from probe.demo.plan import Plan
from probe.demo.worker import main as worker_main

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Fork the workers of the plan, wait for the end of the parent, end the workers and clear up after it."""
    plan = Plan.from_line(sys.stdin.buffer.readline())
    nursery = os.getpid()
    children = []
    for index in range(len(plan.listening)):
        pid = os.fork()
        if pid == 0:
            _worker(plan, index, nursery)
        children.append(pid)
    # Only the worker holds its sockets: when it dies, its port refuses and its control channel ends.
    for descriptor in (*plan.listening, *plan.control):
        os.close(descriptor)
    with suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    shutil.rmtree(plan.folder, ignore_errors=True)


def _worker(plan: Plan, index: int, nursery: int) -> None:
    """Be worker number `index`; does not return."""
    code = 1
    try:
        # Not every libc is glibc, but every one that runs here is already loaded into the process.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == nursery:  # else it died between fork and prctl
            for other in range(len(plan.listening)):
                if other != index:
                    os.close(plan.listening[other])
                    os.close(plan.control[other])
            os.close(sys.stdin.fileno())
            worker_main(plan, index)
            code = 0
    except Exception:  # noqa: BLE001  # whatever it was has to be seen, and the fork must not run the nursery's code
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
