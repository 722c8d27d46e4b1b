"""`t` without a browser: steps, soft failures, limits, findings, undo, secrets, orders."""

import asyncio
from typing import Any

import pytest

from probe.core.run import Outcome, Run, StepOutcome
from probe.core.secret import Secret
from probe.core.target import Target
from probe.testing import run_check

TARGET = Target(name="shop", url="http://127.0.0.1:9", secrets={"password": Secret("hunter2")})


async def run(function: Any, **more: Any) -> Run:
    return await run_check(function, target=TARGET, timeout=more.pop("timeout", "2s"), **more)


def outcomes(run: Run) -> list[tuple[str, str]]:
    return [(s.name, s.outcome.value) for s in run.observation.steps]


async def test_steps_are_timed_in_order() -> None:
    async def check(t: Any) -> None:
        async with t.step("one"):
            await asyncio.sleep(0.02)
        async with t.step("two", within="5s"):
            pass

    seen = await run(check)
    one, two = seen.observation.steps
    assert seen.outcome is Outcome.PASSED
    assert one.duration is not None
    assert one.duration >= 0.02
    assert two.start is not None
    assert two.start >= one.duration
    assert (one.within, two.within) == (None, 5.0)


async def test_a_failed_step_ends_the_check() -> None:
    reached: list[str] = []

    async def check(t: Any) -> None:
        async with t.step("one"):
            assert len(reached) == 2
        reached.append("two")

    seen = await run(check)
    assert outcomes(seen) == [("one", "failed")]
    assert reached == []
    assert seen.failure is not None
    assert seen.failure.message.startswith("assert 0 == 2")
    assert "(test_steps.py:" in seen.failure.message


async def test_a_soft_step_goes_on_but_not_after_a_bug() -> None:
    nothing: list[int] = []

    async def check(t: Any) -> None:
        async with t.step("one", soft=True):
            assert len(nothing) == 1, "no banner"
        async with t.step("two", soft=True):
            _ = nothing[0]
        raise NotImplementedError

    seen = await run(check)
    assert outcomes(seen) == [("one", "failed"), ("two", "errored")]
    assert [(f.kind, f.soft) for f in seen.observation.failures] == [("assertion", True), ("check_bug", False)]
    assert seen.outcome is Outcome.ERRORED


async def test_a_step_that_takes_too_long_fails_after_its_end() -> None:
    async def check(t: Any) -> None:
        async with t.step("soft", within="10ms", soft=True):
            await asyncio.sleep(0.03)
        async with t.step("hard", within="10ms"):
            await asyncio.sleep(0.03)

    seen = await run(check)
    assert [(f.kind, f.soft, f.step) for f in seen.observation.failures] == [
        ("step_slow", True, "soft"),
        ("step_slow", False, "hard"),
    ]
    assert seen.observation.failures[1].expected == "at most 10 ms"


@pytest.mark.parametrize(("second", "words"), [("one", "already"), ("inner", "do not nest")])
async def test_misuse_is_a_bug_of_the_check(second: str, words: str) -> None:
    async def check(t: Any) -> None:
        async with t.step("one"):
            if second == "inner":
                async with t.step("inner"):
                    pass
        async with t.step(second):
            pass

    seen = await run(check)
    assert seen.failure is not None
    assert seen.failure.kind == "check_bug"
    assert words in seen.failure.message


async def test_collected_findings_explain_the_bug_that_follows() -> None:
    from probe.core.failure import Failure

    async def check(t: Any) -> None:
        async with t.step("one"):
            t.findings.add(Failure.of("status", "GET / answered 500"))
            _ = dict[str, str]()["id"]

    seen = await run(check)
    assert seen.outcome is Outcome.FAILED
    assert [f.kind for f in seen.observation.failures] == ["status"]
    assert any("then: KeyError" in line for line in seen.observation.log)


async def test_findings_outside_of_steps_fail_the_run() -> None:
    from probe.core.failure import Failure

    async def check(t: Any) -> None:
        t.findings.add(Failure.of("status", "before"))
        async with t.step("one"):
            t.findings.add(Failure.of("status", "inside"))

    seen = await run(check)
    assert [(f.message, f.step) for f in seen.observation.failures] == [("before", None), ("inside", "one")]


async def test_errors_in_a_group_of_tasks_are_told_once() -> None:
    async def check(t: Any) -> None:
        async def work() -> None:
            async with t.step("one"):
                raise AssertionError("inside")

        async with asyncio.TaskGroup() as group:
            group.create_task(work(), name="work")

    seen = await run(check)
    assert [f.message.partition(" (")[0] for f in seen.observation.failures] == ["inside"]


async def test_undo_runs_last_first_whatever_happens() -> None:
    ran = []

    async def check(t: Any) -> None:
        async def later(name: str) -> None:
            await asyncio.sleep(0)
            ran.append(name)

        def with_t(session: Any) -> None:
            ran.append(session.target.name)

        t.undo(later, "first")
        t.undo(with_t)
        t.undo(lambda: 1 / 0)
        raise AssertionError("failed")

    seen = await run(check)
    assert ran == ["shop", "first"]
    assert seen.observation.undone == ("with_t", "later")
    assert [f.kind for f in seen.observation.failures] == ["assertion"]
    assert any("undo <lambda> failed: ZeroDivisionError" in line for line in seen.observation.log)


async def test_undo_that_cannot_be_called_is_refused_at_once() -> None:
    async def check(t: Any) -> None:
        t.undo(lambda a, b: None, 1)

    seen = await run(check)
    assert seen.failure is not None
    assert "TypeError" in seen.failure.message
    assert "missing a required argument: 'b'" in seen.failure.message


async def test_the_deadline_is_told_by_what_is_awaited() -> None:
    async def check(t: Any) -> None:
        async with t.step("one"):
            await asyncio.sleep(30)

    seen = await run(check, timeout="100ms")
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.step) == ("check_blocked", "one")
    assert seen.observation.steps[0].outcome is StepOutcome.ERRORED
    assert 0.09 < seen.duration.total_seconds() < 0.5


async def test_a_limit_of_the_checks_own_is_a_deadline() -> None:
    async def check(t: Any) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)

    seen = await run(check)
    assert seen.failure is not None
    assert seen.failure.kind == "deadline"


async def test_secrets_params_orders_and_addresses() -> None:
    async def check(t: Any) -> None:
        assert t.secrets["password"] == "hunter2"
        assert dict(t.secrets) == {"password": "hunter2"}
        assert len(t.secrets) == 1
        assert "hunter2" not in repr(t.secrets)
        assert t.params == {"sku": "X1"}
        assert t.url("/cart") == "http://127.0.0.1:9/cart"
        assert (t.region, t.run[:5]) == ("test", "test-")
        t.order(17)
        t.log("pw hunter2")
        _ = t.secrets["pasword"]

    seen = await run(check, params={"sku": "X1"})
    assert seen.observation.orders == ("17",)
    assert seen.observation.log == ("pw ***",)
    assert seen.failure is not None
    assert "has no secret 'pasword' (there are: password)" in seen.failure.message


async def test_exits_and_groups_and_self_cancellation() -> None:
    async def exits(t: Any) -> None:
        raise SystemExit(2)

    async def cancels(t: Any) -> None:
        raise asyncio.CancelledError

    async def fills(t: Any) -> None:
        raise MemoryError

    kinds = [(await run(f)).failure for f in (exits, cancels, fills)]
    assert [f.kind for f in kinds if f is not None] == ["check_exited", "check_bug", "worker_memory"]
