"""Playwright's trace viewer, as the playwright package brings it: its files, and the rules that they are served under.

The viewer shows the markup that a shop sent, so it has an origin of its own, where there is nothing to steal: no session, no
page, no API. Beside that it loads nothing but itself and the trace: what the shop's pages want from elsewhere never leaves
the browser. Playwright itself is not imported.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

FOLDER: Final = Path("driver", "package", "lib", "vite", "traceViewer")
"""Where the viewer lies in the playwright package."""
PAGE: Final = "index.html"
"""The page that shows a trace."""
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
}
"""What is served, by the ending of its name; nothing else is."""
INLINE: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
"""A script in a page of the viewer: allowed by its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerFile:
    """A file of the viewer, with the headers that it is to be served with."""

    body: bytes
    headers: dict[str, str]


class Viewer:
    """The files of a folder and of its `assets`. Reads them when they are asked for: blocks."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path
            for path in (*folder.glob("*"), *folder.glob("assets/*"))
            if path.is_file() and path.suffix in TYPES and not path.name.startswith("uiMode.html")
        }

    @property
    def names(self) -> frozenset[str]:
        """The names of its files."""
        return frozenset(self._files)

    def file(self, name: str) -> ViewerFile | None:
        """One of them; `None`: there is none of that name."""
        path = self._files.get(name)
        if path is None:
            return None
        body = path.read_bytes()
        named_by_content = path.suffix in (".css", ".ttf") or (path.suffix == ".js" and name != "sw.bundle.js")
        headers = {
            "Content-Type": TYPES[path.suffix],
            "Cache-Control": "public, max-age=604800" if named_by_content else "no-cache",
            "Content-Security-Policy": policy(INLINE.findall(body) if path.suffix == ".html" else ()),
            **ISOLATED,
        }
        return ViewerFile(body=body, headers=headers)


ISOLATED: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-DNS-Prefetch-Control": "off",
}
"""Headers of everything on the viewer's origin."""


def policy(scripts: tuple[bytes, ...] | list[bytes] = ()) -> str:
    """What the viewer may do: run its own scripts (and those that stand in its page), load its own files and the trace.

    It is the policy of its service worker, too: whatever a recorded page asks for goes through that, and it can reach
    nothing but this origin.
    """
    hashes = "".join(f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self'{hashes}",
            "style-src 'self' 'unsafe-inline'",  # the viewer's editor makes its own style sheets
            "img-src 'self' blob: data:",
            "font-src 'self' blob: data:",
            "media-src 'self' blob: data:",
            "connect-src 'self' blob: data:",
            "frame-src 'self' blob: data:",
            "worker-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


@cache
def find_viewer() -> Viewer | None:
    """The viewer of the playwright that is installed; `None`: it has none. Blocks."""
    spec = find_spec("playwright")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(place) / FOLDER
        if (folder / PAGE).is_file():
            return Viewer(folder)
    return None
