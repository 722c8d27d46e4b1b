"""A bundle: all that somebody without access needs, nothing that they may not have, and the same bytes each time."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from probe.core.secret import Redactor, Secret
from probe.view import bundle as module
from probe.view import packing
from probe.view.bundle import bundle
from probe.view.packing import redacted_zip
from tests.store.builders import at
from tests.view import outage

HOME = "evidence/checkout-eu-0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("outage")
    outage.fill(made)
    return made


def files_of(body: bytes | None) -> dict[str, bytes]:
    assert body is not None
    with zipfile.ZipFile(BytesIO(body)) as packed:
        assert packed.testzip() is None
        return {entry.filename: packed.read(entry) for entry in packed.infolist()}


def test_everything_is_in_it_and_no_secret(folder: Path) -> None:
    """Read me, the document, timeline, report, the runs that matter, their evidence; every byte of it is looked through."""
    with outage.looking(folder) as sources:
        body = bundle(sources, outage.ID, restricted=True)
    assert body is not None
    files = files_of(body)
    evidence = ("console.log", "network.har", "reference.jpg", "screenshot.png", "trace.zip")
    assert list(files) == sorted(
        [
            "README.txt",
            "incident.json",
            "report.html",
            "timeline.md",
            *(f"{HOME}/{name}" for name in evidence),
            *(f"runs/{run}.json" for run in ("c-ap", "c-us", "checkout-ap-5", "checkout-eu--1", "checkout-eu-0")),
        ]
    )
    assert outage.leaks(body) == []
    assert files[f"{HOME}/screenshot.png"] == outage.PNG
    told = json.loads(files["incident.json"])
    assert told["incident"]["id"] == outage.ID
    assert next(row["path"] for row in told["first_run"]["run"]["evidence"]) == f"{HOME}/screenshot.png"
    assert str(folder) not in "".join(
        body.decode(errors="replace") for name, body in files.items() if name != "trace.zip"
    )
    run = json.loads(files["runs/checkout-eu-0.json"])
    assert (run["run"]["failure"]["step"], len(run["requests"]), run["compared"]["good"]) == (
        "pay",
        2,
        "checkout-eu--1",
    )
    har = json.loads(files[f"{HOME}/network.har"])
    assert har["log"]["entries"][0]["request"]["url"] == "https://shop.example/cart?k=***"
    assert b"data:image/png;base64," in files["report.html"]
    assert b"the cart's database is full" in files["timeline.md"]


def test_the_readme_says_how_to_reproduce_it(folder: Path) -> None:
    with outage.looking(folder) as sources:
        shown = files_of(bundle(sources, outage.ID, restricted=True))["README.txt"].decode()
    assert shown.startswith(f"Incident {outage.ID}: ")
    assert "\n    probe check checkout --once\n" in shown
    assert "Configuration 0123456789ab, probe 1.2.3.\nSeen from eu, us.\n" in shown
    assert "Left out" not in shown


def test_the_same_incident_gives_the_same_bytes(folder: Path) -> None:
    """Whenever it is packed."""
    made = []
    for minute in (10, 500):
        with outage.looking(folder, now=at(minute)) as sources:
            made.append(bundle(sources, outage.ID, restricted=True))
    assert made[0] == made[1]


def test_what_is_for_operators_alone_stays_here(folder: Path) -> None:
    """Files, console and logs of a restricted check, and what operators wrote; the read me says what is missing."""
    with outage.looking(folder, restricted=frozenset({"checkout"})) as sources:
        files = files_of(bundle(sources, outage.ID, restricted=False))
    assert [name for name in files if name.startswith("evidence/")] == []
    run = json.loads(files["runs/checkout-eu-0.json"])["run"]
    assert (run["console"], run["log"], run["texts"]) == ([], [], [])
    told = json.loads(files["incident.json"])
    assert (told["notes"], told["first_run"]["run"]["log"]) == ([], [])
    assert b"database is full" not in b"".join(files.values())
    assert b"data:image" not in files["report.html"]
    shown = files["README.txt"].decode()
    assert f"\n    {HOME}/screenshot.png: it is for operators alone\n" in shown
    assert "What is for operators alone is not in here." in shown


def test_there_is_no_such_incident(folder: Path) -> None:
    with outage.looking(folder) as sources:
        assert bundle(sources, "none", restricted=True) is None


def test_what_has_no_room_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures first, the trace last."""
    monkeypatch.setattr(module, "MOST", 0)
    with outage.looking(folder) as sources:
        monkeypatch.setattr(module, "_Bundle", lambda: _small(len(outage.PNG) + 10))
        files = files_of(bundle(sources, outage.ID, restricted=True))
    assert [name for name in files if name.startswith("evidence/")] == [f"{HOME}/screenshot.png"]
    shown = files["README.txt"].decode()
    assert f"    {HOME}/trace.zip: there is room for 0 MB of evidence in all\n" in shown


def _small(room: int) -> Any:
    return _BUNDLE(room=room)


_BUNDLE = module._Bundle


def test_files_that_are_gone_or_cannot_be_looked_through_are_told(tmp_path: Path) -> None:
    outage.fill(tmp_path)
    home = tmp_path / "evidence/checkout/checkout-eu-0"
    (home / "network.har").unlink()
    (home / "trace.zip").write_bytes(b"no zip")
    (home / "screenshot.png").write_bytes(outage.PNG + outage.CANARY.encode())
    with outage.looking(tmp_path) as sources:
        body = bundle(sources, outage.ID, restricted=True)
    assert body is not None
    files = files_of(body)
    assert [name for name in files if name.startswith("evidence/")] == [f"{HOME}/console.log", f"{HOME}/reference.jpg"]
    shown = files["README.txt"].decode()
    assert f"    {HOME}/network.har: it is not there any more, or not here\n" in shown
    for name in ("trace.zip", "screenshot.png"):
        assert f"    {HOME}/{name}: it could not be looked through for secrets\n" in shown
    assert outage.leaks(body) == []


def test_a_zip_that_we_would_not_make_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that unpacks without an end, or to more files than any trace has."""
    redactor = Redactor([Secret(outage.CANARY)])
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros", b"0" * 100_000)
        made.writestr("more", b"0")
    body = buffer.getvalue()
    assert redacted_zip(body, redactor) is not None
    monkeypatch.setattr(packing, "ENTRIES", 1)
    assert redacted_zip(body, redactor) is None
    monkeypatch.undo()
    monkeypatch.setattr(packing, "UNPACKED", 100_000)
    assert redacted_zip(body, redactor) is None
    assert redacted_zip(body[: len(body) // 2], redactor) is None
