"""The faults under the live daemon: what becomes of what was recorded. `make bench-live` records it, in hours."""

from pathlib import Path

import pytest

from probe.backtest.interchange import MetaLine, RunLine, encode
from scripts.bench_detect.catalogue import DEFAULTS
from scripts.bench_detect.live_peers import pasts, soonest
from scripts.bench_detect.live_record import Measurement, Message, write
from scripts.bench_detect.live_table import COLUMNS, is_right, table

REGIONS = ("a", "b", "c")
BEGAN, ENDED = 1_000_300.0, 1_000_480.0
"""The fault: after ten runs of each region."""


def run(at: float, region: str, *, ok: bool, via: str = "sched") -> RunLine:
    return RunLine(t=at, check="shop", region=region, ok=ok, dur_s=1.0, class_=None if ok else "http_5xx", via=via)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A check at 30 s whose every run fails while the fault is on; an extra run stops before the order, and passes."""
    path = tmp_path / "out.payment-down.runs.jsonl"
    meta = MetaLine(check="shop", interval_s=30, regions=REGIONS, steps=("look", "pay"), start=BEGAN - 300, end=ENDED)
    lines = [
        run(at := BEGAN - 300 + 30 * turn + 10 * number, region, ok=at < BEGAN)
        for turn in range(16)
        for number, region in enumerate(REGIONS)
    ]
    lines.append(run(BEGAN + 2, "b", ok=True, via="confirm"))
    path.write_bytes(b"\n".join(map(encode, (meta, *lines))) + b"\n")
    return path


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        ("Uptime Kuma, no retries", 1),
        ("Gatus, 3 failures, 2 successes", 61),
        ("Checkly, 1 failed run, 2 retries after 60 s", 123),
        ("blackbox, for: 2m", None),
        ("Grafana, medium sensitivity", None),
    ],
)
def test_when_a_rule_would_have_fired(runs: Path, rule: str, seconds: float | None) -> None:
    """Runs before the fault, hours of them, were good; a retry is answered by the run that was next."""
    found = soonest(next(each for each in DEFAULTS if each.name == rule), pasts(runs), BEGAN, BEGAN + 125)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


def test_what_was_open_already_is_open_at_once(runs: Path) -> None:
    kuma = next(each for each in DEFAULTS if each.name == "Uptime Kuma, no retries")
    assert soonest(kuma, pasts(runs), BEGAN + 60, ENDED) == 0
    assert soonest(kuma, pasts(runs), BEGAN - 60, BEGAN) is None


def message(reason: str, at: float, verdict: str = "down") -> Message:
    return Message(
        at=at,
        incident=verdict,
        reason=reason,
        verdict=verdict,
        severity="page",
        title="DOWN",
        body="",
        cause="shop.demo.test",
        step="pay",
        evidence="3 of 3 regions",
        checks=["shop"],
        regions=[*REGIONS],
    )


def test_the_table(tmp_path: Path, runs: Path) -> None:
    """Ours, what is our own trouble aside; what was not measured is named."""
    found = Measurement(
        fault="payment-down",
        began=BEGAN,
        ended=ENDED,
        waited=130.0,
        load=[1.0, 3.0],
        messages=[
            message("opened", BEGAN + 5, "probe_fault"),
            message("opened", BEGAN + 20.5),
            message("resolved", ENDED + 126),
            message("resolved", ENDED + 120, "probe_fault"),
        ],
        timeline=[["down", BEGAN + 20.25, "opened", ""]],
    )
    out = tmp_path / "out.jsonl"
    write(out, Measurement(fault="loss", trouble="every check passes: not within 150 s"))
    write(out, found)
    text = table([out], ["payment-down", "loss"], lambda _rule: 7)
    assert text.splitlines()[2].startswith("| payment-down | **20.5** | down, page | ")
    said = "opened probe_fault page at 5.0, opened down page at 20.5; over after 126.0"
    assert text.splitlines()[-1] == f"| payment-down | 20.2, 20.5 | nothing | {said} | 3 of 3 regions |"
    assert f"| false alarms in 30 days | | |{' 7 |' * len(COLUMNS)}" in text
    assert "Not measured: loss." in text
    assert "Load of the machine: 1.0 to 3.0, median 2.0." in text


def test_what_is_right() -> None:
    """What the suite expects of the fault."""
    failure = {"check": "checkout_api", "step": "checkout", "layer": "http", "kind": "status", "message": "is 502"}
    assert is_right("payment-down", failure)
    assert not is_right("payment-down", {**failure, "step": "view product"})
    assert not is_right("payment-down", {})
