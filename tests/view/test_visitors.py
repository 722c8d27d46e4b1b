"""What operators see of the reports of visitors."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from probe.view.visitors import visitors
from tests.view.public import PAGE, TODAY, fill, looking

MINUTE = timedelta(minutes=1)


def test_the_last_ten_minutes_beside_what_is_usual(tmp_path: Path) -> None:
    """The most unusual first; what nobody reported is not there; old reports are the measure, not the signal."""
    fill(tmp_path, runs=[])
    with looking(tmp_path) as sources:
        report = sources.people.report
        for day in range(1, 29):
            report("find", TODAY - timedelta(days=day, minutes=5), 12)
            report("pay", TODAY - timedelta(days=day, hours=12), 1)
        report("find", TODAY - 2 * MINUTE, 4)
        report("pay", TODAY - 3 * MINUTE, 3)
        report("pay", TODAY, 2)
        report("pay", TODAY - 11 * MINUTE, 50)
        report("gone", TODAY, 9)
        rows = visitors(sources)
        assert [(r["component"], r["name"], r["count"], r["unusual"], r["since"]) for r in rows] == [
            ("pay", "Pay & go", 5, True, "2026-11-27T02:50:00Z"),
            ("find", "Find", 4, False, "2026-11-27T02:50:00Z"),
        ]
        assert rows[0]["usual"] < 0.1
        assert 0.1 < rows[1]["usual"] < 3
        assert visitors(replace(sources, status_page=replace(PAGE, reports=False))) == []
        assert visitors(replace(sources, now=TODAY + 12 * MINUTE)) == []
