"""Opens the doors: a TCP address for the pages, a unix socket in the data folder for control."""

import asyncio
import logging
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.http import HttpProcessingError

from probe.errors import ProbeError
from probe.ports import Clock
from probe.web.access.entrance import Entrance
from probe.web.access.links import Links
from probe.web.app import pages_app
from probe.web.control import control_app
from probe.web.front import Front
from probe.web.guests import Guests
from probe.web.place import SOCKET, reachable
from probe.web.ports import Daemon
from probe.web.reading import OpenStored, open_reading

PATIENCE: Final = 2.0
"""Seconds that requests get to end in at the stop."""
BACKLOG: Final = 64


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the server's log is to be written: whoever sends what is no HTTP is told so, and fills no disk."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_LOG: Final = logging.getLogger("probe.web.server")
_LOG.addFilter(_is_news)


@asynccontextmanager
async def serve_pages(
    daemon: Daemon, links: Links, open_stored: OpenStored, listen: tuple[str, int], clock: Clock
) -> AsyncIterator[str]:
    """Serve the pages on a host and port for the time of the context; gives the address as one writes it.

    Port 0 takes a free one. `ProbeError` when the address cannot be used.
    """
    async with open_reading(open_stored) as reading:
        guests, entrance = Guests(), Entrance(links=links, listen=listen[0], now=clock.now)
        app, _ = pages_app(Front(daemon, reading, clock), entrance, guests)
        async with _served(app) as runner:
            assert runner.server is not None  # it was set up
            try:
                door = await guests.listen(runner.server, *listen, backlog=BACKLOG)
            except OSError as error:
                why = (
                    os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
                )  # below 0: of a name
                raise ProbeError(
                    f'cannot listen on {_written(*listen)}: {why}; set probe.listen to another host:port, or to "off"'
                ) from error
            links.bound = door.sockets[0].getsockname()[:2]
            try:
                yield _written(*links.bound)
            finally:
                door.close()


@asynccontextmanager
async def serve_control(daemon: Daemon, folder: Path, links: Links | None = None) -> AsyncIterator[Path]:
    """Serve control on `folder`/probe.sock, for its owner alone, for the time of the context; gives the path.

    What a killed daemon left there is replaced; `ProbeError` names the process when a living one listens. `links` are those
    that the pages know; without pages there is nothing to link to.
    """
    path = folder / SOCKET
    listener, identity = await asyncio.to_thread(_listen, path)
    try:
        async with _served(control_app(daemon, links or Links())) as runner:
            await web.SockSite(runner, listener, backlog=BACKLOG).start()
            yield path
    finally:
        listener.close()
        await asyncio.to_thread(_remove, path, identity)


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=PATIENCE,
        logger=_LOG,
        auto_decompress=False,  # nothing that we take comes compressed: what unpacks to more than it weighs is not unpacked
    )
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)  # the turn of the loop in which broken connections end


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(path: Path) -> tuple[socket.socket, tuple[int, int]]:
    """A socket that is bound there and that only its owner can open, and the file's identity."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            if (living := _listener(name)) is not None:
                raise ProbeError(f"another daemon (process {living}) already uses {path.parent}; stop it first")
            if path.is_socket():
                path.unlink()  # of a daemon that was killed
            listener.bind(name)
        path.chmod(0o600)  # nobody can connect before the listening begins
        found = path.stat()
        listener.setblocking(False)
    except BaseException as error:
        listener.close()
        if isinstance(error, OSError):
            raise ProbeError(f"cannot make the control socket {path}: {error.strerror}") from error
        raise
    return listener, (found.st_dev, found.st_ino)


def _listener(name: str) -> int | None:
    """The process that listens there; `None`: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            client.connect(name)
        except BlockingIOError:
            return 0  # its queue is full: somebody is there
        except OSError:
            return None
        pid: int = struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return pid


def _remove(path: Path, identity: tuple[int, int]) -> None:
    """Take away the socket's file, if it is still ours."""
    try:
        found = path.lstat()
        if stat.S_ISSOCK(found.st_mode) and (found.st_dev, found.st_ino) == identity:
            path.unlink()
    except OSError:
        return  # gone already, or the folder is: nothing to take away
