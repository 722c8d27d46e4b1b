"""One app worker: an aiohttp application behind the load balancer, with a control channel to the shop.

Over the channel comes which faults it is to have; nothing of it shows in what the worker serves, but the fault.
"""

import asyncio
import json
import os
import signal
import socket

from aiohttp import web

from probe.demo import api, storefront
from probe.demo.backend import BACKEND, Backend, guard
from probe.demo.plan import Plan
from probe.demo.web import app_runner


def main(plan: Plan, index: int) -> None:
    """Serve until the control channel ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    asyncio.run(_serve(plan, index))


async def _serve(plan: Plan, index: int) -> None:
    backend = Backend(plan, f"app-{index + 1}")
    app = web.Application(middlewares=[guard], client_max_size=64 * 1024)
    app[BACKEND] = backend
    app.add_routes([*api.ROUTES, *storefront.ROUTES])
    app.on_response_prepare.append(backend.sign)
    app.cleanup_ctx.append(backend.connected)
    runner = app_runner(app)
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=plan.listening[index])).start()
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=plan.control[index]))
    writer.write(json.dumps({"pid": os.getpid()}).encode() + b"\n")
    while line := await reader.readline():
        backend.faults = frozenset(json.loads(line))
        writer.write(b"{}\n")
    await runner.cleanup()
