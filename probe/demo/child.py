"""The shop as a process: served for a terminal, or as a child of `probe demo` so that its work does not disturb the measuring."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from probe.demo.errors import DemoError
from probe.demo.ports import panel_url

if TYPE_CHECKING:
    from probe.demo.shop import ShopUrls

START: Final = 20.0
"""Seconds within which the shop must be up."""
READY: Final = b"ready\n"
"""What the child says on standard output when it is up."""


def ca_file() -> Path:
    """Where the running shop leaves the certificate of its authority, for checks of its https address."""
    return Path("~/.local/state/probe/demo-ca.pem").expanduser()


def serve(port: int, announce: Callable[["ShopUrls"], None], *, child: bool = False) -> None:
    """Serve the shop until SIGINT or SIGTERM, and for a `child` until standard input ends.

    `announce` is called once the shop is up.
    """
    asyncio.run(_serve(port, announce, child=child))


async def _serve(port: int, announce: Callable[["ShopUrls"], None], *, child: bool) -> None:
    from probe.demo.shop import running_shop

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if child:
        loop.add_reader(sys.stdin.fileno(), stop.set)  # readable: the parent has closed it, or died
    async with running_shop(port) as shop:
        _publish(shop.urls.ca)
        announce(shop.urls)
        await stop.wait()


def _say_ready(_: "ShopUrls") -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()


def _publish(ca: Path) -> None:
    """Put the authority's certificate where configurations can name it; whole, never half."""
    place = ca_file()
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(ca, part)
    part.replace(place)


@contextmanager
def shop_process(port: int) -> Iterator[str]:
    """A shop in a process of its own while the context lasts; gives the address of its fault panel.

    The shop ends with this process, however that ends. `DemoError` says why it did not start.
    """
    command = [sys.executable, "-m", "probe.demo.child", str(port)]
    # A session of its own: Ctrl-C in the terminal is for us, and we end the shop when we are done with it.
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        try:
            _wait_for(process)
            yield panel_url(port)
        finally:
            assert process.stdin is not None  # it is a pipe
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None  # they are pipes
    assert process.stderr is not None
    readable, _, _ = select.select([process.stdout], [], [], START)
    if not readable:
        raise DemoError(f"the demo shop did not start within {START:.0f} s: is this machine very busy?")
    if process.stdout.readline() != READY:
        said = process.stderr.read().decode(errors="replace").strip()
        raise DemoError(said or f"the demo shop ended at once, with exit code {process.wait()}")


if __name__ == "__main__":
    try:
        serve(int(sys.argv[1]), _say_ready, child=True)
    except DemoError as error:
        sys.exit(str(error))
