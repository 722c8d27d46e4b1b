"""What is held back: what somebody muted, and what concerns only checks in maintenance."""

from dataclasses import replace
from datetime import timedelta

from probe.core.check import CheckId
from probe.core.hold import hold, standing
from probe.core.maintenance import Window
from tests.core.builders import NOW
from tests.core.world import World, rules_of, watched

HOUR = timedelta(hours=1)
DEPLOY = Window(name="deploy", start=NOW - HOUR, duration=2 * HOUR, checks=("checkout",))


def outage(*windows: Window) -> World:
    w = World(rules_of(watched(), watched("api"), windows=windows))
    w.fail()
    return w


def test_muted_until() -> None:
    """And not a moment longer; another incident's mute is nobody's business."""
    w = outage()
    (note,) = w.notes
    until = w.now + HOUR
    assert hold(note, w.rules, {note.incident: until}, w.now) == until
    assert hold(note, w.rules, {note.incident: until}, until) is None
    assert hold(note, w.rules, {}, w.now) is None


def test_what_is_expected_waits_for_the_end_of_the_window() -> None:
    """While all checks of a message are in maintenance; one that is not, is news."""
    w = outage(DEPLOY)
    (note,) = w.notes
    end = NOW + HOUR
    assert hold(note, w.rules, {}, w.now) == end
    assert hold(note, w.rules, {}, end) is None
    both = replace(note, message=replace(note.message, checks=("checkout", "api")))
    assert hold(both, w.rules, {}, w.now) is None
    gone = replace(note, message=replace(note.message, checks=("checkout", "gone")))
    assert hold(gone, w.rules, {}, w.now) is None
    nothing = replace(note, message=replace(note.message, checks=()))
    assert hold(nothing, w.rules, {}, w.now) is None


def test_the_first_window_that_ends_is_when_to_look_again() -> None:
    """Of two checks in two windows, one is news when its own is over."""
    other = Window(name="other", start=NOW - HOUR, duration=1.5 * HOUR, checks=("api",))
    w = outage(DEPLOY, other)
    both = replace(w.notes[0], message=replace(w.notes[0].message, checks=("checkout", "api")))
    assert hold(both, w.rules, {}, w.now) == NOW + HOUR / 2


def test_what_stands() -> None:
    """Every open incident that the channel was told of and that is not muted, as it is now."""
    w = outage()
    (note,) = standing(w.state, w.rules, "oncall", w.now)
    assert (note.incident, note.message.checks) == (w.only.id, (CheckId("checkout"),))
    assert standing(w.state, w.rules, "somebody", w.now) == ()
    w.mute(60)
    assert standing(w.state, w.rules, "oncall", w.now) == ()
    w.wait(61)
    assert len(standing(w.state, w.rules, "oncall", w.now)) == 1
    w.recover()
    assert standing(w.state, w.rules, "oncall", w.now) == ()
