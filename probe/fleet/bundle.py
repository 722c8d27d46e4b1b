"""What a fleet publishes: a configuration and the files that it names, as one body that is known by its content.

Nothing of it is secret: values that are must be written as `${env:NAME}` or `${file:PATH}`, and are filled in by each node.
"""

import json
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

import tomli_w

from probe.errors import ProbeError

PUBLISHED: Final = "published.toml"
"""The name of the configuration in the folder that a bundle is laid out in."""
LARGEST: Final = 32 * 2**20
"""Bytes of an unpacked bundle at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A configuration as it is written, before anything is filled in, and the text of files by their relative paths."""

    document: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def text(self) -> str:
        """The configuration as TOML."""
        return tomli_w.dumps(dict(self.document))

    def pack(self) -> bytes:
        """The body to be sent: the same for the same content, wherever it is made."""
        return zlib.compress(self._canonical(), 9)

    @property
    def hash(self) -> str:
        """What it is known by."""
        return sha256(self._canonical()).hexdigest()[:16]

    def _canonical(self) -> bytes:
        return json.dumps({"config": self.text, "files": dict(sorted(self.files.items()))}).encode()


def bundle_of(document: Mapping[str, Any], folder: Path, files: Iterable[Path]) -> Bundle:
    """The bundle of a configuration in `folder`. `ProbeError` for a file that cannot be published."""
    texts: dict[str, str] = {}
    for file in files:
        try:
            name = file.absolute().relative_to(folder.absolute()).as_posix()
            texts[name] = file.read_text(encoding="utf-8")
        except ValueError as error:  # not below it, or no text
            raise ProbeError(
                f"{file} cannot be published: a fleet publishes text files that lie below the folder of its"
                f" configuration, {folder}"
            ) from error
        except OSError as error:
            raise ProbeError(f"{file} cannot be published: {error.strerror}") from error
    return Bundle(document=document, files=texts)


def unpack(body: bytes) -> Bundle:
    """The bundle of a body. `ProbeError` when it is none."""
    try:
        unzip = zlib.decompressobj()
        whole = unzip.decompress(body, LARGEST)
        if unzip.unconsumed_tail:
            raise ProbeError("the published configuration is too large")
        found = json.loads(whole)
        files = {_inside(name): str(text) for name, text in found["files"].items()}
        return Bundle(document=tomllib.loads(found["config"]), files=files)
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProbeError(f"the published configuration cannot be read: {error}") from error


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"the file {name!r} would lie elsewhere")
    return name


def lay_out(bundle: Bundle, folder: Path) -> None:
    """Write it into `folder`, which is made. `ProbeError` without room for it.

    The configuration is written last, so that half a bundle has none.
    """
    try:
        for name, text in (*bundle.files.items(), (PUBLISHED, bundle.text)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write(folder / name, text)
    except OSError as error:
        raise ProbeError(f"the published configuration cannot be kept in {folder}: {error.strerror}") from error


def write(file: Path, text: str) -> None:
    """Write a file whole, or leave it as it was. One that says the same is left alone: there may be no room for another."""
    if file.is_file() and file.read_bytes() == text.encode():
        return
    fresh = file.with_name(f".{file.name}.fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
