"""A zip that is the same for the same files, and traces with secrets taken out of every file in them."""

import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Final

from probe.core.secret import Redactor

STAMP: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the oldest that a zip can say."""
UNPACKED: Final = 256 * 2**20
"""Bytes that a trace may unpack to: one that is larger is not looked through, and so not handed on."""
ENTRIES: Final = 20_000
"""Files of a trace at most."""


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by their names, in the order of these."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in sorted(files):
            _put(made, name, files[name])
    return buffer.getvalue()


def redacted_zip(body: bytes, redactor: Redactor) -> bytes | None:
    """A zip with every secret taken out of each file in it, and of their names; `None`: it is none that we would make."""
    buffer, left = BytesIO(), UNPACKED
    try:
        with zipfile.ZipFile(BytesIO(body)) as given, zipfile.ZipFile(buffer, "w") as made:
            entries = given.infolist()
            if len(entries) > ENTRIES:
                return None
            for entry in entries:
                with given.open(entry) as file:
                    data = file.read(left + 1)
                left -= len(data)
                if left < 0:
                    return None
                _put(made, redactor.text(entry.filename), redactor.data(data))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError):
        return None
    return buffer.getvalue()


def _put(made: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, STAMP)
    entry.create_system = 3  # wherever it is made
    entry.external_attr = 0o644 << 16
    made.writestr(entry, data, zipfile.ZIP_DEFLATED, 6)
