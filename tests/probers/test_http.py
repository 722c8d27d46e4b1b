"""The HTTP prober: one request, judged; what is shared between runs and what never is."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from probe.core.check import CheckId, CheckSpec, Function, HttpCall, Source
from probe.core.expectation import Expectation, Op, Subject
from probe.core.run import Observation, RunId, Why
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserSettings, Region, Target
from probe.ports import Marks, Prober, ProberSettings, RunContext
from probe.probers.http import HttpProber
from tests.net.servers import HERE, authority, moved, ok, paths, says, serving

MARKS = Marks(user_agent="probe/9", headers={"X-Synthetic-Check": "home"}, trace_id="ab" * 16)
FINE = Expectation(subject=Subject.STATUS, op=Op.EQUALS, value=200)


@pytest.fixture
async def prober(tmp_path: Path) -> AsyncIterator[HttpProber]:
    async with HttpProber(ProberSettings(browser=BrowserSettings(), scratch=tmp_path)) as prober:
        yield prober


def check(call: HttpCall, seconds: float = 2.0) -> CheckSpec:
    return CheckSpec(
        id=CheckId("home"),
        kind="http",
        target="shop",
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=seconds),
        work=call,
        source=Source(file="config.toml", line=1),
    )


async def run(
    prober: Prober, target: Target, call: HttpCall, *, region: Region = HERE, seconds: float = 2.0
) -> Observation:
    context = RunContext(
        run=RunId("r1"), why=Why.MANUAL, region=region, target=target, marks=MARKS, redactor=Redactor()
    )
    return await prober.probe(check(call, seconds), context)


async def test_a_run_that_passes(prober: HttpProber) -> None:
    """The request is what the check says, with target headers and marks; the observation is whole."""
    seen: list[str] = []
    async with serving(paths({"/shop/cart?x=1": ok(b'{"items": 1}')}, seen)) as port:
        target = Target(name="shop", url=f"http://127.0.0.1:{port}/shop/", headers={"X-Key": Secret("k3y!")})
        call = HttpCall(
            method="POST",
            path="/cart?x=1",
            headers={"Content-Type": Secret("application/json")},
            body=Secret("{}"),
            expectations=(FINE, Expectation(subject=Subject.JSON, op=Op.EQUALS, selector="$.items", value=1)),
        )
        observed = await run(prober, target, call)
    assert observed.failures == ()
    (exchange,) = observed.exchanges
    assert observed.duration == exchange.duration
    assert observed.trace_id == MARKS.trace_id
    assert 0 <= observed.host.loop_lag < 1
    assert seen[0].startswith("POST /shop/cart?x=1 HTTP/1.1\r\n")
    for line in ("User-Agent: probe/9", "X-Synthetic-Check: home", "X-Key: k3y!", "Content-Type: application/json"):
        assert line in seen[0]
    assert seen[0].endswith("\r\n\r\n{}")


async def test_every_expectation_is_judged(prober: HttpProber) -> None:
    """All that does not hold is reported, and the answer is kept."""
    async with serving(says(ok(b"sorry"))) as port:
        call = HttpCall(
            expectations=(
                Expectation(subject=Subject.STATUS, op=Op.EQUALS, value=201),
                Expectation(subject=Subject.BODY, op=Op.HAS, value="Welcome"),
                Expectation(subject=Subject.TOTAL, op=Op.UNDER, value=0.0),
            )
        )
        observed = await run(prober, Target(name="shop", url=f"http://127.0.0.1:{port}"), call)
    assert [f.kind for f in observed.failures] == ["status", "body", "slow"]
    assert observed.exchanges[0].body == b"sorry"


async def test_network_trouble_is_a_failure(prober: HttpProber) -> None:
    """No answer: a failure, no exchange, within the timeout."""
    async with serving(says(stay=True)) as port:
        began = time.monotonic()
        observed = await run(prober, Target(name="shop", url=f"http://127.0.0.1:{port}"), HttpCall(), seconds=0.2)
        assert time.monotonic() - began < 0.5
    assert [f.kind for f in observed.failures] == ["no_response"]
    assert (observed.exchanges, observed.duration) == ((), None)


async def test_bugs_are_ours(prober: HttpProber) -> None:
    """Whatever is raised inside becomes a failure of ours; other work than an HTTP call is refused."""
    for target, call in ((Target(name="shop", url="shop.example"), HttpCall()),):
        observed = await run(prober, target, call)
        assert [(f.kind, f.ours) for f in observed.failures] == [("internal", True)]
    context = RunContext(
        run=RunId("r1"),
        why=Why.MANUAL,
        region=HERE,
        target=Target(name="shop", url="http://127.0.0.1:1"),
        marks=MARKS,
        redactor=Redactor(),
    )
    spec = CheckSpec(
        id=CheckId("x"),
        kind="http",
        target="shop",
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=1),
        work=Function(file="x.py", name="x"),
        source=Source(file="x.py", line=1),
    )
    assert [f.kind for f in (await prober.probe(spec, context)).failures] == ["internal"]


async def test_nothing_is_left_between_runs(prober: HttpProber) -> None:
    """A new connection and no cookie for each run; the wire is shared."""
    seen: list[str] = []
    peers: set[int] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername")[1])
        await paths({"/": ok(b"", "Set-Cookie: id=1; Path=/")}, seen)(reader, writer)

    async with serving(talk) as port:
        target = Target(name="shop", url=f"http://127.0.0.1:{port}")
        for _ in range(3):
            await run(prober, target, HttpCall())
        await run(prober, target, HttpCall(), region=Region(name="there", source_address="127.0.0.2"))
    assert len(peers) == 4
    assert not any("cookie" in asked.lower() for asked in seen)


async def test_tls_by_the_targets_own_authority(prober: HttpProber, tmp_path: Path) -> None:
    """Many HTTPS runs at a time, with the days of the certificate; without verification, too."""
    ca = authority(tmp_path)
    async with serving(says(ok()), ssl=ca.serves(ends=20)) as port:
        target = Target(name="shop", url=f"https://127.0.0.1:{port}", ca=str(ca.file))
        days = Expectation(subject=Subject.TLS_DAYS, op=Op.AT_LEAST, value=30)
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(run(prober, target, HttpCall(expectations=(FINE, days)))) for _ in range(8)]
        for task in runs:
            assert [f.kind for f in task.result().failures] == ["certificate_expires_soon"]
        blind = await run(prober, Target(name="shop", url=target.url), HttpCall(verify_tls=False))
        assert blind.failures == ()


async def test_redirects(prober: HttpProber) -> None:
    """Followed, counted, limited."""
    async with serving(paths({"/": moved("/home"), "/round": moved("/round")})) as port:
        target = Target(name="shop", url=f"http://127.0.0.1:{port}")
        two = Expectation(subject=Subject.REDIRECTS, op=Op.EQUALS, value=2)
        assert [f.actual for f in (await run(prober, target, HttpCall(expectations=(two,)))).failures] == ["1"]
        circle = await run(prober, target, HttpCall(path="/round", max_redirects=2))
        assert [f.kind for f in circle.failures] == ["too_many_redirects"]


async def test_cancelled_means_gone(prober: HttpProber) -> None:
    """A cancelled run leaves at once, and no task stays."""
    async with serving(says(stay=True)) as port:
        before = len(asyncio.all_tasks())
        task = asyncio.get_running_loop().create_task(
            run(prober, Target(name="shop", url=f"http://127.0.0.1:{port}"), HttpCall())
        )
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.02)
        assert len(asyncio.all_tasks()) <= before + 1  # the server's handler may not have ended yet
