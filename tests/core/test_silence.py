"""Regions from which nothing is heard: when they are silent, that they take no part then, and what is told of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from probe.core.check import CheckId
from probe.core.evaluate import Silence, Tick
from probe.core.failure import Failure
from probe.core.incident import Verdict, What
from probe.core.rules import Rules, Severity
from probe.core.run import Outcome, Why
from probe.core.silence import BACK, Hearing, silence
from probe.core.verdict import ill, speaking, status
from tests.core.builders import NOW
from tests.core.world import BROKEN, World, rules_of, watched

FAILED = Outcome.FAILED
REGIONS = ("ap", "eu", "us")
CHECKOUT = CheckId("checkout")
CONTROLS = {region: CheckId(f"control.{region}") for region in REGIONS}
AFTER = timedelta(seconds=45)
SECOND = timedelta(seconds=1)
EARLY = NOW - timedelta(hours=1)


# --- when a region is silent ------------------------------------------------------------------------------------------


def hear(words: list[int], until: int, *, listening: int = 0, before: Hearing | None = None) -> list[Hearing]:
    """How it stands each second, when words come at these seconds."""
    hearing, found = before or Hearing(), []
    for second in range(until):
        heard = max((word for word in words if word <= second), default=None)
        moment = None if heard is None else NOW + heard * SECOND
        hearing = silence(moment, hearing, NOW + second * SECOND, AFTER, listening=NOW + listening * SECOND)
        found.append(hearing)
    return found


def test_a_region_is_silent_after_a_while_without_a_word() -> None:
    stood = hear([0, 10], 100)
    assert [h.silent for h in stood[:56]] == [None] * 56
    assert {h.silent for h in stood[56:]} == {NOW + 10 * SECOND}


def test_it_is_over_when_it_was_heard_for_a_third_of_that() -> None:
    stood = hear([0, *range(60, 100)], 100)
    assert stood[59].silent == NOW
    assert [h.silent for h in stood[60:75]] == [NOW] * 15
    assert stood[60].back == NOW + 60 * SECOND
    assert stood[75] == Hearing()


def test_a_word_now_and_then_is_not_enough() -> None:
    assert {h.silent for h in hear([0, 60, 78, 96, 114, 132], 150)[60:]} == {NOW}


def test_nobody_listened() -> None:
    """When we were away ourselves, it gets the time in which it must be heard; one that stays silent stays so."""
    assert {h.silent for h in hear([0], 145, listening=100)[100:]} == {None}
    assert hear([0], 150, listening=100)[146].silent == NOW
    assert hear([], 150, listening=100)[146].silent == NOW + 100 * SECOND, "it was never heard"
    before = Hearing(silent=EARLY)
    assert {h.silent for h in hear([], 150, listening=100, before=before)} == {EARLY}


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(0, 100))
def test_it_does_not_flap(words: list[int], listening: int) -> None:
    """It changes only for a reason, and what it became it stays for a while, whatever words come."""
    stood = [hearing.silent is not None for hearing in hear(words, 400, listening=listening)]
    changes = [second for second in range(1, 400) if stood[second] != stood[second - 1]]
    for first, second in pairwise(changes):
        assert (second - first) * SECOND >= (AFTER * (1 - BACK) if stood[second] else AFTER * BACK)
    for second in changes:
        latest = max([listening, *(word for word in words if word <= second)])
        if stood[second]:
            assert (second - latest) * SECOND > AFTER
        else:
            assert (second - latest) * SECOND <= AFTER * BACK
            assert any((latest - word) * SECOND >= AFTER * BACK for word in words), "heard for a third of it"


# --- it takes no part ---------------------------------------------------------------------------------------------------


def world(*regions: str, rules: Rules | None = None) -> World:
    w = World(rules or rules_of(watched(regions=regions or REGIONS), controls=CONTROLS))
    for region in regions or REGIONS:
        w.see(region=region)
    w.wait(20)
    return w


def hush(w: World, *regions: str, since: datetime | None = EARLY) -> None:
    for region in regions:
        w.event(Silence(region=region, since=since))


def test_a_silent_region_leaves_numerator_and_denominator() -> None:
    w = world()
    check, who = w.state.checks[CHECKOUT], w.rules.checks[CHECKOUT]
    assert speaking(check, who, w.state.regions, w.now) == REGIONS
    hush(w, "ap")
    assert speaking(check, who, w.state.regions, w.now) == ("eu", "us")
    assert status(check, who, w.state.regions, w.now) is Verdict.OK
    hush(w, "eu", "us")
    assert status(check, who, w.state.regions, w.now) is Verdict.UNKNOWN
    hush(w, "eu", since=None)
    assert status(check, who, w.state.regions, w.now) is Verdict.OK


def test_all_that_are_heard_being_ill_is_not_us() -> None:
    """Who is silent has no say in that, though what fails there may still say nothing."""
    w = world()
    hush(w, "ap")
    for region in REGIONS[:2]:
        w.see(FAILED, f"control.{region}", region, why=Why.CONTROL)
    who = w.rules.checks[CHECKOUT]
    assert ill(who, w.state.regions, w.now) == {"ap", "eu"}
    w.see(FAILED, "control.us", "us", why=Why.CONTROL)
    assert ill(who, w.state.regions, w.now) == {"ap"}
    hush(w, "eu")
    assert ill(who, w.state.regions, w.now) == {"ap", "eu", "us"}, "of one that is heard it is as of the only one"


def test_nothing_is_asked_of_a_silent_region() -> None:
    w = world()
    hush(w, "ap")
    w.fail("checkout", "eu", "us")
    assert w.suffers()
    assert {ask.region for ask in w.asks} == {"eu", "us"}
    blind = world()
    blind.see(FAILED, "control.ap", "ap", why=Why.CONTROL)
    hush(blind, "ap")
    blind.wait(180)
    assert blind.asks == []
    hush(blind, "ap", since=None)
    blind.event(Tick())
    assert [ask.region for ask in blind.asks] == ["ap"], "whether it sees is looked at when it is back"


def test_nothing_is_judged_while_no_region_is_heard() -> None:
    """What was told stays told: nothing is known of it. It goes on from there."""
    w = world()
    w.fail()
    said = len(w.entries)
    hush(w, *REGIONS)
    w.wait(3600)
    hosts = [entry for entry in w.entries[said:] if entry.incident == w.state.incidents["shop.example"].id]
    assert {entry.what for entry in hosts} <= {What.EVIDENCE}
    hush(w, *REGIONS, since=None)
    w.recover()
    assert not w.state.incidents


# --- what is told of it ---------------------------------------------------------------------------------------------------


def test_a_silent_region_is_a_ticket_until_it_is_heard() -> None:
    w = world()
    since = w.now - AFTER
    hush(w, "eu", since=since)
    (incident,) = w.state.incidents.values()
    assert (incident.cause, incident.verdict, incident.severity, incident.since) == (
        "stale:eu", Verdict.PROBE_FAULT, Severity.TICKET, since
    )  # fmt: skip
    message = w.notes[0].message
    assert message.title == f"SILENT: eu, nothing is heard from it since {since:%Y-%m-%d %H:%M:%S} UTC"
    assert "the region may be away, or only its way to the database; it says nothing about the shop" in message.body
    assert "Judged:    the other 2 regions judge without it: ap, us" in message.body
    assert "Try it:    probe fleet status" in message.body
    assert (message.checks, message.regions, message.targets, message.cause) == ((), ("eu",), (), "stale:eu")
    hush(w, "eu", since=since)
    w.wait(600)
    assert w.said == ["opened oncall"]
    hush(w, "eu", since=None)
    assert not w.state.incidents
    assert w.said == ["opened oncall", "resolved oncall"]
    last = w.notes[-1].message
    assert last.title == "RESOLVED: eu was silent for 10m45s"
    assert "Until:" in last.body
    assert "Judged:" not in last.body
    hush(w, "eu", since=None)
    assert w.told == ["opened", "evidence", "recovered", "resolved"]


def test_it_comes_back() -> None:
    w = world()
    hush(w, "eu")
    w.wait(60)
    hush(w, "eu", since=None)
    w.wait(60)
    hush(w, "eu", since=w.now - AFTER)
    assert w.only.relapses == 1
    assert w.notes[-1].message.title.startswith("AGAIN SILENT: eu, nothing is heard from it since 2026-11-23 03:0")
    assert "came back once" in w.notes[-1].message.body


def test_who_judges_is_kept_up_to_date() -> None:
    """And when nobody is left, it is a page: nothing is watched any more."""
    w = world()
    words: dict[str, list[str]] = {name: [] for name in REGIONS}

    def look() -> None:
        for name in REGIONS:
            incident = w.state.incidents.get(f"stale:{name}")
            words[name].append("" if incident is None or incident.first is None else incident.first.evidence)

    for region in REGIONS:
        hush(w, region)
        look()
    assert words["ap"] == [
        "the other 2 regions judge without it: eu, us",
        "one other region judges without it: us",
        "nothing is judged: no region is heard",
    ]
    assert [i.severity for i in w.state.incidents.values()] == [Severity.TICKET, Severity.TICKET, Severity.PAGE]
    hush(w, "eu", since=None)
    look()
    assert words["ap"][-1] == "one other region judges without it: eu"
    assert words["us"][-1] == "one other region judges without it: eu"


def test_the_only_region() -> None:
    w = world("eu")
    hush(w, "eu")
    assert w.only.severity is Severity.PAGE
    assert "nothing is judged: it is the only region" in w.notes[0].message.body


def test_whoever_does_not_tell_of_ourselves_only_takes_it_into_account() -> None:
    w = world(rules=replace(rules_of(watched(regions=REGIONS), controls=CONTROLS), own=False))
    hush(w, "eu")
    assert w.state.regions["eu"].silent == EARLY
    assert not w.state.incidents
    for _ in range(4):
        w.see(Outcome.ERRORED)
    for _ in range(4):
        w.see(FAILED, "control.us", "us", why=Why.CONTROL, failure=Failure.of("refused"))
        w.wait(60)
    assert not w.state.incidents


def test_a_region_that_is_watched_from_no_more_is_let_go() -> None:
    """It does not wait for a word that nobody will say."""
    w = world()
    hush(w, "eu")
    w.event(Tick())
    assert set(w.state.incidents) == {"stale:eu"}
    w.rules = rules_of(watched(regions=("ap", "us")))
    w.event(Tick())
    assert not w.state.incidents


def test_somebody_takes_care_of_it() -> None:
    w = world()
    hush(w, "eu")
    w.acknowledge()
    assert w.only.acknowledged_by == "ada"
    hush(w, "us")
    hush(w, "eu", since=None)
    assert set(w.state.incidents) == {"stale:us"}
    assert BROKEN.kind not in w.notes[-1].message.body


def test_what_is_said_is_said_once() -> None:
    """It was heard of for a moment, or nobody was there to tell of it: nothing is opened twice, or ended that is not open."""
    w = world()
    hush(w, "eu")
    hush(w, "eu", since=EARLY + timedelta(minutes=5))
    assert w.said == ["opened oncall"]
    quiet = world(rules=replace(w.rules, own=False))
    hush(quiet, "eu")
    quiet.rules = w.rules
    hush(quiet, "eu", since=None)
    assert quiet.entries == []
