"""Requests, answers and runs, as short as tests want them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from probe.core.check import CheckId, CheckSpec, Function, HttpCall, Source
from probe.core.failure import Failure
from probe.core.fault import Answer, Asked, DrillNotes
from probe.core.run import Observation, Outcome, Run, RunId, Why
from probe.core.target import BrowserKind

SHOP = "https://shop.example"


def page(body: str, status: int = 200, kind: str = "text/html; charset=utf-8") -> Answer:
    return Answer(status=status, headers=(("Content-Type", kind), ("Set-Cookie", "a=1")), body=body.encode())


def data(body: str, status: int = 200) -> Answer:
    return page(body, status, "application/json")


def asked(step: str | None, what: str, answer: Answer | None, resource: str = "document", **more: Any) -> Asked:
    """`asked("cart", "POST /api/cart", data("{}"))`; an address of another host is a third party's."""
    method, _, path = what.partition(" ")
    own = path.startswith("/")
    given = {"own": own, "resource": resource, "answer": answer, **more}
    return Asked(step=step, method=method, url=f"{SHOP}{path}" if own else f"https://{path}", **given)


def spec(work: Any = None, **more: Any) -> CheckSpec:
    given: dict[str, Any] = {
        "id": CheckId("buy"),
        "kind": "browser",
        "target": "shop",
        "every": timedelta(minutes=1),
        "timeout": timedelta(seconds=10),
        "work": work or Function(file="shop.py", name="buy", browser=BrowserKind.HEADLESS_SHELL),
        "source": Source(file="config.toml", line=7),
    }
    return CheckSpec(**given | more)


def declared(**more: Any) -> CheckSpec:
    return spec(HttpCall(**more), kind="http")


def run(outcome: Outcome = Outcome.PASSED, failure: Failure | None = None, **notes: Any) -> Run:
    """A run of a drill whose fault met one request, unless told otherwise."""
    return Run(
        id=RunId("r"),
        check=CheckId("buy"),
        kind="browser",
        target="shop",
        region="local",
        why=Why.DRILL,
        outcome=outcome,
        started=datetime(2026, 1, 1, tzinfo=UTC),
        duration=timedelta(seconds=1),
        observation=Observation(
            failures=() if failure is None else (failure,), drill=DrillNotes(**{"hits": 1, **notes})
        ),
    )
