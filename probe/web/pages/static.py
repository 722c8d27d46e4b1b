"""`/static/…`: styles, scripts and icons. Public: they say nothing about anybody."""

from typing import Final

from aiohttp import web

from probe.core.access import Access
from probe.web.assets import ASSETS
from probe.web.render import COMPRESSED
from probe.web.routes import Route

FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "public, no-cache"


def routes() -> tuple[Route, ...]:
    """The one route of them."""
    return (Route(method="GET", path="/static/{name}", handler=static, access=Access.PUBLIC),)


async def static(request: web.Request) -> web.StreamResponse:
    """A file: kept for ever under the address with its version, else asked for again by its tag."""
    asset = ASSETS.get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    headers = {
        "ETag": f'"{asset.version}"',
        "Cache-Control": FOR_EVER if request.query.get("v") == asset.version else ASK_AGAIN,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if any(tag.value == asset.version for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    answer = web.Response(body=asset.body, content_type=asset.type, charset="utf-8", headers=headers)
    if len(asset.body) > COMPRESSED:
        answer.enable_compression()
    return answer
