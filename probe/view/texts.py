"""The templates of what is written to be read elsewhere: read once, so that nobody waits for a disk later."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

TEMPLATES: Final[Mapping[str, str]] = MappingProxyType(
    {path.name: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "templates").iterdir())}
)
"""By the name of the file."""
