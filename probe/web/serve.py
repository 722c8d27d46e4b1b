"""Opens the doors: a TCP address for the health pages, a unix socket in the data folder for control."""

import asyncio
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from probe.errors import ProbeError
from probe.web.pages import control_app, health_app
from probe.web.place import SOCKET, reachable
from probe.web.ports import Daemon, Health

PATIENCE: Final = 2.0
"""Seconds that requests get to end in at the stop."""
BACKLOG: Final = 64


@asynccontextmanager
async def serve_health(daemon: Health, listen: tuple[str, int]) -> AsyncIterator[str]:
    """Serve the health pages on a host and port for the time of the context; gives the address as one writes it.

    Port 0 takes a free one. `ProbeError` when the address cannot be used.
    """
    async with _served(health_app(daemon)) as runner:
        try:
            await web.TCPSite(runner, *listen, backlog=BACKLOG).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror  # below 0: of a name
            raise ProbeError(
                f'cannot listen on {_written(*listen)}: {why}; set probe.listen to another host:port, or to "off"'
            ) from error
        yield _written(*runner.addresses[0][:2])


@asynccontextmanager
async def serve_control(daemon: Daemon, folder: Path) -> AsyncIterator[Path]:
    """Serve control on `folder`/probe.sock, for its owner alone, for the time of the context; gives the path.

    What a killed daemon left there is replaced; `ProbeError` names the process when a living one listens.
    """
    path = folder / SOCKET
    listener, identity = await asyncio.to_thread(_listen, path)
    try:
        async with _served(control_app(daemon)) as runner:
            await web.SockSite(runner, listener, backlog=BACKLOG).start()
            yield path
    finally:
        listener.close()
        await asyncio.to_thread(_remove, path, identity)


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=PATIENCE)
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
