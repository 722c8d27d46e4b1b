"""Simulated worlds: the same for the same seed, noisy as said, with outages whose truth is known."""

from collections import Counter
from itertools import pairwise

import pytest

from probe.backtest.noise import DAY, Disturbance, Episode, Noise
from probe.backtest.outages import Outage, OutageKind, Plan
from probe.backtest.sample import Sample, Setting, World
from probe.backtest.world import SimulatedWorld
from probe.core.failure import KINDS

STEPS = ("product", "cart", "checkout")
SILENT = Noise(failure_rate=0.0, bursts=0.0, control_rate=0.0, tail=0.0)


def setting(
    *, days: float = 1.0, regions: int = 3, every: float = 60.0, steps: tuple[str, ...] = STEPS, timeout: float = 60.0
) -> Setting:
    names = tuple(f"r{number}" for number in range(regions))
    return Setting(check="shop", regions=names, every=every, timeout=timeout, steps=steps, length=days * DAY)


def failed(samples: list[Sample]) -> float:
    return sum(sample.outcome == "failed" for sample in samples) / len(samples)


def during(world: SimulatedWorld, outage: Outage) -> list[Sample]:
    return [sample for sample in world.scheduled() if outage.start <= sample.at < outage.end]


def with_outage(**changes: object) -> SimulatedWorld:
    fields: dict[str, object] = {"kind": OutageKind.TOTAL, "start": 6 * 3600.0, "end": 10 * 3600.0, **changes}
    return SimulatedWorld(setting(), seed=3, noise=SILENT, outages=(Outage(**fields),))  # type: ignore[arg-type]  # fields of an outage


def test_the_same_seed_is_the_same_world() -> None:
    one, same, other = (SimulatedWorld(setting(), seed=seed, outages=Plan(warm_up=3600)) for seed in (1, 1, 2))
    assert list(one.scheduled()) == list(same.scheduled()) != list(other.scheduled())
    assert (one.outages, one.episodes) == (same.outages, same.episodes)
    assert one.extra(4000.5, "r1") == one.extra(4000.5, "r1") == same.extra(4000.5, "r1")
    world: World = one
    assert world.control(77.0, "r0") == same.control(77.0, "r0")


def test_the_schedule_is_whole_and_in_the_order_in_which_runs_ended() -> None:
    world = SimulatedWorld(setting(regions=4), seed=1, outages=Plan(warm_up=3600.0))
    samples = list(world.scheduled())
    assert Counter(sample.region for sample in samples) == dict.fromkeys(("r0", "r1", "r2", "r3"), 1440)
    assert all(before.ended <= after.ended for before, after in pairwise(samples))
    for sample in samples:
        assert 0 < sample.seconds <= 60
        assert (sample.kind in KINDS) == (sample.outcome == "failed")
        assert sample.steps is not None
        assert sum(sample.steps.values()) == pytest.approx(sample.seconds)
        assert sample.step is None or list(sample.steps)[-1] == sample.step


@pytest.mark.parametrize("rate", [0.002, 0.02])
def test_as_many_runs_fail_for_no_reason_as_was_said(rate: float) -> None:
    noise = Noise(failure_rate=rate, bursts=0.0)
    samples = list(SimulatedWorld(setting(days=10, regions=5, steps=()), seed=5, noise=noise).scheduled())
    assert failed(samples) == pytest.approx(rate, rel=0.35)
    kinds = Counter(sample.kind for sample in samples if sample.kind)
    assert set(kinds) == {"refused", "status", "tls_handshake", "connect_timeout", "no_response"}


@pytest.mark.parametrize(("hang", "kind"), [(0.0, "status"), (1.0, "no_response")])
def test_a_total_outage_fails_every_run(hang: float, kind: str) -> None:
    world = with_outage(hang=hang)
    samples = during(world, world.outages[0])
    assert failed(samples) == 1.0
    assert {sample.kind for sample in samples} == {kind}
    assert not any(s.outcome == "failed" for s in world.scheduled() if s.at < world.outages[0].start)
    assert world.extra(world.outages[0].start + 1, "r2").outcome == "failed"
    assert world.extra(world.outages[0].end, "r2").outcome == "passed"
    assert world.control(world.outages[0].start + 1, "r2").outcome == "passed"


def test_outages_strike_where_and_when_they_say() -> None:
    start, end = 6 * 3600.0, 10 * 3600.0
    half = with_outage(share=0.5)
    assert failed(during(half, half.outages[0])) == pytest.approx(0.5, abs=0.05)
    of_step = with_outage(kind=OutageKind.STEP, step=1)
    assert {(s.step, s.kind) for s in during(of_step, of_step.outages[0])} == {("cart", "assertion")}
    regional = with_outage(kind=OutageKind.REGION, region=1)
    assert {s.region for s in during(regional, regional.outages[0]) if s.outcome == "failed"} == {"r1"}
    flapping = with_outage(kind=OutageKind.FLAP, on=((start, start + 600),))
    assert {s.at < start + 600 for s in during(flapping, flapping.outages[0]) if s.outcome == "failed"} == {True}
    spreading = with_outage(kind=OutageKind.DNS, reached=(0.0, 3600.0, end), step=0)
    struck = [s for s in during(spreading, spreading.outages[0]) if s.outcome == "failed"]
    assert {s.region for s in struck if s.at < start + 3600} == {"r0"}
    assert {s.region for s in struck} == {"r0", "r1"}
    slow = with_outage(kind=OutageKind.LATENCY, share=0.0, slower=3.0)
    took = [s.seconds for s in during(slow, slow.outages[0])]
    before = [s.seconds for s in slow.scheduled() if s.at < start]
    assert sum(took) / len(took) > 2 * sum(before) / len(before)


@pytest.mark.parametrize("seen", [True, False])
def test_a_troubled_network_is_seen_by_control_runs_when_it_says_so(seen: bool) -> None:
    trouble = Episode(kind=Disturbance.BURST, start=3600.0, end=7200.0, regions=(0,), share=1.0, seen=seen)
    world = SimulatedWorld(setting(), seed=1, noise=SILENT, drawn=(trouble,))
    controls = [world.control(4000.0, region).outcome for region in ("r0", "r1")]
    assert controls == ["failed" if seen else "passed", "passed"]
    inside = [s for s in world.scheduled() if trouble.start <= s.at < trouble.end]
    assert {s.region for s in inside if s.outcome == "failed"} == {"r0"}


def test_a_plan_has_every_kind_with_hours_between() -> None:
    world = SimulatedWorld(setting(days=20), seed=4, outages=Plan())
    assert {outage.kind for outage in world.outages} == set(OutageKind) - {OutageKind.SLOWBURN}
    assert all(after.start - before.end >= 7200 for before, after in pairwise(world.outages))
    request = SimulatedWorld(setting(days=20, steps=()), seed=4, outages=Plan())
    assert not {outage.kind for outage in request.outages} & {OutageKind.STEP, OutageKind.PAYMENT}


def test_noise_of_every_kind_comes_as_often_as_it_says() -> None:
    noise = Noise(bursts=3.0, blips=6.0, slow_blips=10.0)
    kinds = Counter(e.kind for e in SimulatedWorld(setting(days=300), seed=1, noise=noise).episodes)
    assert kinds[Disturbance.BURST] == pytest.approx(90, rel=0.4)
    assert kinds[Disturbance.BLIP] == pytest.approx(60, rel=0.4)
    assert kinds[Disturbance.SLOW_BLIP] == pytest.approx(100, rel=0.4)


def test_what_takes_longer_than_the_timeout_fails() -> None:
    world = SimulatedWorld(setting(timeout=2.0, steps=()), seed=1, noise=SILENT, median=10.0)
    assert {(s.outcome, s.kind, s.seconds) for s in world.scheduled()} == {("failed", "no_response", 2.0)}
