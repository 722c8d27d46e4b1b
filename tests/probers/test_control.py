"""The control prober: real anchors that answer, hang, refuse, and lie; a name server that is dead; and this very host."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe.core.check import Anchors, CheckId, CheckSpec, HttpCall, Source
from probe.core.failure import Layer
from probe.core.run import Observation, Outcome, RunId, Step, StepOutcome, Why, outcome_of
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserSettings, Region, Target
from probe.net import resolve, tls
from probe.ports import Marks, ProberSettings, RunContext
from probe.probers.control import ECHO, ControlProber
from probe.registry import load
from tests.net.servers import HERE, authority, name_server, ok, says, serving, socks5_proxy

CONTROL = "control.here"


def context_of(region: Region = HERE) -> RunContext:
    marks = Marks(user_agent="probe/9", headers={"x-synthetic-check": CONTROL}, trace_id="ab" * 16)
    target = Target(name=CONTROL, url="https://localhost")
    return RunContext(run=RunId("r"), why=Why.CONTROL, region=region, target=target, marks=marks, redactor=Redactor())


def spec_of(*anchors: str, seconds: float = 2.0) -> CheckSpec:
    return CheckSpec(
        id=CheckId(CONTROL),
        kind="control",
        target=CONTROL,
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=seconds),
        work=Anchors(names=anchors),
        source=Source(file="config.toml", line=1),
    )


@pytest.fixture
async def prober(tmp_path: Path) -> AsyncIterator[ControlProber]:
    kind = load("probe.probers", "control")
    async with kind(ProberSettings(browser=BrowserSettings(), scratch=tmp_path)) as prober:
        assert spec_of().prober == "control"
        yield prober


def steps_of(observation: Observation) -> dict[str, Step]:
    return {step.name: step for step in observation.steps}


async def test_an_anchor_that_answers_is_enough(prober: ControlProber) -> None:
    """One hangs, one refuses: the third has answered, and nobody waits for the first. Nothing of a target is sent."""
    seen: list[str] = []
    async with serving(says(stay=True)) as hangs, serving(says(ok(), seen=seen)) as answers:
        names = (f"http://127.0.0.1:{hangs}/", "http://127.0.0.1:1/", f"http://127.0.0.1:{answers}/")
        async with asyncio.timeout(10):
            observed = await prober.probe(spec_of(*names, seconds=60), context_of())
    assert observed.failures == ()
    steps = steps_of(observed)
    assert [steps[name].outcome for name in (names[0], names[2], ECHO)] == [
        StepOutcome.SKIPPED,
        StepOutcome.PASSED,
        StepOutcome.PASSED,
    ]
    assert [exchange.status for exchange in observed.exchanges] == [200]
    assert observed.duration is not None
    assert "x-synthetic-check" not in seen[0].lower()


async def test_none_that_answers_is_the_failure_of_the_first(prober: ControlProber) -> None:
    """Every anchor's answer is there, as the proof."""
    async with (
        serving(says(b"HTTP/1.1 503 Gone\r\nContent-Length: 0\r\n\r\n")) as broken,
        serving(says(stay=True)) as hangs,
    ):
        names = ("http://127.0.0.1:1/", f"http://127.0.0.1:{broken}/", f"http://127.0.0.1:{hangs}/")
        observed = await prober.probe(spec_of(*names, seconds=0.3), context_of())
    assert outcome_of(observed.failures) is Outcome.FAILED
    assert [(failure.layer, failure.kind) for failure in observed.failures] == [(Layer.CONNECT, "refused")]
    kinds = [failure.kind for name in names if (failure := steps_of(observed)[name].failure)]
    assert kinds == ["refused", "status", "no_response"]
    assert steps_of(observed)[ECHO].outcome is StepOutcome.PASSED


async def test_tls_that_somebody_else_answers_is_no_answer(
    prober: ControlProber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of those that the system trusts, then one of somebody in between."""
    (tmp_path / "other").mkdir()
    mine, other = authority(tmp_path), authority(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(mine.file))
    monkeypatch.setattr(tls, "_kept", {})
    async with serving(says(ok()), ssl=mine.serves()) as good, serving(says(ok()), ssl=other.serves()) as bad:
        assert (await prober.probe(spec_of(f"https://127.0.0.1:{good}/"), context_of())).failures == ()
        observed = await prober.probe(spec_of(f"https://127.0.0.1:{bad}/"), context_of())
    assert [(failure.layer, failure.kind) for failure in observed.failures] == [(Layer.TLS, "certificate_untrusted")]


async def test_a_name_is_asked_of_the_regions_own_name_server(
    prober: ControlProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers, it knows no such name, it is dead: the last is trouble of our own."""
    monkeypatch.setattr(resolve, "PATIENCE", 0.2)
    monkeypatch.setattr(resolve, "SIGN_OF_LIFE", 0.2)
    async with name_server({"anchor.example": ["192.0.2.1"]}) as (server, zone):
        here = Region(name="here", nameserver=server)
        assert (await prober.probe(spec_of("dns:anchor.example"), context_of(here))).failures == ()
        assert "anchor.example" in zone.asked
        unknown = await prober.probe(spec_of("dns:nope.example"), context_of(here))
        slow = await prober.probe(spec_of("dns:silent.example", seconds=0.6), context_of(here))
    dead = await prober.probe(spec_of("dns:anchor.example"), context_of(Region(name="here", nameserver="127.0.0.1:1")))
    assert [f.kind for seen in (unknown, slow, dead) for f in seen.failures] == [
        "name_not_found",
        "dns_timeout",
        "resolver_dead",
    ]
    assert outcome_of(dead.failures) is Outcome.ERRORED
    assert steps_of(dead)["dns:anchor.example"].outcome is StepOutcome.ERRORED


async def test_anchors_are_reached_by_the_regions_own_way_out(prober: ControlProber) -> None:
    """Through its proxy; and when the proxy is gone, it is us."""
    seen: list[str] = []
    async with serving(says(ok())) as port, serving(socks5_proxy(seen)) as way:
        there = Region(name="there", proxy=Secret(f"socks5://127.0.0.1:{way}"))
        observed = await prober.probe(spec_of(f"http://127.0.0.1:{port}/"), context_of(there))
    assert (observed.failures, seen) == ((), [f"127.0.0.1:{port}"])
    gone = await prober.probe(spec_of(f"http://127.0.0.1:{port}/"), context_of(there))
    assert [failure.kind for failure in gone.failures] == ["egress_failed"]


async def test_a_host_that_cannot_speak_to_itself_is_at_fault(tmp_path: Path) -> None:
    """Whatever the anchors say."""
    async with (
        serving(says(ok())) as port,
        ControlProber(ProberSettings(browser=BrowserSettings(), scratch=tmp_path), loopback="192.0.2.1") as prober,
    ):
        observed = await prober.probe(spec_of(f"http://127.0.0.1:{port}/"), context_of())
    assert outcome_of(observed.failures) is Outcome.ERRORED
    assert [(failure.layer, failure.kind) for failure in observed.failures] == [(Layer.PROBE, "no_network")]
    assert steps_of(observed)[ECHO].outcome is StepOutcome.ERRORED
    assert steps_of(observed)[f"http://127.0.0.1:{port}/"].outcome is StepOutcome.PASSED


async def test_a_host_that_is_too_slow_is_at_fault(prober: ControlProber) -> None:
    """No time at all to shake hands with oneself."""
    async with serving(says(ok())) as port:
        observed = await prober.probe(spec_of(f"http://127.0.0.1:{port}/", seconds=0.0), context_of())
    assert [failure.kind for failure in observed.failures] == ["host_starved"]


async def test_nothing_is_left(prober: ControlProber) -> None:
    """No task, no server: run after run, also when it is cancelled."""
    before = len(asyncio.all_tasks())
    async with serving(says(stay=True)) as hangs:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await prober.probe(spec_of(f"http://127.0.0.1:{hangs}/", seconds=60), context_of())
        for _ in range(3):
            await prober.probe(spec_of("http://127.0.0.1:1/"), context_of())
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == before
    with socket.socket() as sock:  # loopback takes connections as before
        sock.bind(("127.0.0.1", 0))


async def test_other_work_is_refused(prober: ControlProber) -> None:
    """A bug of ours is a failure of ours."""
    observed = await prober.probe(replace(spec_of(), work=HttpCall()), context_of())
    assert [failure.kind for failure in observed.failures] == ["internal"]
