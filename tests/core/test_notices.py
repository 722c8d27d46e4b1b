"""Notices as time passes, and what can be one."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from probe.core.notices import Draft, covers, is_maintenance, read_draft, read_update, standing_at
from probe.core.people import Notice, NoticeUpdate, Standing
from tests.core.builders import NOW

HOUR = timedelta(hours=1)


def notice(standing: Standing, *more: Standing, begins: datetime = NOW, ends: datetime | None = None) -> Notice:
    updates = tuple(NoticeUpdate(at=NOW, standing=one, text="said") for one in (standing, *more))
    return Notice(id=1, title="Move", components=("pay",), begins=begins, ends=ends, updates=updates)


PLANNED = notice(Standing.SCHEDULED, begins=NOW + HOUR, ends=NOW + 3 * HOUR)


@pytest.mark.parametrize(
    ("hours", "standing", "covered"),
    [
        (0, Standing.SCHEDULED, False),
        (1, Standing.IN_PROGRESS, True),
        (2.9, Standing.IN_PROGRESS, True),
        (3, Standing.COMPLETED, False),
    ],
)
def test_a_maintenance_begins_and_ends_by_itself(hours: float, standing: Standing, covered: bool) -> None:
    now = NOW + hours * HOUR
    assert (standing_at(PLANNED, now), covers(PLANNED, now)) == (standing, covered)


def test_what_an_operator_says_counts_more() -> None:
    """Who began it sooner, ended it sooner, or overruns: after the time that was told nothing is excused any more."""
    early = notice(Standing.SCHEDULED, Standing.IN_PROGRESS, begins=NOW + HOUR, ends=NOW + 3 * HOUR)
    assert (standing_at(early, NOW), covers(early, NOW)) == (Standing.IN_PROGRESS, True)
    assert (standing_at(early, NOW + 4 * HOUR), covers(early, NOW + 4 * HOUR)) == (Standing.IN_PROGRESS, False)
    done = notice(Standing.SCHEDULED, Standing.COMPLETED, begins=NOW, ends=NOW + 3 * HOUR)
    assert (standing_at(done, NOW + HOUR), covers(done, NOW + HOUR)) == (Standing.COMPLETED, False)
    endless = notice(Standing.SCHEDULED, begins=NOW)
    assert covers(endless, NOW + 1000 * HOUR)
    assert not covers(notice(Standing.INVESTIGATING), NOW)
    assert [is_maintenance(one) for one in (done, notice(Standing.INVESTIGATING, Standing.RESOLVED))] == [True, False]


FIELDS: dict[str, Any] = {
    "title": "  Payments \n fail ",
    "components": ["pay", "cart", "pay"],
    "standing": "investigating",
    "text": " We look into it.\r\nSorry. ",
}


def test_a_draft() -> None:
    """What is said, tidied up; it begins now where nothing else is said."""
    assert read_draft({**FIELDS, "incident": "inc-1"}, {"pay", "cart"}, NOW) == Draft(
        title="Payments fail",
        components=("pay", "cart"),
        begins=NOW,
        ends=None,
        update=NoticeUpdate(at=NOW, standing=Standing.INVESTIGATING, text="We look into it.\nSorry."),
        incident="inc-1",
    )
    more = {
        **FIELDS,
        "standing": "scheduled",
        "begins": "2026-12-01T22:00",
        "ends": "2026-12-02T00:00+01:00",
        "incident": "",
    }
    draft = read_draft(more, {"pay", "cart"}, NOW)
    assert isinstance(draft, Draft)
    assert (f"{draft.begins:%d %H:%M %Z}", f"{draft.ends:%d %H:%M %Z}", draft.incident) == (
        "01 22:00 UTC",
        "01 23:00 UTC",
        None,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"title": ""}, "title: "),
        ({"title": "x" * 201}, "title: "),
        ({"title": 7}, "title: "),
        ({"text": " "}, "text: "),
        ({"text": "x" * 5001}, "text: "),
        ({"text": None}, "text: "),
        ({"standing": "over"}, "standing: say one of scheduled, in_progress, completed, investigating"),
        ({"standing": ["resolved"]}, "standing: "),
        ({"components": []}, "components: say which"),
        ({"components": "pay"}, "components: say which"),
        ({"components": ["pai"]}, "components: there is no 'pai'; did you mean 'pay'?"),
        ({"standing": "scheduled"}, "begins: say when"),
        ({"begins": "tomorrow"}, "begins: say a time such as"),
        ({"begins": 5}, "begins: say a time such as"),
        ({"begins": "0001-01-01T00:00+14:00"}, "begins: say a time such as"),
        ({"begins": "2026-12-01T22:00Z", "ends": "2026-12-01T22:00Z"}, "ends: it ends before it begins"),
    ],
)
def test_what_is_wrong_with_a_draft(given: dict[str, Any], said: str) -> None:
    """One mistake is told once, in words that say how to mend it."""
    mistakes = read_draft({**FIELDS, **given}, {"pay", "cart"}, NOW)
    assert isinstance(mistakes, tuple)
    assert len(mistakes) == 1
    assert mistakes[0].startswith(said)


def test_an_update_is_of_the_same_kind() -> None:
    """A maintenance is not investigated, an incident is not completed."""
    told = notice(Standing.INVESTIGATING)
    assert read_update({"standing": "resolved", "text": "Over."}, told, NOW) == NoticeUpdate(
        at=NOW, standing=Standing.RESOLVED, text="Over."
    )
    assert read_update({"standing": "completed", "text": "x"}, told, NOW) == (
        "standing: say one of investigating, identified, monitoring, resolved",
    )
    assert read_update({"standing": "resolved", "text": ""}, told, NOW) == (
        "text: say something, in at most 5000 characters",
    )
    planned = read_update({"standing": "completed", "text": "Done."}, replace(PLANNED), NOW)
    assert isinstance(planned, NoticeUpdate)
