"""The loop: simulated time, in which runs that are asked for are made, and the fold is the daemon's own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from probe.backtest.alert import Event
from probe.backtest.casting import EPOCH
from probe.backtest.loop import EVERY, Played, play, play_together
from probe.backtest.read import read_recordings
from probe.backtest.rules import default_rules
from probe.backtest.sample import Sample, Setting
from probe.core.check import CheckId
from probe.core.evaluate import Event as Happening
from probe.core.evaluate import Overdue, Tick, evaluate
from probe.core.maintenance import Window
from probe.core.rules import Objective, Rules, Severity, Watched
from probe.core.run import Outcome, Run, StepOutcome, Why
from probe.core.state import Ask, Change, State
from tests.backtest.lines import META, recording, run, schedule, write

REGIONS = ("eu", "us")
CHECK = CheckId("checkout")
SETTING = Setting(check="checkout", regions=REGIONS, every=60, timeout=20)


@dataclass
class Toy:
    """A world of a few runs; extra runs take two seconds, control runs one."""

    samples: list[Sample] = field(default_factory=list)
    setting: Setting = SETTING
    asked: list[tuple[str, float, str]] = field(default_factory=list)
    silent: bool = False

    def scheduled(self) -> Iterable[Sample]:
        return self.samples

    def extra(self, at: float, region: str) -> Sample | None:
        self.asked.append(("extra", at, region))
        return None if self.silent else Sample(at, region, "passed", 2.0)

    def control(self, at: float, region: str) -> Sample | None:
        self.asked.append(("control", at, region))
        return Sample(at, region, "passed", 1.0)


def rules(**given: Any) -> Rules:
    watched = Watched(
        id=CHECK, target="shop", cause="shop.example", regions=REGIONS, every=timedelta(minutes=1), timeout=timedelta(seconds=20)
    )  # fmt: skip
    return Rules(checks={CHECK: watched}, controls={"eu": CheckId("ping")}, **given)


class Script:
    """Judgement that writes down what it is given, and answers as it is told."""

    def __init__(self, answer: Callable[[float, Happening], Change | None] = lambda _at, _event: None) -> None:
        self.seen: list[tuple[float, str]] = []
        self.events: list[Happening] = []
        self._answer = answer

    def __call__(self, _state: State, event: Happening, _rules: Rules, now: datetime) -> Change:
        at = (now - EPOCH).total_seconds()
        name = f"{event.region} {event.why}" if isinstance(event, Run) else type(event).__name__.lower()
        self.seen.append((at, name))
        self.events.append(event)
        return self._answer(at, event) or Change()


def ask(*regions: str, why: Why = Why.CONFIRM, check: CheckId = CHECK) -> Change:
    return Change(asks=tuple(Ask(check=check, region=region, why=why) for region in regions))


def passed(*times: tuple[float, str, float]) -> list[Sample]:
    return [Sample(at, region, "passed", seconds) for at, region, seconds in times]


def test_runs_are_judged_when_they_end() -> None:
    """Each with its slot; and nothing else happens when nothing is suspected."""
    script = Script()
    played = play(Toy(passed((20, "us", 1), (0, "eu", 30), (60, "eu", 1))), rules(), judge=script)
    assert script.seen == [(21, "us scheduled"), (30, "eu scheduled"), (61, "eu scheduled")]
    assert (played.scheduled, played.confirms, played.controls, played.unanswered) == (3, 0, 0, 0)
    numbers = [(e.region, e.slot.number) for e in script.events if isinstance(e, Run) and e.slot]
    assert numbers == [("us", 1), ("eu", 1), ("eu", 2)]


def test_what_is_asked_for_is_made_at_once() -> None:
    """Confirmation in the world, control where the rules have one; both are judged when they end."""
    toy, script = Toy(passed((0, "eu", 1), (60, "eu", 1))), Script(
        lambda at, _: Change(asks=(*ask("us").asks, *ask("eu", why=Why.CONTROL, check=CheckId("ping")).asks)) if at == 1 else None
    )  # fmt: skip
    played = play(toy, rules(), judge=script)
    assert toy.asked == [("extra", 1, "us"), ("control", 1, "eu")]
    assert script.seen == [(1, "eu scheduled"), (2, "eu control"), (3, "us confirm"), (61, "eu scheduled")]
    assert (played.confirms, played.controls) == (1, 1)
    extra = script.events[2]
    assert isinstance(extra, Run)
    assert (extra.slot, extra.check, extra.started) == (None, CHECK, EPOCH + timedelta(seconds=1))


def test_one_run_at_a_time_in_a_region() -> None:
    """What is asked for while another one is on comes right after it, and once however often it was asked for."""
    toy = Toy(passed((0, "eu", 1), (0.5, "us", 9), (60, "eu", 1)))
    script = Script(
        lambda at, event: (
            ask("us", "eu") if at in (1, 2) or (isinstance(event, Run) and event.region == "eu" and at < 5) else None
        )
    )
    play(toy, rules(), judge=script)
    assert [(at, region) for _, at, region in toy.asked] == [(1, "eu"), (3, "eu"), (9.5, "us")]


def test_what_nobody_knows_is_counted() -> None:
    """A world without an answer, a check or a region that it does not have: no run comes of it."""
    toy = Toy(passed((0, "eu", 1), (60, "eu", 1)), silent=True)
    script = Script(
        lambda at, _: (
            Change(asks=(*ask("eu", "nowhere").asks, *ask("eu", check=CheckId("other")).asks)) if at == 1 else None
        )
    )
    played = play(toy, rules(), judge=script)
    assert (played.unanswered, played.confirms) == (3, 0)
    assert len(script.seen) == 2


def test_time_passes_only_while_anything_may_come_of_it(tmp_path: Path) -> None:
    """At every tick of the clock from the first doubt on until it is settled."""
    found = recording(tmp_path, *schedule(120, bad=(1800, 1805)))
    ticks: list[float] = []

    def judge(state: State, event: Happening, by: Rules, now: datetime) -> Change:
        if isinstance(event, Tick):
            ticks.append((now - EPOCH).total_seconds())
        return evaluate(state, event, by, now)

    play(found, default_rules([found]), judge=judge)
    assert ticks
    assert all(at % EVERY == 0 for at in ticks)
    assert 1800 < ticks[0] <= 1801 + EVERY
    assert ticks[-1] < 2400


def test_an_outage_is_told_and_is_over(tmp_path: Path) -> None:
    """By the daemon's own rules: a page soon after it began, resolved soon after it ended, in words."""
    found = recording(tmp_path, *schedule(240, bad=(7200, 8400)))
    played = play(found, default_rules([found]))
    opened, resolved = played.alerts[0], played.alerts[-1]
    assert [alert.event for alert in played.alerts if alert.page or alert.event is Event.RESOLVED] == [
        Event.OPENED,
        Event.RESOLVED,
    ]
    assert 7200 < opened.at < 7320
    assert 8400 < resolved.at < 9000
    assert (opened.page, opened.severity, opened.cause, opened.checks) == (
        True,
        Severity.PAGE,
        "checkout",
        ("checkout",),
    )
    assert "checkout" in opened.title
    assert opened.incident in opened.body
    assert resolved.title.startswith("RESOLVED")
    assert not played.state.incidents
    assert (played.scheduled, played.seconds) == (720, 14381)


def test_the_same_world_is_judged_the_same() -> None:
    """Twice over: nothing of the first time is left in it."""

    def once() -> Played:
        toy = Toy(
            [
                Sample(
                    i * 30.0,
                    REGIONS[i % 2],
                    "failed" if 100 < i < 140 else "passed",
                    1.0,
                    None,
                    "status" if 100 < i < 140 else None,
                )
                for i in range(300)
            ]
        )
        return play(toy, rules())

    first = once()
    assert first.alerts == once().alerts
    assert first.alerts


def test_a_run_that_takes_too_long_is_told_before_it_ends() -> None:
    """Once it is known how long runs usually take."""
    usual = [Sample(i * 30.0, REGIONS[i % 2], "passed", 1.0 + i % 7 / 20) for i in range(1200)]
    slow = Sample(36_000.0, "eu", "failed", 20.0, None, "no_response")
    overdue: list[tuple[float, Overdue]] = []

    def judge(state: State, event: Happening, by: Rules, now: datetime) -> Change:
        if isinstance(event, Overdue):
            overdue.append(((now - EPOCH).total_seconds(), event))
        return evaluate(state, event, by, now)

    play(Toy([*usual, slow]), rules(), judge=judge)
    at, event = overdue[0]
    assert (event.check, event.region, event.began) == (CHECK, "eu", EPOCH + timedelta(seconds=36_000))
    assert 36_001 < at < 36_020


def test_several_checks_side_by_side(tmp_path: Path) -> None:
    """One incident for one cause, whichever check noticed it first."""
    lines = [META, {**META, "check": "cart"}, *(row for line in schedule(240, bad=(7200, 8400)) for row in (line, {**line, "check": "cart", "t": line["t"] + 5}))]  # fmt: skip
    worlds = read_recordings(write(tmp_path / "runs.jsonl", lines))
    apart = default_rules(worlds)
    together = Rules(
        checks={
            name: Watched(id=name, target="shop", cause="shop.example", regions=w.regions, every=w.every, timeout=w.timeout)
            for name, w in apart.checks.items()
        },
        routes=apart.routes,
    )  # fmt: skip
    played = play_together(worlds, together)
    assert played.scheduled == 1440
    assert sum(alert.page for alert in played.alerts) == 1
    assert played.alerts[-1].checks in (("checkout", "cart"), ("cart", "checkout"))


def test_objectives_are_counted_and_old_counts_are_forgotten(tmp_path: Path) -> None:
    """As in the daemon: by the minute for some days, by the hour for long."""
    lines = [run(600.0 * number, ok=number != 3) for number in range(1000)]
    found = recording(tmp_path, *lines, meta={**META, "interval_s": 600, "slo": 0.99})
    played = play(found, default_rules([found]))
    ledger = played.state.ledgers["checkout"]
    assert sum(counts.good for counts in ledger.hours.values()) == 999
    assert len(ledger.minutes) < 120


def test_maintenance_is_that_of_the_rules(tmp_path: Path) -> None:
    """Where these have none, that which was recorded."""
    window = Window(name="night", duration=timedelta(minutes=10), start=EPOCH + timedelta(minutes=5))
    script = Script()
    found = recording(tmp_path, run(0), run(330), run(400, maintenance="release"), run(1200, maintenance="release"))
    play(found, rules(windows=(window,)), judge=script)
    assert [e.maintenance for e in script.events if isinstance(e, Run)] == [None, "night", "night", None]
    script = Script()
    play(found, rules(), judge=script)
    assert [e.maintenance for e in script.events if isinstance(e, Run)] == [None, None, "release", "release"]


def test_runs_hold_what_was_recorded(tmp_path: Path) -> None:
    """Outcome, reason in its words, steps with their times, slots, ids."""
    script = Script()
    lines = [
        run(0, ok=False, message="POST /cart answered 500", id="r1", slot=7, steps={"product": 0.5, "cart": 0.4}),
        run(60, ok=False, step="product"),
        run(120, steps={"product": 0.5}),
        {"type": "lost", "t": 180, "check": "checkout", "region": "eu", "outcome": "missed", "slots": 3, "slot": 10},
        {
            "type": "lost",
            "t": 360,
            "check": "checkout",
            "region": "eu",
            "outcome": "errored",
            "failure": "browser_died",
        },
        {"type": "lost", "t": 420, "check": "checkout", "region": "eu", "outcome": "missed", "slots": 2},
        run(540),
    ]
    play(recording(tmp_path, *lines), rules(), judge=script)
    first, second, third, missed, errored, again, last = (e for e in script.events if isinstance(e, Run))
    assert (first.id, first.failure and first.failure.message) == ("r1", "POST /cart answered 500")
    steps = [(s.name, s.outcome, s.start, s.duration) for s in first.observation.steps]
    assert steps == [("product", StepOutcome.PASSED, 0.0, 0.5), ("cart", StepOutcome.FAILED, 0.5, 0.4)]
    assert [(s.name, s.outcome) for s in second.observation.steps] == [
        ("product", StepOutcome.FAILED),
        ("cart", StepOutcome.SKIPPED),
    ]
    assert [s.name for s in third.observation.steps] == ["product"]
    assert (errored.outcome, errored.failure and errored.failure.kind) == (Outcome.ERRORED, "browser_died")
    slots = [(r.slot.number, r.slot.count) for r in (first, second, third, missed, errored, again, last) if r.slot]
    assert slots == [(7, 1), (8, 1), (9, 1), (10, 3), (13, 1), (14, 2), (16, 1)]


def test_progress_is_told() -> None:
    """In seconds of the world."""
    told: list[float] = []
    play(
        Toy([Sample(i * 60.0, "eu", "passed", 1.0) for i in range(1000)]), rules(), progress=told.append, judge=Script()
    )
    assert told == sorted(told)
    assert len(told) == 3


def test_nothing_at_all() -> None:
    """No worlds, no runs."""
    assert play_together((), Rules()).scheduled == 0
    assert play(Toy(), rules()).alerts == ()


def test_objectives_do_not_need_a_suspicion(tmp_path: Path) -> None:
    """Runs that are slow but pass may burn the budget of a latency objective: time passes for it, too."""
    found = recording(tmp_path, *(line if line["t"] < 3600 else {**line, "dur_s": 9.0} for line in schedule(90)))
    base = default_rules([found])
    slow = Objective(name="fast", checks=frozenset({CHECK}), target=0.9, under=3.0)
    played = play(found, Rules(checks=base.checks, objectives={"fast": slow}, routes=base.routes))
    assert any("fast" in alert.body for alert in played.alerts)
