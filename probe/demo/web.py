"""An HTTP service of the shop: an aiohttp application at a door, which can be closed and opened again."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from aiohttp import web

from probe.demo.sockets import Door

MakeRunner = Callable[[], web.BaseRunner]

SHUTDOWN: Final = 0.05
"""Seconds. Held requests (a hanging host) are cut off at shutdown rather than waited for."""


def app_runner(app: web.Application) -> web.BaseRunner:
    """What serves an application. A customer who gives up must not leave work behind: hence `handler_cancellation`."""
    return web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN)


class WebService:
    """One door, or a plain and a TLS one, served by a runner that `make` builds afresh at every start."""

    def __init__(self, make: MakeRunner, door: Door, *, tls: tuple[Door, ssl.SSLContext] | None = None) -> None:
        self.door = door
        self._tls = tls
        self._make = make
        self._runner: web.BaseRunner | None = None

    @property
    def open(self) -> bool:
        """Whether connections are accepted."""
        return self._runner is not None

    async def start(self) -> None:
        """Listen."""
        if self._runner is not None:
            return
        runner = self._make()
        await runner.setup()
        self._runner = runner
        await web.SockSite(runner, self.door.listen()).start()
        if self._tls is not None:
            door, context = self._tls
            await web.SockSite(runner, door.listen(), ssl_context=context).start()

    async def stop(self) -> None:
        """Refuse new connections, break the open ones, keep the port."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        await runner.cleanup()
        # aiohttp cancels its handlers and aborts its transports: give them the turn of the loop in which they end.
        await asyncio.sleep(0)
        self.door.reserve()
        if self._tls is not None:
            self._tls[0].reserve()
