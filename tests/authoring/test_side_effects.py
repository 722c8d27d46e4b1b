"""A run that is made beside the schedule ends before the step that has side effects, whatever the check does about it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from probe.authoring.events import Event, Spared
from probe.core.check import CheckId, Function
from probe.core.run import Observation, RunId, StepOutcome, Why, outcome_of
from probe.core.secret import Redactor
from probe.core.target import Region, Target
from probe.ports import Marks, RunContext
from probe.worker.execute import Execution
from tests.core.builders import spec


class Shop:
    """What a check has done to it."""

    def __init__(self) -> None:
        self.orders = 0
        self.cancelled = 0
        self.heard: list[Event] = []

    async def run(self, check: Any, why: Why, tmp_path: Path, named: str = "pay") -> Observation:
        execution = Execution(
            body=check,
            spec=spec(
                id=CheckId("buy"),
                work=Function(file=__file__, name="buy"),
                steps=("cart", "pay", "thanks"),
                side_effects=named,
            ),
            context=RunContext(
                run=RunId("run-1"),
                why=why,
                region=Region(name="eu"),
                target=Target(name="shop", url="http://127.0.0.1:9"),
                marks=Marks(user_agent="probe/test", headers={}, trace_id="ab" * 16),
                redactor=Redactor(),
            ),
            scratch=tmp_path,
            tell=self.heard.append,
            report=lambda _: None,
            phase=lambda _: None,
        )
        return await execution.run()

    async def buy(self, t: Any) -> None:
        t.undo(self.cancel)
        async with t.step("cart"):
            pass
        async with t.step("pay"):
            self.orders += 1
            t.order("1")
        async with t.step("thanks"):
            pass

    async def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("why", list(Why))
async def test_who_pays(shop: Shop, why: Why, tmp_path: Path) -> None:
    """The schedule and people do; what is undone is undone in either case."""
    seen = await shop.run(shop.buy, why, tmp_path)
    spared = why in (Why.CONFIRM, Why.DRILL)
    assert (shop.orders, shop.cancelled, seen.undone) == (int(not spared), 1, ("cancel",))
    assert seen.failures == ()
    assert seen.stopped_before == ("pay" if spared else None)
    after = StepOutcome.SKIPPED if spared else StepOutcome.PASSED
    assert [(s.name, s.outcome) for s in seen.steps] == [
        ("cart", StepOutcome.PASSED),
        ("pay", after),
        ("thanks", after),
    ]
    assert (Spared("pay") in shop.heard) is spared, "the supervisor knows it, too"


async def test_a_failure_before_it_is_a_failure(shop: Shop, tmp_path: Path) -> None:
    async def check(t: Any) -> None:
        async with t.step("cart"):
            assert shop.orders == 3
        await shop.buy(t)

    seen = await shop.run(check, Why.CONFIRM, tmp_path)
    assert (outcome_of(seen.failures), seen.stopped_before) == ("failed", None)


async def test_a_soft_failure_before_it_is_kept(shop: Shop, tmp_path: Path) -> None:
    async def check(t: Any) -> None:
        async with t.step("banner", soft=True):
            assert shop.orders == 3
        await shop.buy(t)

    seen = await shop.run(check, Why.CONFIRM, tmp_path)
    assert ([f.soft for f in seen.failures], seen.stopped_before) == ([True], "pay")


async def test_who_catches_all_errors_does_not_catch_it(shop: Shop, tmp_path: Path) -> None:
    async def check(t: Any) -> None:
        try:
            await shop.buy(t)
        except Exception:  # what this is about
            shop.orders += 100

    seen = await shop.run(check, Why.CONFIRM, tmp_path)
    assert (shop.orders, seen.failures, seen.stopped_before) == (0, (), "pay")


async def test_who_catches_everything_comes_to_no_further_step(shop: Shop, tmp_path: Path) -> None:
    async def check(t: Any) -> None:
        for name in ("pay", "pay again"):
            try:
                async with t.step(name):
                    shop.orders += 1
            except BaseException:  # what this is about
                t.log("never mind")

    seen = await shop.run(check, Why.CONFIRM, tmp_path)
    assert (shop.orders, seen.failures, seen.stopped_before) == (0, (), "pay")


async def test_inside_a_group_of_tasks(shop: Shop, tmp_path: Path) -> None:
    """It comes back in a group, and means nothing; what failed beside it does."""

    async def fails() -> None:
        raise AssertionError("the banner is gone")

    async def alone(t: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(shop.buy(t), name="buy")

    async def beside(t: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(shop.buy(t), name="buy")
            group.create_task(fails(), name="fails")

    assert (await shop.run(alone, Why.CONFIRM, tmp_path)).failures == ()
    seen = await shop.run(beside, Why.CONFIRM, tmp_path)
    assert [f.kind for f in seen.failures] == ["assertion"]
    assert shop.orders == 0


async def test_a_step_that_is_not_in_the_source_is_told_as_skipped(shop: Shop, tmp_path: Path) -> None:
    async def check(t: Any) -> None:
        async with t.step("p" + "ay by card"):
            shop.orders += 1

    seen = await shop.run(check, Why.CONFIRM, tmp_path, named="pay by card")
    assert [(s.name, s.outcome) for s in seen.steps][-1] == ("pay by card", StepOutcome.SKIPPED)
    assert shop.orders == 0
