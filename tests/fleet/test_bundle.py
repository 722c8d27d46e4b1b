"""What is published: known by its content, and nothing of it can lie elsewhere."""

import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from probe.errors import ProbeError
from probe.fleet.bundle import PUBLISHED, Bundle, bundle_of, lay_out, unpack

DOCUMENT = {
    "targets": {"shop": {"url": "https://shop.example", "secrets": {"card": "${env:CARD}"}}},
    "check": [{"name": "home", "path": "/", "every": "30s"}],
    "maintenance": [{"name": "move", "duration": "2h", "start": datetime(2026, 12, 1, 22, tzinfo=UTC)}],
}


def packed(**body: Any) -> bytes:
    return zlib.compress(json.dumps(body).encode())


def test_it_is_the_same_on_the_other_side() -> None:
    bundle = Bundle(document=DOCUMENT, files={"checks/shop.py": "# ünïcode\n", "checks/help.py": ""})
    again = unpack(bundle.pack())
    assert again.document == DOCUMENT
    assert dict(again.files) == dict(bundle.files)
    assert again.hash == bundle.hash


def test_its_hash_goes_by_the_content_alone() -> None:
    one = Bundle(document=DOCUMENT, files={"a.py": "1", "b.py": "2"})
    assert one.hash == Bundle(document=dict(DOCUMENT), files={"b.py": "2", "a.py": "1"}).hash
    assert one.hash != Bundle(document=DOCUMENT, files={"a.py": "1", "b.py": "3"}).hash
    assert one.hash != Bundle(document={**DOCUMENT, "check": []}, files=one.files).hash


def test_it_is_laid_out_whole(tmp_path: Path) -> None:
    bundle = Bundle(document=DOCUMENT, files={"checks/deep/shop.py": "x = 1\n"})
    lay_out(bundle, tmp_path / "here")
    assert (tmp_path / "here" / "checks" / "deep" / "shop.py").read_text() == "x = 1\n"
    assert (tmp_path / "here" / PUBLISHED).read_text() == bundle.text


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py", "checks/../../evil.py", ""])
def test_a_file_that_would_lie_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ProbeError, match="elsewhere"):
        unpack(packed(config="", files={name: "x"}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no zip",
        zlib.compress(b"no json"),
        packed(files={}),
        packed(config="a = = b", files={}),
        packed(config="", files=[]),
    ],
)
def test_what_is_no_bundle_is_refused(body: bytes) -> None:
    with pytest.raises(ProbeError, match="cannot be read"):
        unpack(body)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(ProbeError, match="too large"):
        unpack(zlib.compress(b" " * (33 * 2**20)))


def test_files_lie_below_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.py").write_text("a")
    (tmp_path / "b.py").write_text("b")
    (tmp_path / "conf" / "c.py").write_bytes(b"\xff\xfe")
    assert bundle_of({}, tmp_path / "conf", [tmp_path / "conf" / "a.py"]).files == {"a.py": "a"}
    for wrong in (tmp_path / "b.py", tmp_path / "conf" / "c.py", tmp_path / "conf" / "gone.py"):
        with pytest.raises(ProbeError, match="cannot be published"):
            bundle_of({}, tmp_path / "conf", [wrong])
