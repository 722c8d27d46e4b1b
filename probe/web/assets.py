"""The files of the pages: templates, and what is served at `/static/`. Read once, at the first import: none of it changes while we run."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

_HERE: Final = Path(__file__).parent
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that is served. `version` is of its content: an address that carries it may be kept for ever."""

    body: bytes
    type: str
    version: str


def _asset(file: Path) -> Asset:
    body = file.read_bytes()
    return Asset(body=body, type=_TYPES[file.suffix], version=hashlib.sha256(body).hexdigest()[:12])


ASSETS: Final[Mapping[str, Asset]] = MappingProxyType(
    {file.name: _asset(file) for file in sorted((_HERE / "static").iterdir()) if file.suffix in _TYPES}
)
"""By name."""
TEMPLATES: Final[Mapping[str, str]] = MappingProxyType(
    {file.name: file.read_text("utf-8") for file in sorted((_HERE / "templates").glob("*.html"))}
)
"""The text of each template by its name."""
