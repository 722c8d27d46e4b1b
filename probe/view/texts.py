"""The templates of what is written to be read elsewhere: read once, so that nobody waits for a disk later."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined

TEMPLATES: Final[Mapping[str, str]] = MappingProxyType(
    {path.name: path.read_text("utf-8") for path in sorted((Path(__file__).parent / "templates").iterdir())}
)
"""By the name of the file."""


@cache
def pages() -> Environment:
    """For those that are HTML: everything is escaped, and nothing may lack."""
    return Environment(
        loader=DictLoader(dict(TEMPLATES)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
