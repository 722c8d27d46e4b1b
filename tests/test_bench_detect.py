"""The benchmark of detection: the rules of other tools do as their documentation says, and the score is fair."""

import pytest

from probe.backtest.noise import DAY, Noise
from probe.backtest.outages import Outage, OutageKind
from probe.backtest.sample import Sample, Setting
from probe.backtest.world import SimulatedWorld
from scripts.bench_detect.__main__ import Job, measured, run
from scripts.bench_detect.catalogue import DEFAULTS, tuned
from scripts.bench_detect.history import Alert, History
from scripts.bench_detect.mixes import MIXES
from scripts.bench_detect.ours import judge
from scripts.bench_detect.peers import BurnRate, Consecutive, Locations, ProbeFor, Rule, Windowed
from scripts.bench_detect.score import score, summarise
from scripts.bench_detect.table import section

SETTING = Setting(check="check", regions=("r0", "r1", "r2"), every=60, timeout=10, length=2 * 3600)
SILENT = Noise(failure_rate=0.0, bursts=0.0, control_rate=0.0)
OUTAGE = Outage(kind=OutageKind.TOTAL, start=3600.0, end=4800.0)
WORLD = SimulatedWorld(SETTING, seed=1, noise=SILENT, outages=(OUTAGE,))


def history(*bad: tuple[int, str], world: SimulatedWorld = WORLD) -> History:
    """Two hours, with a run of each region at second 0, 20, 40 of a minute; those of the given minutes fail."""
    samples = [
        Sample(60.0 * minute + 20.0 * number, region, "failed" if (minute, region) in bad else "passed", 1.0)
        for minute in range(120)
        for number, region in enumerate(SETTING.regions)
    ]
    return History(world=world, samples=samples)


def opened(rule: Rule, given: History) -> list[float]:
    return [alert.at for alert in rule.alerts(given) if alert.what == "open"]


def test_in_a_row() -> None:
    rule = Consecutive(name="Gatus", failures=3)
    assert opened(rule, history((10, "r0"), (11, "r0"), (13, "r0"))) == []
    assert [a[:2] for a in rule.alerts(history((10, "r0"), (11, "r0"), (12, "r0")))] == [
        (60 * 12 + 1, "open"),
        (60 * 14 + 1, "resolve"),
    ]


def test_for_two_minutes() -> None:
    rule = ProbeFor(name="blackbox", lasts=120)
    assert opened(rule, history((10, "r0"), (11, "r0"))) == []
    assert opened(rule, history((10, "r0"), (11, "r0"), (12, "r0"))) == [pytest.approx(60 * 12 + 30)]


def test_so_many_locations_for_so_long() -> None:
    both = ((10, "r0"), (10, "r1"), (11, "r0"), (11, "r1"))
    assert opened(Locations(name="New Relic", locations=2), history(*both)) == [60 * 10 + 21]
    assert opened(Locations(name="New Relic", locations=3), history(*both)) == []
    assert opened(Locations(name="Datadog", locations=2, lasts=90), history(*both)) == [60 * 10 + 21 + 90]
    assert opened(Locations(name="Datadog", locations=2, lasts=180), history(*both)) == []


def test_retries_ask_the_world() -> None:
    rule = Locations(name="Datadog", locations=1, retries=2)
    assert opened(rule, history((10, "r0"))) == []  # retried, it passes
    soonest = opened(rule, History(world=WORLD, samples=list(WORLD.scheduled())))
    assert len(soonest) == 1
    assert OUTAGE.start < soonest[0] < OUTAGE.start + 60


def test_shares_and_counts_of_five_minutes() -> None:
    bad = [(minute, "r0") for minute in range(10, 20)]
    assert opened(Windowed(name="Grafana", good=0.9), history(*bad)) == [pytest.approx(60 * 12 + 300, abs=61)]
    assert opened(Windowed(name="Grafana", good=0.5), history(*bad)) == []
    assert opened(Windowed(name="Grafana", count=3, lasts=0), history(*bad)) == [60 * 13]


def test_burn_rates_take_both_windows() -> None:
    bad = [(minute, region) for minute in range(60, 70) for region in SETTING.regions]
    strict, lax = BurnRate(name="SRE", objective=0.999), BurnRate(name="SRE", objective=0.99)
    assert opened(strict, history(*bad)) == [3630.0]  # 14.4 times 0.1 % of an hour's runs are 2.6
    assert opened(lax, history(*bad[:9])) == []  # too many for five minutes, not for an hour


def test_the_score_of_alerts() -> None:
    alerts = [Alert(100, "open", "a"), Alert(130, "open", "b"), Alert(200, "resolve", "a"), Alert(3650, "open", "a")]
    alerts += [Alert(3655, "open", "c", page=False), Alert(5000, "resolve", "a")]
    found = score(WORLD, alerts)
    assert found.false == {"stray": 1}
    assert [(f.after, f.pages, f.over) for f in found.found] == [(50, 1, 200)]
    late = score(WORLD, [Alert(OUTAGE.end + 10, "open", "a")])
    assert [f.after for f in late.found] == [None]
    assert late.false == {}
    summary = summarise([found], [found, late])
    assert summary.kinds[OutageKind.TOTAL].missed == 0.5


def test_ours_is_judged_by_the_fold() -> None:
    said = judge(WORLD)
    assert [alert.what for alert in said.alerts if alert.page] == ["open", "resolve"]
    assert OUTAGE.start < said.alerts[0].at < OUTAGE.start + 120


def test_names_are_unique_and_every_mix_is_a_world() -> None:
    names = [rule.name for rule in (*DEFAULTS, *tuned())]
    assert len(set(names)) == len(names) > 100
    for mix in MIXES:
        world = mix.world("outages", 0, seed=1, scale=0.1)
        assert world.setting.length == 5 * DAY
        assert {outage.kind for outage in world.outages} <= set(mix.kinds())


def test_a_table_of_a_mix() -> None:
    mix = next(mix for mix in MIXES if mix.name == "http3")
    results = [run(Job(mix=mix.name, part=part, number=2, seed=1, scale=0.025)) for part in ("quiet", "outages")]
    text = section(mix, measured(results))
    assert text.startswith("### http3: request every 60 s from 3 regions")
    assert "| Gatus, 3 failures, 2 successes |" in text
