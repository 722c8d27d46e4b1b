"""The report of a month as HTML to keep and print, and as CSV for a spreadsheet: pure functions of its document."""

import csv
import io
from typing import Final

from probe.core.duration import format_duration
from probe.view.documents import ObjectiveMonth, SloReport
from probe.view.slo_report import outside
from probe.view.status_render import moment, percent
from probe.view.texts import pages

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take a cell for a formula by, when it begins so."""
COLUMNS: Final = (
    "month",
    "until",
    "complete",
    "objective",
    "promised",
    "attained",
    "met",
    "good",
    "bad",
    "lost",
    "budget",
    "used",
    "coverage",
    "least_coverage",
    "bad_in_incidents",
    "bad_outside_incidents",
    "incidents",
    "excluded",
    "checks",
    "step",
    "under",
)


def html_of(report: SloReport) -> str:
    """One file that holds all of it: no script, nothing from elsewhere."""
    return (
        pages()
        .get_template("slo.html")
        .render(
            report=report,
            moment=moment,
            percent=percent,
            promise=promise,
            outside=outside,
            verdict=verdict,
            what=what,
            day_state=_day_state,
            amount=amount,
        )
    )


def csv_of(report: SloReport, *, days: bool = False) -> str:
    """A row for each objective; or for each of its days. Lines end as RFC 4180 has it."""
    text = io.StringIO()
    writer = csv.writer(text)
    if days:
        writer.writerow(("objective", "day", "good", "bad", "lost"))
        for one in report["objectives"]:
            writer.writerows((_safe(one["objective"]), *day) for day in one["days"])
        return text.getvalue()
    writer.writerow(COLUMNS)
    for one in report["objectives"]:
        row = {
            **one,
            "month": report["month"],
            "until": report["until"],
            "complete": _word(report["complete"]),
            "met": _word(one["met"]),
            "bad_in_incidents": one["bad"] - outside(one),
            "bad_outside_incidents": outside(one),
            "incidents": "; ".join(f"{cost['incident']}: {cost['bad']} bad, {cost['title']}" for cost in one["costs"]),
            "excluded": "; ".join(
                f"{row['start']} to {row['end']}: {row['why']} ({row['runs']} runs)" for row in one["excluded"]
            ),
            "checks": " ".join(one["checks"]),
        }
        writer.writerow([_safe(row[name]) for name in COLUMNS])
    return text.getvalue()


def promise(share: float) -> str:
    """A promised share, with all of its digits.

    >>> promise(0.9995), promise(0.99)
    ('99.95 %', '99 %')
    """
    return f"{share * 100:.10g} %"


def verdict(month: ObjectiveMonth) -> str:
    """Whether the promise was kept, in words."""
    return {True: "kept", False: "broken", None: "cannot be said"}[month["met"]]


def amount(number: float) -> str:
    """A number of runs that may be a part of one.

    >>> amount(12.345), amount(1234.5)
    ('12.3', '1234')
    """
    return f"{number:.1f}" if number < 100 else f"{number:.0f}"


def what(month: ObjectiveMonth) -> str:
    """What is promised, in words."""
    subject = f"step “{month['step']}”" if month["step"] is not None else "runs"
    how = f"good within {format_duration(month['under'])}" if month["under"] is not None else "good"
    return f"{promise(month['promised'])} of {subject} {how}"


def _day_state(day: tuple[str, int, int, int], promised: float) -> str:
    _, good, bad, _ = day
    if not good + bad:
        return "none"
    return "good" if not bad else "bad" if bad / (good + bad) > 1 - promised else "some"


def _word(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _safe(value: object) -> object:
    """A text that no spreadsheet takes for a formula; numbers are what they are."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
