"""Documents as a shop in trouble gives them: with markup, right-to-left text and endless names wherever a text of a target can stand.

`NASTY` is put into every text of the hostile ones. What it plants sets `window.__pwned` if it ever runs.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from probe.view import documents as d

T = TypeVar("T")

NOW = datetime(2026, 11, 24, 14, 2, 10, tzinfo=UTC)
REGIONS = ["berlin", "dallas", "singapore"]
LONG = "endless" * 1429  # ten thousand characters without a place to break
RTL = "\u202eأدخل رقم البطاقة\u202e"
NASTY = (
    '</title></script><script>window.__pwned=1;alert(1)</script>"\'><img src=x onerror="window.__pwned=2">'
    "<svg onload=window.__pwned=3><a href=javascript:window.__pwned=4>{{7*7}}</a><!-- " + RTL + " -->"
)


def at(seconds_ago: float) -> str:
    """A moment that long before `NOW`."""
    return (NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")


def run_id(n: int) -> str:
    return f"01KAV{n:021d}"


KEPT = {
    *(
        "state",
        "verdict",
        "severity",
        "outcome",
        "why",
        "bars",
        "heights",
        "id",
        "run",
        "incident",
        "evidence",
        "layer",
    ),
    *(
        "start",
        "end",
        "at",
        "until",
        "since",
        "opened",
        "resolved",
        "recovered",
        "first",
        "last",
        "now",
        "started",
        "begins",
    ),
    *(
        "ends",
        "alive",
        "oldest",
        "acknowledged",
        "muted_until",
        "standing",
        "day",
        "good",
        "month",
        "confidence",
        "party",
    ),
    *("before", "after", "last_good", "next", "missed", "first_bad"),
    *("not_before", "not_after", "expires", "due", "what"),
}
"""Keys whose values are words of ours, moments or identities: never a text of a target."""


def hostile(document: T, text: str = NASTY) -> T:
    """The same document with `text` in the place of every text that is not a word of ours."""

    def turned(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {k: turned(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [turned(v, key) for v in value]
        return text if isinstance(value, str) and key not in KEPT else value

    return cast("T", turned(copy.deepcopy(document), ""))


# --- the overview -------------------------------------------------------------------------------------------------------


def failing(step: str | None = "Pay by card") -> d.Failing:
    return {
        "layer": "http",
        "kind": "status",
        "message": "POST /api/orders answered 502 after 1.2 s; 201 was expected",
        "step": step,
    }


def cell(region: str, n: int = 0, *, bars: str = "p" * 12, state: str = "passed", age: float = 12.0) -> d.Cell:
    heights = "".join(str(3 + (n * 7 + i * i * 3 + i) % 3) if b == "p" else "8" for i, b in enumerate(bars))
    return {
        "region": region,
        "state": state,
        "bars": bars,
        "heights": heights,
        "at": at(age),
        "age": age,
        "run": run_id(n * 10 + REGIONS.index(region) if region in REGIONS else n),
        "failing": failing() if state == "failed" else None,
    }


def check(
    name: str, description: str, n: int, verdict: str = "ok", cells: list[d.Cell | None] | None = None
) -> d.CheckRow:
    return {
        "check": name,
        "description": description,
        "kind": "browser",
        "verdict": verdict,
        "every": 60.0,
        "tags": ["checkout"] if n % 2 else [],
        "incident": None if verdict in ("ok", "unknown") else "inc-1",
        "cells": cells or [cell(region, n, age=8.0 + 5 * i + n) for i, region in enumerate(REGIONS)],
    }


def incident(id: str = "inc-1", **more: Any) -> d.IncidentRow:
    row: dict[str, Any] = {
        "id": id,
        "title": "shop.example: paying fails at “Pay by card” in all 3 regions",
        "cause": "host:shop.example",
        "verdict": "down",
        "severity": "page",
        "since": at(540),
        "opened": at(480),
        "resolved": None,
        "lasted": 540.0,
        "checks": ["buy", "express-checkout"],
        "regions": REGIONS,
        "failing": failing(),
        "customers": "Customers everywhere cannot pay by card: the order is refused after “Pay now”.",
        "told": ["on-call", "#shop-alerts"],
        "acknowledged": None,
        "acknowledged_by": None,
        "muted_until": None,
        "relapses": 0,
    }
    return cast("d.IncidentRow", row | more)


def objective(name: str = "Buying works", **more: Any) -> d.ObjectiveRow:
    row: dict[str, Any] = {
        "objective": name,
        "promised": 0.999,
        "window": "30 days",
        "checks": ["buy"],
        "step": None,
        "under": None,
        "attained": 0.99931,
        "attained_within": [0.9989, 0.9996],
        "left": 0.31,
        "coverage": 0.997,
        "good": 128_331,
        "bad": 89,
        "lost": 340,
        "state": "burning",
        "words": "at this pace the budget is gone in 5 hours",
    }
    return cast("d.ObjectiveRow", row | more)


def overview() -> d.Overview:
    """A shop whose checkout is down, with one probe in trouble."""
    down = [
        cell("berlin", 1, bars="ppppppppfff" + "f", state="failed", age=6),
        cell("dallas", 1, bars="pppppppppff" + "f", state="failed", age=14),
        cell("singapore", 1, bars="ppppppeppff" + "f", state="failed", age=31),
    ]
    regional = [cell("berlin", 4, age=9), cell("dallas", 4, bars="pppppppppfff", state="failed", age=22), None]
    return {
        "now": at(0),
        "regions": REGIONS,
        "incidents": [
            incident(),
            incident(
                "inc-2",
                title="search: the third party reviews.example is slow from dallas",
                verdict="third_party",
                severity="ticket",
                since=at(5400),
                opened=at(5100),
                lasted=5400.0,
                checks=["search"],
                regions=["dallas"],
                customers="Reviews do not show under search results.",
                failing={
                    "layer": "third_party",
                    "kind": "timeout",
                    "message": "reviews.example did not answer in 5 s",
                    "step": "Results",
                },
                acknowledged=at(4000),
                acknowledged_by="Maria Lindqvist",
                told=["#shop-alerts"],
                relapses=2,
            ),
        ],
        "targets": [
            {
                "target": "shop",
                "host": "shop.example",
                "verdict": "down",
                "checks": [
                    check("buy", "A guest buys a lamp and pays by card", 1, "down", cast("list[d.Cell | None]", down)),
                    check("search", "Searching finds what is in stock", 4, "third_party", regional),
                    check("login", "A customer logs in and sees their orders", 2),
                    check("front-page", "The front page shows offers", 3),
                    check("gift-card", "A gift card is bought and redeemed", 5),
                ],
            },
            {
                "target": "api",
                "host": "api.shop.example",
                "verdict": "ok",
                "checks": [
                    check("api-health", "The API says it is healthy", 6),
                    check(
                        "api-stock",
                        "Stock levels answer",
                        7,
                        "unknown",
                        [
                            cell("berlin", 7, age=9),
                            cell("dallas", 7, state="unknown", age=900),
                            cell("singapore", 7, bars="ppppppppppmm", state="missed", age=100),
                        ],
                    ),
                ],
            },
        ],
        "objectives": [
            objective(),
            objective(
                "Search answers within 2 s",
                promised=0.99,
                attained=0.9981,
                attained_within=[0.997, 0.999],
                left=0.81,
                state="ok",
                under=2.0,
                checks=["search"],
                step="Results",
                words="on course",
                bad=57,
            ),
            objective(
                "Login works",
                attained=None,
                attained_within=None,
                left=1.0,
                state="unknown",
                coverage=0.41,
                checks=["login"],
                words="too little was seen to say",
            ),
        ],
        "places": [
            {"region": "berlin", "outcomes": {"passed": 402, "failed": 18}, "coverage": 1.0, "trouble": None},
            {
                "region": "dallas",
                "outcomes": {"passed": 371, "failed": 31, "errored": 2},
                "coverage": 0.98,
                "trouble": None,
            },
            {
                "region": "singapore",
                "outcomes": {"passed": 320, "failed": 6, "errored": 40, "missed": 12},
                "coverage": 0.83,
                "trouble": "its own network fails: 3 of 4 control runs did not reach example.net",
            },
        ],
        "channels": [
            {"channel": "on-call", "pending": 0, "oldest": None, "disabled": None},
            {"channel": "#shop-alerts", "pending": 3, "oldest": at(700), "disabled": "the token was refused (401)"},
        ],
        "health": {
            "alive": at(3),
            "trouble": [
                "the channel #shop-alerts is disabled: the token was refused (401); mend it and run `probe reload`",
                "singapore: its own network fails, and is not listened to",
            ],
            "coverage": 0.94,
            "lag": 0.012,
            "worst_lag": 1.8,
            "daemon": {
                "started": at(400_000),
                "pid": 4120,
                "config": {"path": "/etc/probe/config.toml", "hash": "9f31c2"},
                "reload": {"at": at(9000), "ok": True, "error": ""},
                "jobs": 20,
                "running": 4,
                "waiting": 0,
                "missed": 12,
                "workers": 3,
                "recorder": {"queued": 0, "trouble": None},
                "channels": {},
                "fleet": None,
            },
        },
        "visitors": [
            {"component": "checkout", "name": "Paying", "count": 14, "usual": 0.4, "unusual": True, "since": at(600)}
        ],
        "recent": [
            incident(
                "inc-0",
                title="gift-card: the answer took 9.1 s in berlin",
                verdict="degraded",
                severity="ticket",
                since=at(30_000),
                opened=at(29_800),
                resolved=at(27_000),
                lasted=3000.0,
                checks=["gift-card"],
                regions=["berlin"],
            )
        ],
    }


def quiet_overview() -> d.Overview:
    """The same shop on a good day."""
    calm = overview()
    calm["incidents"], calm["visitors"], calm["channels"] = [], [], calm["channels"][:1]
    calm["places"], calm["health"]["trouble"] = calm["places"][:2], []
    for target in calm["targets"]:
        target["verdict"] = "ok"
        target["checks"] = [check(c["check"], c["description"], i) for i, c in enumerate(target["checks"])]
    for promised in calm["objectives"]:
        promised |= {"state": "ok", "left": 0.8, "attained": 0.9997, "coverage": 1.0, "words": "on course"}
    return calm


def large_overview(checks: int = 500, regions: int = 5) -> d.Overview:
    """Many checks: what must still fit on a page."""
    large = overview()
    places = [f"region-{r}" for r in range(regions)]
    rows = [
        check(
            f"team-{n % 25}-journey-{n:03d}",
            f"Journey number {n} of team {n % 25}",
            n,
            "down" if n % 100 == 7 else "ok",
            [
                cell(
                    place,
                    n,
                    bars="pppppppppfff" if n % 100 == 7 else "pppepppppppp" if n % 40 == 3 else "p" * 12,
                    state="failed" if n % 100 == 7 else "passed",
                    age=5.0 + (n * 7 + i * 11) % 55,
                )
                for i, place in enumerate(places)
            ],
        )
        for n in range(checks)
    ]
    large["regions"] = places
    large["targets"] = [
        {
            "target": f"shop-{t}",
            "host": f"shop-{t}.example",
            "verdict": "down" if any(r["verdict"] == "down" for r in rows[t::25]) else "ok",
            "checks": sorted(rows[t::25], key=lambda row: row["verdict"] == "ok"),
        }
        for t in range(25)
    ]
    return large


# --- a check over time ----------------------------------------------------------------------------------------------------

STEPS = ["Front page", "Search for a lamp", "Put it in the cart", "Address", "Pay by card"]


def run_row(n: int, outcome: str = "passed", **more: Any) -> d.RunRow:
    row: dict[str, Any] = {
        "run": run_id(n),
        "check": "buy",
        "region": REGIONS[n % 3],
        "why": "confirm" if n == 2 else "scheduled",
        "outcome": outcome,
        "started": at(10 + 20 * n),
        "duration": 3.1 + (n * 13 % 7) / 10,
        "slots": 1,
        "lag": 0.01,
        "maintenance": None,
        "stopped_before": None,
        "failing": failing() if outcome == "failed" else None,
    }
    return cast("d.RunRow", row | more)


def runs() -> d.RunPage:
    return {
        "runs": [run_row(n, ("failed", "passed", "errored", "missed", "aborted")[n % 5]) for n in range(40)],
        "next": "bmV4dA",
    }


def incidents() -> d.IncidentPage:
    now = overview()
    return {"incidents": [*now["incidents"], *now["recent"]], "next": "bmV4dA"}
