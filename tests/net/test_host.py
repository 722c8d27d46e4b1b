"""How contended our own host is."""

import asyncio
import time
from pathlib import Path

from probe.net.host import CpuPressure, HostMeter, HostWatch


async def test_a_quiet_loop_and_a_blocked_one() -> None:
    """The longest delay of the loop is seen, also when it struck at the end."""
    watch = HostWatch()
    quiet, blocked = HostMeter(watch), HostMeter(watch)
    quiet.start()
    await asyncio.sleep(0.06)
    calm = quiet.stop()
    blocked.start()
    await asyncio.sleep(0)
    time.sleep(0.2)
    load = blocked.stop()
    assert load.loop_lag >= 0.1
    assert load.loop_lag > calm.loop_lag
    assert 0 <= load.cpu <= 1
    blocked.start()
    time.sleep(0.12)
    await asyncio.sleep(0.06)  # a tick was late, and the loop is well again
    assert blocked.stop().loop_lag >= 0.05


def test_pressure(tmp_path: Path) -> None:
    """The share of time is taken from PSI, from a reading that is fresh enough."""
    psi = tmp_path / "cpu"
    psi.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n")
    pressure = CpuPressure(str(psi))
    since = pressure.read()
    assert pressure.share(since) == 0.0  # too short to be told
    time.sleep(0.11)
    psi.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=1055000\n")
    assert 0.3 < pressure.share(since) <= 0.5


def test_without_pressure(tmp_path: Path) -> None:
    """Where there is no PSI, the processors' use by others; where there is nothing, nothing."""
    nowhere = str(tmp_path / "nowhere")
    others = CpuPressure(nowhere, own=lambda: 0.0)
    since = others.read()
    time.sleep(0.11)
    assert 0 <= others.share(since) <= 1
    blind = CpuPressure(nowhere, nowhere)
    assert blind.share(blind.read()) == 0.0


async def test_a_meter_of_its_own() -> None:
    """A meter needs nothing."""
    meter = HostMeter()
    meter.start()
    assert meter.stop().loop_lag < 1
