"""A journey over a day, with everything that can be in it."""

from __future__ import annotations

import math
from typing import cast

from probe.view import documents as d
from tests.web.pages.samples import REGIONS, STEPS, at, failing, incident, objective, overview, run_id, run_row


def journey(count: int = 96) -> d.Journey:
    """A day of a journey that began to fail nine minutes ago, after a deploy."""
    width = 900.0
    columns: list[d.Column] = []
    step_columns: list[d.StepColumn] = []
    for i in range(count):
        begins = at((count - i) * width)
        wave = math.sin(i / 9) * 0.25 + math.sin(i * 1.7) * 0.08
        for region in ["", *REGIONS]:
            share = 1 if region else 3
            gap = region == "singapore" and 40 <= i < 44
            failed = 11 * share if i == count - 1 else 4 * share if i == 52 else 0
            far = REGIONS.index(region) * 0.5 if region else 0.4
            columns.append(
                {
                    "start": begins,
                    "region": region,
                    "passed": 0 if gap else 15 * share - failed,
                    "failed": failed,
                    "errored": share if i == 70 else 0,
                    "missed": 15 if gap else 0,
                    "p50": None if gap else 2.9 + wave + far,
                    "p95": None if gap else 3.8 + wave * 1.6 + far,
                    "p99": None if gap else 4.6 + wave * 2 + far + (1.5 if i == 52 else 0),
                }
            )
            if region:
                step_columns.append(
                    {
                        "start": begins,
                        "region": region,
                        "run": None if gap else run_id(500 + i),
                        "sampled": 0 if gap else 5,
                        "steps": [None] * 5
                        if gap
                        else [0.5 + far / 4, 0.7 + wave / 2, 0.4, 0.35, None if failed else 0.9 + wave],
                    }
                )
    return {
        "check": "buy",
        "description": "A guest buys a lamp and pays by card",
        "kind": "browser",
        "target": "shop",
        "host": "shop.example",
        "verdict": "down",
        "every": 60.0,
        "timeout": 30.0,
        "regions": REGIONS,
        "tags": ["checkout", "revenue"],
        "source": "checks/buy.py:14",
        "period": {"start": at(count * width), "end": at(0), "column": width},
        "steps": STEPS,
        "limits": [2.0, 2.0, None, None, 5.0],
        "columns": columns,
        "step_columns": step_columns,
        "vitals": [
            {
                "at": at((40 - i) * 2100),
                "region": REGIONS[i % 3],
                "run": run_id(900 + i),
                "url": "https://shop.example/",
                "ttfb": 0.12 + (i % 5) / 50,
                "fcp": 0.7 + (i % 7) / 20,
                "lcp": 1.4 + (i % 9) / 10,
                "cls": 0.02 * (i % 4),
                "inp": 0.09,
            }
            for i in range(40)
        ],
        "failures": [
            {
                "step": "Pay by card",
                "layer": "http",
                "kind": "status",
                "message": failing()["message"],
                "count": 33,
                "regions": REGIONS,
                "first": at(540),
                "last": at(6),
                "run": run_id(1),
            },
            {
                "step": None,
                "layer": "dns",
                "kind": "dns_timeout",
                "message": "shop.example: no answer from 9.9.9.9 in 5 s",
                "count": 12,
                "regions": ["berlin"],
                "first": at(39_900),
                "last": at(39_100),
                "run": run_id(52),
            },
        ],
        "budgets": [
            {
                "objective": objective(),
                "points": [
                    {"at": at((60 - i) * 43_200), "left": max(0.31, 1 - i * 0.004 - (0.4 if i > 55 else 0))}
                    for i in range(61)
                ],
            }
        ],
        "marks": [
            {"kind": "deploy", "at": at(700), "until": None, "text": "shop 2026.11.24-3 (b81f0c2)", "incident": None},
            {
                "kind": "maintenance",
                "at": at(50_000),
                "until": at(46_000),
                "text": "database upgrade",
                "incident": None,
            },
            {"kind": "incident", "at": at(540), "until": None, "text": incident()["title"], "incident": "inc-1"},
        ],
        "cells": cast("list[d.Cell]", overview()["targets"][0]["checks"][0]["cells"]),
        "runs": [run_row(n, "failed" if n < 9 else "errored" if n == 14 else "passed") for n in range(20)],
        "incidents": [incident()],
    }
