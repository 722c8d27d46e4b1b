"""What a channel is told next: in order, held back, tried again, withdrawn, and many as one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.notification import Notification, Reason
from probe.core.outbox import (
    ASKED,
    GIVEN_UP,
    LEAST,
    LONGEST,
    Bucket,
    Pending,
    Send,
    Wait,
    Withdraw,
    again_at,
    backoff,
    next_step,
    without,
)
from tests.core.builders import NOW
from tests.core.letters import notification

LATER = NOW + timedelta(seconds=30)
EMPTY = Bucket(level=0.0)
LAST = Bucket(level=1.0)


def pending(number: int = 1, reason: Reason = Reason.OPENED, incident: str = "i1", **given: object) -> Pending:
    return Pending(notification=notification(incident, number, reason), **given)  # type: ignore[arg-type]  # as named


def step(waiting: Sequence[Pending], held: Sequence[str] = (), bucket: Bucket | None = None) -> Send | Withdraw | Wait:
    def until(one: Notification) -> datetime | None:
        return LATER if one.incident in held else None

    return next_step(waiting, NOW, until, bucket or Bucket(), 0.0)


OPENED, RESOLVED = pending(), pending(9, Reason.RESOLVED)
REMINDER, ESCALATED = pending(2, Reason.REMINDER), pending(3, Reason.ESCALATED)
FAILED = pending(tries=1, again=LATER)
OTHER = pending(incident="i2")


@pytest.mark.parametrize(
    ("waiting", "held", "bucket", "expected"),
    [
        pytest.param([], (), None, Wait(), id="nothing"),
        pytest.param([OPENED], (), None, Send(pending=(OPENED,)), id="one"),
        pytest.param([OTHER, OPENED], (), None, Send(pending=(OTHER,)), id="the first that came"),
        pytest.param([RESOLVED, OPENED], (), None, Send(pending=(OPENED,)), id="in the order of the incident"),
        pytest.param([FAILED], (), None, Wait(seconds=30.0), id="to be tried again later"),
        pytest.param([FAILED, RESOLVED], (), None, Wait(seconds=30.0), id="the opening failed: the end waits for it"),
        pytest.param([FAILED, OTHER], (), None, Send(pending=(OTHER,)), id="other incidents go on"),
        pytest.param([OPENED], ("i1",), None, Wait(seconds=30.0, held=True), id="held back"),
        pytest.param([OPENED, OTHER], ("i1",), None, Send(pending=(OTHER,)), id="others are not held back"),
        pytest.param(
            [RESOLVED], ("i1",), None, Wait(seconds=30.0, held=True), id="the end of what was told is held back"
        ),
        pytest.param(
            [OPENED, REMINDER, RESOLVED],
            ("i1",),
            None,
            Withdraw(pending=(OPENED, REMINDER, RESOLVED), why="it was over before anything of it was to be said"),
            id="over before anything was said",
        ),
        pytest.param(
            [FAILED, RESOLVED], ("i1",), None, Wait(seconds=30.0, held=True), id="tried once: perhaps it was heard"
        ),
        pytest.param(
            [REMINDER, ESCALATED, RESOLVED],
            (),
            None,
            Withdraw(pending=(REMINDER, ESCALATED), why="a later announcement says more"),
            id="superseded by the end",
        ),
        pytest.param(
            [REMINDER, ESCALATED, pending(4, Reason.REMINDER)],
            (),
            None,
            Withdraw(pending=(REMINDER,), why="a later announcement says more"),
            id="superseded by a later reminder",
        ),
        pytest.param([OPENED, OTHER], (), EMPTY, Wait(seconds=15.0), id="no token"),
        pytest.param([OPENED], (), LAST, Send(pending=(OPENED,)), id="the last token, for one"),
        pytest.param([OTHER, OPENED, FAILED], (), LAST, Send(pending=(OTHER, OPENED)), id="the last token, for all"),
        pytest.param(
            [pending(incident="i3", again=NOW + timedelta(days=30))],
            (),
            None,
            Send(pending=(pending(incident="i3", again=NOW + timedelta(days=30)),)),
            id="put off by a clock that was wrong",
        ),
    ],
)
def test_next_step(
    waiting: list[Pending], held: Sequence[str], bucket: Bucket | None, expected: Send | Withdraw | Wait
) -> None:
    """What is done next, case by case."""
    assert step(waiting, held, bucket) == expected


REASONS = st.sampled_from([Reason.REMINDER, Reason.ESCALATED, Reason.OPENED])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), REASONS, st.booleans()), max_size=12, min_size=1),
    st.sets(st.sampled_from("abc")),
    st.floats(0, 20),
)
def test_an_incident_is_told_in_its_order(said: list[tuple[str, Reason, bool]], held: set[str], tokens: float) -> None:
    """Whatever is pending: what is sent is never preceded by something of its incident that still waits, nor held back."""
    waiting = [
        pending(number, reason, incident, again=LATER if late else None, tries=int(late))
        for number, (incident, reason, late) in enumerate(said)
    ]
    for _ in range(100):
        did = step(waiting, tuple(held), Bucket(level=tokens))
        if isinstance(did, Wait):
            break
        if isinstance(did, Send):
            rest = without(waiting, did.pending)
            for one in (p.notification for p in did.pending):
                assert not [
                    p for p in rest if p.notification.incident == one.incident and p.notification.number < one.number
                ]
                assert one.incident not in held
            assert all(p.again is None for p in did.pending)
        waiting = without(waiting, did.pending)
    assert isinstance(did, Wait)
    assert did.seconds is not None or not waiting


@settings(deadline=None)
@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_and_end(tries: int, draw: float) -> None:
    """Full jitter: any wait up to one that doubles with each try from 5 s, and never more than 15 minutes."""
    assert LEAST <= backoff(tries, draw) <= LONGEST
    assert backoff(tries, draw) <= max(LEAST, timedelta(seconds=5) * 2 ** min(tries - 1, 30))
    assert backoff(tries, 1.0) <= backoff(tries + 1, 1.0)


def test_what_a_service_asks_for() -> None:
    """It is waited for as long as the service asks, but neither for no time nor for days."""
    assert backoff(1, 0.5, timedelta(seconds=90)) == timedelta(seconds=90)
    assert backoff(1, 0.5, timedelta(days=9)) == ASKED
    assert backoff(1, 0.5, timedelta(0)) == LEAST


def test_trying_ends_after_a_day() -> None:
    """A day after it was created nothing is tried again."""
    assert again_at(OPENED, NOW, timedelta(minutes=1)) == NOW + timedelta(minutes=1)
    assert again_at(OPENED, NOW + GIVEN_UP - timedelta(minutes=2), timedelta(minutes=1)) is not None
    assert again_at(OPENED, NOW + GIVEN_UP - timedelta(minutes=1), timedelta(minutes=1)) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 20))
def test_a_bucket_never_gives_more_than_its_rate(gaps: list[float], size: int) -> None:
    """In any stretch of `per` no more than twice the size, in any shorter one in proportion; it fills up again."""
    bucket, now, taken = Bucket(size=size, per=timedelta(seconds=100)), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if bucket.wait(now) == 0:
            bucket = bucket.taken(now)
            taken.append(now)
        assert -1e-3 < bucket.left(now) <= size
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= size + (taken[last] - taken[first]) * size / 100 + 1e-3 * len(taken)
    assert bucket.left(now + 1000) == size
