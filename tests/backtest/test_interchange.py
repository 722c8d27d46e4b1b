"""JSON lines: what is written is read back the same, and a bad line is told where it is and how to mend it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.backtest.alert import Alert, Event
from probe.backtest.interchange import CLASSES, encode, run_line, write_alerts, write_truth
from probe.backtest.read import read_recordings, read_truth
from probe.backtest.score import Truth
from probe.core.check import CheckId
from probe.core.failure import KINDS, Failure
from probe.core.incident import IncidentId, Verdict
from probe.core.rules import Severity
from probe.core.run import Observation, Outcome, Run, RunId, Slot, Step, StepOutcome, Why
from probe.errors import ConfigError
from tests.backtest.lines import META, run, write

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
OURS = sorted(kind for kind in KINDS if KINDS[kind].layer == "probe")
THEIRS = sorted(set(KINDS) - set(OURS))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Any run that the daemon may have stored."""
    outcome = draw(st.sampled_from(Outcome))
    kind = {
        Outcome.FAILED: draw(st.sampled_from(THEIRS)),
        Outcome.ERRORED: draw(st.sampled_from(OURS)),
    }.get(outcome)
    message = draw(st.sampled_from(["", "GET /cart answered 500", "ümläut ☃\n"]))
    failures = () if kind is None else (Failure.of(kind, message, step=draw(st.sampled_from([None, "cart"]))),)
    lost = outcome is Outcome.MISSED
    step = Step(name="product", outcome=StepOutcome.PASSED, start=0.0, duration=draw(st.floats(0, 30)))
    return Run(
        id=RunId(draw(st.text(min_size=1, max_size=5))),
        check=CheckId("checkout"),
        kind="browser",
        target="shop",
        region=draw(st.sampled_from(["eu", "us", "ap"])),
        why=Why.SCHEDULED,
        outcome=outcome,
        started=BEGIN + timedelta(microseconds=draw(st.integers(0, 86_400 * 10**6))),
        duration=timedelta(microseconds=draw(st.integers(0, 10**8))),
        observation=Observation(failures=failures, steps=(step,) if draw(st.booleans()) else ()),
        slot=Slot(number=draw(st.integers(0, 10**9)), due=BEGIN, count=draw(st.integers(1, 99)) if lost else 1),
        maintenance=draw(st.sampled_from([None, "release"])),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(runs(), min_size=1, max_size=8))
def test_what_is_written_is_read_back(made: list[Run]) -> None:
    """Times to the microsecond, outcome, reason and its words, steps, slots: nothing that judgement uses is lost."""
    lines = [run_line(one) for one in made]
    meta = {**META, "start": BEGIN.timestamp(), "end": BEGIN.timestamp() + 86_400}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.jsonl"
        path.write_bytes(json.dumps(meta).encode() + b"\n" + b"".join(encode(line) + b"\n" for line in lines))
        (found,) = read_recordings(path)
    samples = list(found.scheduled())
    assert len(samples) == len(made)
    assert found.setting.start == BEGIN.timestamp()
    by_end = sorted(made, key=lambda one: round(one.ended.timestamp() - BEGIN.timestamp(), 5))
    for before, sample in zip(by_end, samples, strict=True):
        if [round(b.ended.timestamp(), 4) for b in made].count(round(before.ended.timestamp(), 4)) > 1:
            continue  # those that ended together may come in any order
        assert BEGIN + timedelta(seconds=sample.at) == pytest.approx(before.started, abs=timedelta(microseconds=2))
        assert sample.seconds == pytest.approx(before.duration.total_seconds())
        assert (sample.outcome, sample.region) == (before.outcome.value, before.region)
        failure, known = before.failure, sample.recorded
        assert sample.kind == (None if failure is None else failure.kind)
        if before.outcome is not Outcome.PASSED:
            assert known is not None
            assert before.slot is not None
            assert (known.id, known.slot, known.slots) == (before.id, before.slot.number, before.slot.count)
            assert failure is None or (known.message or KINDS[failure.kind].words) == failure.message
            assert known.maintenance == before.maintenance
        if before.outcome in (Outcome.PASSED, Outcome.FAILED):
            assert sample.step == (None if failure is None else failure.step)
            steps = {step.name: step.duration for step in before.observation.steps}
            assert (sample.steps or {}) == pytest.approx(steps, abs=1e-6)


def test_runs_that_nobody_else_needs_are_not_exchanged() -> None:
    """Drills and runs made by hand say nothing about the past."""
    one = Run(
        id=RunId("x"), check=CheckId("c"), kind="http", target="t", region="eu", why=Why.DRILL, outcome=Outcome.PASSED,
        started=BEGIN, duration=timedelta(), observation=Observation(),
    )  # fmt: skip
    assert run_line(one) is None


def test_classes_of_others_are_kinds_of_ours(tmp_path: Path) -> None:
    """Every class is understood, and so is every kind by its own name."""
    names = [*CLASSES, *KINDS]
    lines = [{**run(60.0 * i, ok=False), "class": name} for i, name in enumerate(names)]
    (found,) = read_recordings(write(tmp_path / "runs.jsonl", [META, *lines]))
    assert [sample.kind for sample in found.scheduled()] == [CLASSES.get(name, name) for name in names]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "2: it is not JSON"),
        ('{"type":"nun"}', "2: Invalid value 'nun'"),
        ("[1]", "2: Expected `object`, got `array`"),
        ('{"type":"run","check":"checkout","region":"eu","ok":true,"dur_s":1}', "missing required field `t`"),
        (run(1, dur_s=-1), "2: Expected `float` >= 0.0"),
        (run(1, region="ue"), "2: the meta line of 'checkout' names no region 'ue'; known: ap, eu, us, or add it"),
        (run(1, check="chekout"), "2: no meta line before it names the check 'chekout'; did you mean 'checkout'?"),
        ({**run(1, ok=False), "class": None}, "2: a failed run without a class; say why it failed"),
        ({**run(1, ok=False), "class": "http_5x"}, "2: there is no failure class 'http_5x'; did you mean 'http_5xx'?"),
        (run(1, via="retries"), "2: \"via\" is 'retries'; did you mean 'retry'?"),
        (run(1, via="confirm", region="xx"), "2: the meta line of 'checkout' names no region 'xx'"),
        (META, "2: a second meta line for the check 'checkout'; leave one"),
        ({**META, "check": "b", "regions": ["eu", "eu"]}, "2: its regions are none, more than 255, or one comes twice"),
        ({**META, "check": "b", "slo": 99.9}, '2: "slo" is 99.9; write the share of good runs, such as 0.999'),
        ({"type": "lost", "t": 1, "check": "checkout", "region": "eu", "outcome": "lost"}, "2: \"outcome\" is 'lost'"),
        ({"type": "lost", "t": 1, "check": "nope", "region": "eu", "outcome": "missed"}, "names the check 'nope'"),
        ({"type": "lost", "t": 1, "check": "checkout", "region": "e", "outcome": "missed"}, "no region 'e'"),
    ],
)  # fmt: skip
def test_bad_lines(tmp_path: Path, line: Any, said: str) -> None:
    """File, line, what is wrong, and what would be right; blank lines are none."""
    path = write(tmp_path / "runs.jsonl", [META, line, "", run(2)])
    with pytest.raises(ConfigError) as caught:
        read_recordings(path)
    (found,) = caught.value.diagnostics
    assert str(found).startswith(f"{path}:2: ")
    assert said in str(found)
    assert found.hint


def test_all_bad_lines_at_once(tmp_path: Path) -> None:
    """Up to twenty; then the rest is likely the same mistake."""
    path = write(tmp_path / "runs.jsonl", [META, *[run(1, region="x")] * 50])
    with pytest.raises(ConfigError) as caught:
        read_recordings(path)
    assert [d.line for d in caught.value.diagnostics] == list(range(2, 22))
    assert caught.value.diagnostics[-1].hint.endswith("nothing after this line was looked at")


def test_no_such_file_and_no_meta(tmp_path: Path) -> None:
    """Said like any other mistake."""
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl: cannot read it: No such file"):
        read_recordings(tmp_path / "nowhere.jsonl")
    with pytest.raises(ConfigError, match="it holds no meta line; begin with"):
        read_recordings(write(tmp_path / "empty.jsonl", []))


def test_several_checks_in_one_file(tmp_path: Path) -> None:
    """A world each, all from the same moment on; control runs are everybody's, whatever check they name."""
    lines = [
        {**META, "start": 1000},
        {**META, "check": "cart", "start": 1060, "regions": ["eu"]},
        run(1000),
        run(1061, check="cart"),
        run(1062, check="ping", via="control", dur_s=0.3),
        run(1063, check="cart", via="confirm", ok=False),
    ]
    checkout, cart = read_recordings(write(tmp_path / "runs.jsonl", lines))
    assert (checkout.setting.start, cart.setting.start) == (1000, 1000)
    assert [s.at for s in cart.scheduled()] == [61]
    assert cart.control(60, "eu") == checkout.control(60, "eu")
    found = cart.extra(60, "eu")
    assert found is not None
    assert (found.at, found.outcome) == (63, "failed")
    assert (checkout.has_extras, cart.has_extras) == (False, True)


def test_truth_is_read_back_without_the_noise(tmp_path: Path) -> None:
    """Outages in the order of time; what is no outage is left out."""
    path = tmp_path / "truth.jsonl"
    made = (
        Truth(kind="total", start=10.0, end=20.0, checks=("checkout",)),
        Truth(kind="slowburn", start=5.0, end=50.0, page=False),
    )
    write_truth(path, made, 1000.0)
    with path.open("a") as file:
        file.write('{"v":1,"type":"noise","kind":"burst","start":1,"end":2,"region":"eu"}\n')
    assert read_truth(path, 1000.0) == (made[1], made[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"type": "truth", "kind": "total", "start": 5, "end": 1}, "the outage ends (1) before it starts (5)"),
        ({"type": "truth", "kind": "total", "start": 1, "end": 5, "expect": "wake"}, "\"expect\" is 'wake'"),
        ({"type": "truth", "kind": "total", "start": 1}, "missing required field `end`"),
    ],
)
def test_bad_truths(tmp_path: Path, line: dict[str, Any], said: str) -> None:
    """As with runs."""
    with pytest.raises(ConfigError) as caught:
        read_truth(write(tmp_path / "truth.jsonl", [line]), 0.0)
    assert said in str(caught.value)


def test_alerts_as_lines(tmp_path: Path) -> None:
    """A ticket that becomes a page is opened once more, so that others who count pages see it."""
    common: dict[str, Any] = {
        "incident": IncidentId("i"), "cause": "shop", "severity": Severity.PAGE, "verdict": Verdict.DOWN,
        "checks": ("checkout",), "since": BEGIN, "title": "DOWN", "body": "all of it",
    }  # fmt: skip
    made = [
        Alert(at=1.0, event=Event.RAISED, page=True, **common),
        Alert(at=2.0, event=Event.RAISED, **common),
        Alert(at=3.0, event=Event.RESOLVED, **common),
    ]
    write_alerts(tmp_path / "alerts.jsonl", made, 100.0)
    lines = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [(line["t"], line["event"]) for line in lines] == [(101.0, "open"), (102.0, "update"), (103.0, "resolve")]
    assert (lines[0]["check"], lines[0]["severity"], lines[0]["why"]) == ("checkout", "page", "DOWN")
