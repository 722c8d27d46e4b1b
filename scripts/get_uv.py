"""Fetch uv from PyPI with nothing but Python's standard library, and print where it is.

Debian's and Ubuntu's Python come without pip and venv, so this is what a bare machine has. The wheel's SHA-256 is
checked against the index's, and only the `uv` program is taken out of it.
"""

import hashlib
import io
import json
import os
import platform
import sys
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

VERSION = "0.13.9"
INDEX = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"


def main() -> None:
    folder = Path(sys.argv[1])
    program = folder / f"uv-{VERSION}"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".uv-{os.getpid()}"
        part.write_bytes(program_in(wheel()))
        part.chmod(0o755)
        part.rename(program)  # whole or not at all, also when two set-ups run at once
    print(program)


def wheel() -> bytes:
    request = urllib.request.Request(
        f"{INDEX.rstrip('/')}/uv/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    libc = "musllinux" if Path("/etc/alpine-release").exists() else "manylinux"
    ending = f"{platform.machine()}.whl"
    names = [f for f in files if f["filename"].startswith(f"uv-{VERSION}-") and libc in f["filename"]]
    found = [f for f in names if f["filename"].endswith(ending)]
    if not found:
        sys.exit(f"PyPI has no uv {VERSION} for {platform.machine()}: install uv yourself and run this again")
    url = urllib.parse.urljoin(request.full_url, found[0]["url"])
    with urllib.request.urlopen(url, timeout=300) as answer:
        data: bytes = answer.read()
    if hashlib.sha256(data).hexdigest() != found[0]["hashes"]["sha256"]:
        sys.exit(f"{found[0]['filename']}: the SHA-256 is not the index's: not used")
    return data


def program_in(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".data/scripts/uv"))
        return archive.read(name)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(
            f"uv cannot be fetched from {INDEX}: {error}\nInstall uv yourself (https://docs.astral.sh/uv/) and run this again."
        )
