"""A shop that says back, in every place it knows, whatever it was told: nothing of it may be kept."""

import asyncio
import base64
import gzip
import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from aiohttp import web

COOKIE = "s3ss10n-c00kie-nobody-knows"
"""What the shop itself gives: the configuration knows nothing of it."""
TOKEN = "t0ken-of-the-shops-own-making"
TYPED = "typed-by-the-check-itself"


def page(told: str) -> str:
    safe, script = html.escape(told), json.dumps(told).replace("</", "<\\/")
    packed = base64.b64encode(f"xy{told}".encode()).decode()
    return f"""<!doctype html><meta charset=utf-8><title>Hello {safe}</title><link rel=icon href="data:,">
<h1 data-told="{safe}" title='{safe}'>Account</h1><p>You said {safe}</p><p hidden>{safe}</p>
<a href="/next?password={quote(told)}&csrf_token={TOKEN}">on</a><textarea>{safe}</textarea><input value="{safe}">
<form method=post action=/in><input name=password type=password value="{safe}"><input name=csrf_token type=hidden value="{TOKEN}">
<input name=hint><button>Go</button></form>
<script src="/s/{quote(told, safe="")}.js?v={quote(told)}"></script>
<script>
console.log('told', {script}, 'half \\ud800'); console.error('base64 {packed}'); document.title += '\\ud800';
fetch('/api/told', {{method: 'POST', headers: {{'content-type': 'application/json', 'x-api-key': {script}}},
  body: JSON.stringify({{password: {script}, access_token: '{TOKEN}', note: {script}}})}});
document.cookie = 'mine=' + encodeURIComponent({script});
setTimeout(() => {{ throw new Error('cannot use ' + {script}); }}, 0);
</script>"""


@asynccontextmanager
async def hostile_shop() -> AsyncIterator[str]:
    """Its address."""

    def headers(told: str) -> dict[str, str]:
        shown = quote(told)
        return {
            "X-Build": shown,
            "X-Told": base64.b64encode(told.encode()).decode(),
            "ETag": f'"{shown}"',
            "Server": f"told {shown}",
            "Set-Cookie": f"sid={COOKIE}; Path=/",
        }

    async def told_by(request: web.Request) -> str:
        said = request.query.get("password") or (await request.post()).get("password")
        return str(said or request.headers.get("authorization", "").removeprefix("Bearer ") or "nothing")

    async def home(request: web.Request) -> web.Response:
        told = await told_by(request)
        body = gzip.compress(page(told).encode())
        return web.Response(body=body, content_type="text/html", headers={**headers(told), "Content-Encoding": "gzip"})

    async def into(request: web.Request) -> web.Response:
        told = await told_by(request)
        raise web.HTTPSeeOther(f"/home?password={quote(told)}&csrf_token={TOKEN}", headers=headers(told))

    async def api(request: web.Request) -> web.Response:
        body = await request.text()
        given = json.loads(body) if body else {"password": await told_by(request)}
        answer = web.json_response({**given, "access_token": TOKEN, "seen": request.path_qs}, status=500)
        answer.headers.update(headers(str(given["password"])))
        return answer

    async def script(_request: web.Request) -> web.Response:
        return web.Response(text="console.warn(document.title)", content_type="text/javascript")

    app = web.Application()
    app.add_routes(
        [
            web.get("/", home),
            web.get("/home", home),
            web.post("/in", into),
            web.get("/api/told", api),
            web.post("/api/told", api),
            web.get("/s/{name}", script),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
