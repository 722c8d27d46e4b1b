"""JSON on standard output: one document, which says the version of its shape and the exit code of its process."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from probe import __version__
from probe.core.encode import SCHEMA


def print_document(code: int, body: Mapping[str, Any]) -> None:
    """Print a document (docs/json.md)."""
    json.dump(
        {"schema": SCHEMA, "probe": __version__, "exit": int(code), **body}, sys.stdout, indent=2, ensure_ascii=False
    )
    sys.stdout.write("\n")
