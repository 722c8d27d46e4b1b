"""Looks for a planted secret in every byte of a folder: a search that knows what files are made of."""

import gzip
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from probe.core.secret import encodings

SQLITE = b"SQLite format 3\0"
PNG = b"\x89PNG\r\n\x1a\n"
DEEPEST = 5
"""So many times one thing is unpacked from inside another."""


def leaks(folder: Path, secret: str) -> list[str]:
    """Where a form of the secret stands in a folder, in words: files by their names, what is inside of them by theirs.

    Looked into are archives, compressed data, the text of pictures, and every cell of every table of SQLite files, with
    what is still in their write-ahead logs. A file that is a database also counts as bytes: what was deleted is there yet.
    """
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found += told(f"the name of {name}", path.name.encode(), secret)
        if not path.is_file():
            continue
        data = path.read_bytes()
        found += told(name, data, secret)
        if data.startswith(SQLITE):
            for cell, value in _cells(path):
                found += told(f"{name} {cell}", value, secret)
    return found


def told(name: str, data: bytes, secret: str) -> list[str]:
    """Where a form of the secret stands in some bytes, or in what they are the packed form of."""
    forms = encodings(secret)
    return [f"{place}: {form!r}" for place, part in _parts(name, data) for form in sorted(forms) if form in part]


def _parts(name: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    yield name, data
    if depth == DEEPEST:
        return
    for inner, part in _unpacked(data):
        yield from _parts(f"{name} › {inner}", part, depth + 1)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield entry.filename, entry.filename.encode()
                yield entry.filename, archive.read(entry)
    elif data.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):
            yield "gunzipped", gzip.decompress(data)
    elif data.startswith(PNG):
        yield from _png_texts(data)
    elif data[:1] == b"\x78":
        with suppress(zlib.error):
            yield "inflated", zlib.decompress(data)


def _png_texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(PNG)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            start = body.find(b"\x78")
            with suppress(zlib.error):
                yield kind.decode(), zlib.decompress(body[start:])
        at += 12 + length


def _cells(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = [row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # a name that the database gave
                for value in row:
                    if isinstance(value, bytes):
                        yield f"table {table}", value
