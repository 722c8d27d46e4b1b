"""A row of the inbox is believed only as far as it can be what it says."""

import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.evaluate import Overdue
from probe.core.notification import Attempt, Fate
from probe.core.run import Run, Slot, Why
from probe.fleet.inbox import LARGEST, Kind, Refused, Told, Waiting, pack, read, unpack
from tests.core.builders import NOW
from tests.core.world import watched
from tests.store import builders
from tests.store.builders import full_run

CHECKS = {CheckId("cart"): watched("cart", regions=("eu",)), CheckId("pay"): watched("pay", regions=("us",))}
CONTROLS = {"eu": CheckId("control eu")}
RUN = builders.run(0, started=NOW)
FUTURE = NOW + timedelta(minutes=6)


def row(body: Run | Overdue | Told | bytes = RUN, kind: str = "run", check: str = "cart", **given: Any) -> Waiting:
    return Waiting(
        **{
            "id": 1,
            "shard": "cart",
            "kind": kind,
            "check": check,
            "region": "eu",
            "node": "n1",
            "source": "s1",
            "received": NOW,
            "skew": 0.0,
            "body": body if isinstance(body, bytes) else pack(body),
            **given,
        }
    )


def opened(waiting: Waiting) -> Any:
    return read(waiting, unpack(waiting), CHECKS, CONTROLS, NOW)


def test_what_it_says() -> None:
    run = replace(full_run(), started=NOW)
    assert opened(row(run)) == run
    overdue = Overdue(check=CheckId("cart"), region="eu", began=NOW)
    assert opened(row(overdue, "overdue")) == overdue
    control = replace(RUN, check=CheckId("control eu"), why=Why.CONTROL)
    assert opened(row(control, "control", "control eu")) == control
    told = (Attempt(key="k", at=NOW, fate=Fate.SENT, answer="yes"),)
    assert opened(row(told, "told")) == told
    unknown = replace(RUN, check=CheckId("brand new"))
    assert opened(row(unknown, check="brand new")) == unknown


@pytest.mark.parametrize("skew", [-7200.0, -2.5, 2.5, 7200.0])
def test_a_clock_that_is_off(skew: float) -> None:
    off = timedelta(seconds=skew)
    run = replace(RUN, started=NOW + off, slot=Slot(number=1, due=NOW + off))
    right = replace(RUN, started=NOW, slot=Slot(number=1, due=NOW))
    assert opened(row(run, skew=skew)) == right
    overdue = Overdue(check=CheckId("cart"), region="eu", began=NOW + off)
    assert opened(row(overdue, "overdue", skew=skew)).began == NOW


def test_a_clock_that_is_hardly_off() -> None:
    assert opened(row(skew=2.0)) == RUN


def test_a_bomb() -> None:
    """A body that would be a gigabyte is not unpacked any further than allowed."""
    squeeze = zlib.compressobj(9)
    bomb = b"".join(squeeze.compress(b" " * 2**20) for _ in range(LARGEST // 2**20 + 8)) + squeeze.flush()
    assert len(bomb) < 2**17
    with pytest.raises(Refused, match="cannot be read"):
        opened(row(bomb))


REFUSED: dict[str, tuple[str, Waiting]] = {
    "no JSON": ("cannot be read", row(zlib.compress(b"nonsense"))),
    "not packed": ("cannot be read", row(b"{}")),
    "cut off": ("cannot be read", row(pack(RUN)[:-9])),
    "nested deeply": ("cannot be read", row(zlib.compress(b"[" * 100_000))),
    "another thing": ("cannot be read", row(RUN, "overdue")),
    "an unknown kind": ("cannot be read", row(RUN, "verdict")),
    "half a slot": ("cannot be read", row(replace(RUN, slot=Slot(number=0.5, due=NOW)))),  # type: ignore[arg-type]  # what is tested
    "another region": ("of another region", row(replace(RUN, region="us"))),
    "another check": ("of another check", row(replace(RUN, check=CheckId("pay")))),
    "not there": ("does not run there", row(replace(RUN, check=CheckId("pay")), check="pay")),
    "a control run as a run": ("another kind", row(replace(RUN, why=Why.CONTROL))),
    "a run as a control run": ("another kind", row(RUN, "control")),
    "no such control run": ("not the control run", row(replace(RUN, why=Why.CONTROL), "control")),
    "in the future": ("in the future", row(replace(RUN, started=FUTURE))),
    "due in the future": ("in the future", row(replace(RUN, slot=Slot(number=1, due=FUTURE)))),
    "told in the future": ("in the future", row((Attempt(key="k", at=FUTURE, fate=Fate.SENT),), "told")),
    "no zone": ("no zone", row(replace(RUN, started=NOW.replace(tzinfo=None)))),
    "before all times": ("impossible", row(skew=9e10)),
    "too long": ("impossibly long", row(replace(RUN, duration=timedelta(days=2)))),
    "less than no time": ("impossibly long", row(replace(RUN, duration=timedelta(seconds=-1)))),
    "a billion slots": ("slot is impossible", row(replace(RUN, slot=Slot(number=1, due=NOW, count=10**9)))),
    "no slot": ("slot is impossible", row(replace(RUN, slot=Slot(number=1, due=NOW, count=0)))),
    "a number too large": ("slot is impossible", row(replace(RUN, slot=Slot(number=2**63, due=NOW)))),
    "overdue elsewhere": ("of another region", row(Overdue(check=CheckId("cart"), region="us", began=NOW), "overdue")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    why, waiting = REFUSED[name]
    with pytest.raises(Refused, match=why):
        opened(waiting)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_refuses_nonsense(kind: Kind) -> None:
    with pytest.raises(Refused):
        opened(row(zlib.compress(b"0"), kind))
