"""Journeys in a real browser: outcomes explained, evidence without secrets, marks where they belong."""

import json
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from probe.core.failure import Layer
from probe.core.run import Observation, Outcome, StepOutcome, Why, outcome_of
from probe.core.secret import Secret, encodings
from probe.core.target import BrowserKind, Evidence, EvidencePolicy
from probe.ports import RunContext
from tests.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILE = Path(__file__).parent / "data" / "journeys.py"
CANARY = 'ca"nary s&cret+é7'


async def walk(
    bench: Bench, name: str, *, timeout: float = 2, context: RunContext | None = None, **more: Any
) -> Observation:
    spec = bench.spec(name, file=FILE, browser=BrowserKind.HEADLESS_SHELL, timeout=timeout, steps=(), **more)
    return await bench.pool.run(spec, context or bench.context())


@pytest.mark.parametrize(
    ("name", "kinds", "words"),
    [
        ("adds_to_cart", ["status", "page_error", "element"], "POST /api/cart answered 500; then heading 'Your cart'"),
        ("clicks_hidden", ["element"], "text 'Pay' was not ready to click within 1.7 s: hidden"),
        ("clicks_twice", ["element"], "button 'Twice' is ambiguous: 2 elements match"),
        ("sees_error", ["page_error", "element"], "the page's script failed: TypeError"),
        ("sees_500", ["status", "assertion"], "GET /500 answered 500; then status 500"),
        ("ignores_500", [], ""),
        ("parses_500", ["status"], "then the check's code failed: ValueError at journeys.py:"),
        ("refused", ["refused"], "the connection was refused"),
        ("soft_and_slow", ["element", "step_slow"], ""),
        ("uses_http", ["status", "header", "json"], "GET /ok"),
    ],
)
async def test_what_is_said(bench: Bench, name: str, kinds: list[str], words: str) -> None:
    seen = await walk(bench, name)
    assert [f.kind for f in seen.failures] == kinds, seen.failures
    if kinds:
        assert words in seen.failures[0].message
        assert outcome_of(seen.failures) is Outcome.FAILED


async def test_a_name_that_is_not_resolved(bench: Bench) -> None:
    """Without a network our own resolver is what is dead; with one, the name is."""
    seen = await walk(bench, "unknown_name", timeout=4)
    assert seen.failures[0].kind in ("name_not_found", "resolver_dead")
    assert "no-such-name.invalid" in seen.failures[0].message


async def test_a_listed_third_party_that_hangs_is_blamed(bench: Bench) -> None:
    listed = await walk(bench, "waits_for_third", context=bench.context(third_parties=("localhost",)))
    assert [f.kind for f in listed.failures] == ["third_party_slow", "page_load"]
    assert listed.failures[0].layer is Layer.THIRD_PARTY
    assert "localhost (third party) has not answered" in listed.failures[0].message
    assert listed.third_parties[0].failed == 0
    assert listed.third_parties[0].share > 0.3
    unlisted = await walk(bench, "waits_for_third")
    assert [f.kind for f in unlisted.failures] == ["page_load"]
    assert "localhost" in unlisted.failures[0].message


async def test_soft_failures_go_on_and_slow_steps_do_not(bench: Bench) -> None:
    seen = await walk(bench, "soft_and_slow")
    assert [(s.name, s.outcome, s.soft) for s in seen.steps] == [
        ("soft", StepOutcome.FAILED, True),
        ("slow", StepOutcome.FAILED, False),
    ]
    assert [f.soft for f in seen.failures] == [True, False]


async def test_marks_and_headers_go_to_the_target_only(bench: Bench) -> None:
    bench.shop.seen.clear()
    seen = await walk(
        bench, "visits_both", timeout=6, context=bench.context(headers={"x-staging": Secret("let-me-in")})
    )
    assert seen.failures == ()
    heard = bench.shop.seen
    for own in ("/both", "/api/own", "/away"):
        assert heard[own]["x-staging"] == "let-me-in"
        assert heard[own]["x-synthetic-check"] == "me"
    for foreign in ("/pixel", "/api", "/landed"):
        assert "x-staging" not in heard[foreign]
        assert "x-synthetic-check" not in heard[foreign]
    assert all(h["user-agent"].endswith(" probe/0.1.0") and "HeadlessChrome" in h["user-agent"] for h in heard.values())


async def test_vitals_and_third_parties(bench: Bench) -> None:
    seen = await walk(bench, "visits_both", timeout=6)
    assert any(v.url.endswith("/both") and v.ttfb is not None and v.fcp is not None for v in seen.vitals), seen.vitals
    assert [p.host.partition(":")[0] for p in seen.third_parties] == ["localhost"]


@pytest.mark.parametrize("evidence", [Evidence(), Evidence.everything()], ids=["default", "everything"])
async def test_no_byte_of_evidence_holds_a_secret(bench: Bench, evidence: Evidence) -> None:
    elsewhere = Secret("postgresql://probe:K7xqZw9@db.example/probe?a=1")  # known here, and of no concern to the page
    context = bench.context(secrets=(Secret(CANARY), elsewhere), headers={"authorization": Secret("Basic abcdefgh")})
    seen = await walk(bench, "logs_in", context=context, evidence=evidence, timeout=4)
    kinds = {a.kind for a in seen.artifacts}
    assert kinds == ({"screenshot", "har", "console"} | ({"trace"} if evidence.trace == "on" else set())), seen.log
    assert context.evidence_dir is not None
    files = [p for p in context.evidence_dir.rglob("*") if p.is_file()]
    assert sorted(str(p) for p in files) == sorted(a.path for a in seen.artifacts)
    for name, data in [*contents(files), ("observation", repr(seen).encode())]:
        for form in encodings(CANARY):
            assert form not in data, (name, form)
        assert b"K7xqZw9" not in data, name
        assert b"session-cookie-value" not in data, name
        assert b"Basic abcdefgh" not in data, name
    har = json.loads(next(p for p in files if p.suffix == ".har").read_text())
    assert [e["response"]["status"] for e in har["log"]["entries"]][:2] == [200, 200]


def contents(files: list[Path]) -> list[tuple[str, bytes]]:
    found = []
    for path in files:
        found.append((path.name, path.read_bytes()))
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found += [(entry, archive.read(entry)) for entry in archive.namelist()]
    return found


async def test_what_shows_a_secret_is_covered_in_the_picture(bench: Bench) -> None:
    """The same page with and without a secret to cover: the pictures differ where it stands."""
    covered = bench.context(secrets=(Secret(CANARY),))
    await walk(bench, "logs_in", context=covered)
    assert covered.evidence_dir is not None
    picture = (covered.evidence_dir / "screenshot.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert black_share(picture) > 0.005


def black_share(png: bytes) -> float:
    """The share of black pixels among all, of an 8-bit RGB(A) picture."""
    width, height, _, color = struct.unpack(">IIBB", png[16:26])
    step, packed, at = (4 if color == 6 else 3), b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += 12 + length
    raw, before = zlib.decompress(packed), bytearray(width * step)
    black = 0
    for y in range(height):
        start = y * (width * step + 1)
        row, kind = bytearray(raw[start + 1 : start + 1 + width * step]), raw[start]
        for i in range(len(row)):
            left, up = (row[i - step] if i >= step else 0), before[i]
            corner = before[i - step] if i >= step else 0
            guess = left + up - corner
            near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, near)[kind]) & 255
        black += sum(row[i] == row[i + 1] == row[i + 2] == 0 for i in range(0, len(row), step))
        before = row
    return black / int(width * height)


async def test_evidence_policies(bench: Bench) -> None:
    off = await walk(bench, "adds_to_cart", evidence=Evidence.nothing())
    assert off.artifacts == ()
    passed = await walk(bench, "ignores_500")
    assert passed.artifacts == ()
    kept = await walk(bench, "ignores_500", evidence=Evidence.everything())
    assert {a.kind for a in kept.artifacts} >= {"screenshot", "trace", "har"}


async def test_evidence_outlives_the_browser(bench: Bench) -> None:
    seen = await bench.page("kills_browser", timeout=2)
    assert "har" in {a.kind for a in seen.artifacts}


async def test_what_is_confirmed_has_a_trace(bench: Bench) -> None:
    """An everyday run stays cheap; one that confirms its failure is proof, unless it was said that there is to be none."""
    everyday, confirming, off, passing = [
        await walk(bench, name, context=replace(bench.context(), why=why), evidence=evidence)
        for name, why, evidence in (
            ("sees_500", Why.SCHEDULED, Evidence()),
            ("sees_500", Why.CONFIRM, Evidence()),
            ("sees_500", Why.CONFIRM, Evidence(trace=EvidencePolicy.OFF)),
            ("ignores_500", Why.CONFIRM, Evidence()),
        )
    ]
    assert {a.kind for a in everyday.artifacts} == {a.kind for a in off.artifacts} == {"screenshot", "har", "console"}
    assert passing.artifacts == (), "nothing failed, nothing is to be proved"
    (trace,) = [a for a in confirming.artifacts if a.kind == "trace"]
    entries = dict(contents([Path(trace.path)]))
    assert b'"method":"goto"' in entries["trace.trace"]
    assert b"/500" in entries["trace.network"]
