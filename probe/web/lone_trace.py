"""The trace viewer with one trace, for one's own machine: what `probe trace` serves. Nobody else may ask, and nothing else is there."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from probe.errors import ProbeError
from probe.web.answers import Handler
from probe.web.isolation import INSIDE
from probe.web.pages.trace import FILE, answer_file, viewer_address
from probe.web.viewer import ISOLATED, Viewer

HOST = "127.0.0.1"


@asynccontextmanager
async def serve_trace(viewer: Viewer, trace: bytes) -> AsyncIterator[str]:
    """Serve the viewer on a free port of this machine for the time of the context; gives the address that shows the trace.

    The trace opens with a ticket that nobody can guess: others on this machine may ask, and get the viewer alone.
    """
    ticket = secrets.token_urlsafe(24)
    served = ""  # the host that requests are for, once it is known

    @web.middleware
    async def ours(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host != served:  # another's name, made to lead here
            return web.Response(status=421, text="this is not served here\n", headers=ISOLATED)
        return await handler(request)

    async def artifact(request: web.Request) -> web.StreamResponse:
        if not secrets.compare_digest(request.match_info["ticket"].encode(), ticket.encode()):
            return web.Response(status=404, text="there is no such trace\n", headers=ISOLATED)
        return web.Response(body=trace, headers=FILE)

    async def file(request: web.Request) -> web.StreamResponse:
        return await answer_file(viewer, request.match_info["name"])

    app = web.Application(middlewares=[ours])
    app.router.add_get(f"{INSIDE}artifact/{{ticket}}", artifact)
    app.router.add_get(f"{INSIDE}{{name:.+}}", file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, 0).start()
        except OSError as error:
            raise ProbeError(f"nothing can be served on {HOST}: {error.strerror or error}") from error
        served = f"{HOST}:{runner.addresses[0][1]}"
        yield viewer_address(f"http://{served}", ticket)
    finally:
        await runner.cleanup()
