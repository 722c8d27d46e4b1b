"""Where a node of a fleet keeps the configuration that it was given."""

from pathlib import Path
from typing import Final

from probe.config.settings import Config

FOLDER: Final = "fleet"
"""Below the folder of data: a folder for each configuration that is kept, by its hash."""
ACCEPTED: Final = "accepted"
"""The file there that names the configuration in use."""
CONFIG: Final = "config.toml"
"""What was published, with what the node says of itself."""


def accepted(config: Config) -> Path | None:
    """The configuration that an agent was given, if its own says that it is one; `None`: its own is all there is. Reads a file."""
    if config.fleet is None or config.fleet.judges:
        return None
    folder = config.data / FOLDER
    try:
        path = folder / (folder / ACCEPTED).read_text(encoding="utf-8") / CONFIG
    except OSError:
        return None
    return path if path.exists() else None
