"""Every (k of n) regions that fail, for n up to 8, ends in the verdict of the table in docs/regions.md, and nothing flaps."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.evaluate import Silence
from probe.core.failure import Failure
from probe.core.incident import Verdict, What
from probe.core.rules import Severity
from probe.core.run import Why
from tests.core.world import BROKEN, World, rules_of, watched

REFUSED = Failure.of("refused")
CHECKOUT = CheckId("checkout")
HOST = "shop.example"
TOLD = {What.OPENED, What.REOPENED, What.RESOLVED}
LONG = 420
"""Seconds after which all is said: several regions that cannot be reached are believed after five minutes."""
MOST = 8


def table(heading: str) -> dict[tuple[int, int], Verdict]:
    """The verdicts of a table of the page, by n and k."""
    page = (Path(__file__).parents[2] / "docs" / "regions.md").read_text()
    rows = page.partition(heading)[2].lstrip().partition("\n\n")[0]
    return {
        (int(n), k): Verdict(cell)
        for n, cells in re.findall(r"^\| (\d) \|(.*)\|$", rows, re.MULTILINE)
        for k, cell in enumerate((cell.strip() for cell in cells.split("|")), 1)
        if cell
    }


SERVED = table("The service answers badly (5xx, a failed assertion, a bad certificate):\n")
ON_THE_WAY = table("It cannot be reached (refused, reset, timed out):\n")
SORTS = [pytest.param(BROKEN, SERVED, id="served"), pytest.param(REFUSED, ON_THE_WAY, id="on the way")]


class Fleet(World):
    """A check that is watched from many regions, of which some are silent: from these nothing comes."""

    def __init__(self, heard: int, *, every: float = 60, silent: int = 0) -> None:
        self.heard = tuple(f"r{number}" for number in range(heard))
        self.silent = tuple(f"silent{number}" for number in range(silent))
        regions = (*self.heard, *self.silent)
        super().__init__(
            rules_of(
                watched(regions=regions, every=timedelta(seconds=every)),
                controls={region: CheckId(f"control.{region}") for region in regions},
            )
        )
        for region in self.silent:
            self.event(Silence(region=region, since=self.now))
        self.play(3 * every, lambda *_: 0.5)
        self.wait(20)
        assert [i for i in self.state.incidents if i == HOST] == []

    def _answer(self, said: Failure | float, name: str, region: str, why: Why, **given: Any) -> None:
        if region not in self.silent:
            super()._answer(said, name, region, why, **given)

    def fail_from(self, bad: Iterable[str], failure: Failure, seconds: float = LONG) -> None:
        """Fail from these regions for so long; the others, and all control runs, pass."""
        bad = set(bad)

        def truth(name: str, region: str, _at: datetime) -> Failure | float:
            return failure if name == CHECKOUT and region in bad else 0.5

        self.play(seconds, truth, CHECKOUT)

    @property
    def verdict(self) -> Verdict:
        """What stands; of the incident, where there is one, which must agree."""
        incident, verdict = self.state.incidents.get(HOST), self.state.checks[CHECKOUT].verdict
        assert verdict == (Verdict.OK if incident is None else incident.verdict)
        return verdict

    @property
    def ups_and_downs(self) -> list[What]:
        """What was opened and resolved of the host."""
        told = {entry.incident for entry in self.entries if entry.what is What.OPENED and CHECKOUT in entry.text}
        return [entry.what for entry in self.entries if entry.what in TOLD and entry.incident in told]


def test_the_tables_are_whole() -> None:
    every = {(n, k) for n in range(1, MOST + 1) for k in range(1, n + 1)}
    assert set(SERVED) == set(ON_THE_WAY) == every
    for known in (SERVED, ON_THE_WAY):
        assert all(known[n, n] is Verdict.DOWN for n in range(1, MOST + 1))
        assert all(known[n, 1] is Verdict.REGIONAL for n in range(2, MOST + 1))


@pytest.mark.parametrize("n", range(1, MOST + 1))
@pytest.mark.parametrize(("failure", "verdicts"), SORTS)
def test_k_of_n(failure: Failure, verdicts: dict[tuple[int, int], Verdict], n: int) -> None:
    """It is told once, as what the table says; where none fails, nothing is."""
    quiet = Fleet(n)
    quiet.fail_from((), failure)
    assert (quiet.entries, quiet.verdict) == ([], Verdict.OK)
    for k in range(1, n + 1):
        fleet = Fleet(n)
        fleet.fail_from(fleet.heard[:k], failure)
        assert (k, fleet.verdict, fleet.ups_and_downs) == (k, verdicts[n, k], [What.OPENED])


@pytest.mark.parametrize("every", [10, 300])
@pytest.mark.parametrize(("failure", "verdicts"), SORTS)
def test_the_interval_is_no_matter(failure: Failure, verdicts: dict[tuple[int, int], Verdict], every: float) -> None:
    for n in (3, 4, 7):
        for k in range(1, n):
            fleet = Fleet(n, every=every)
            fleet.fail_from(fleet.heard[:k], failure)
            assert (n, k, fleet.verdict) == (n, k, verdicts[n, k])


@pytest.mark.parametrize("silent", [1, 2, 4, 7])
@pytest.mark.parametrize(("failure", "verdicts"), SORTS)
def test_silent_regions_are_neither_counted_nor_waited_for(
    failure: Failure, verdicts: dict[tuple[int, int], Verdict], silent: int
) -> None:
    """With j of n regions silent the table holds for n - j."""
    for heard in range(1, MOST - silent + 1):
        for k in range(1, heard + 1):
            fleet = Fleet(heard, silent=silent)
            fleet.fail_from(fleet.heard[:k], failure)
            assert (heard, k, fleet.verdict, fleet.ups_and_downs) == (heard, k, verdicts[heard, k], [What.OPENED])


@pytest.mark.parametrize("n", range(1, MOST + 1))
@pytest.mark.parametrize("failure", [BROKEN, REFUSED])
def test_nothing_flaps_at_the_boundary(failure: Failure, n: int) -> None:
    """A region that fails every other round, beside those that fail for good: one opening, and no end meanwhile."""
    for k in range(1, n + 1):
        fleet = Fleet(n)
        begun = fleet.now

        def truth(
            name: str,
            region: str,
            at: datetime,
            k: int = k,
            begun: datetime = begun,
            known: tuple[str, ...] = fleet.heard,
        ) -> Failure | float:
            bad = k if (at - begun) // timedelta(seconds=60) % 2 == 0 else k - 1
            return failure if name == CHECKOUT and region in known[:bad] else 0.5

        fleet.play(900, truth, CHECKOUT)
        assert (k, fleet.ups_and_downs) in [(k, [What.OPENED]), (k, [])]


@pytest.mark.parametrize("failure", [BROKEN, REFUSED])
@pytest.mark.parametrize("n", range(2, MOST + 1))
def test_an_outage_while_a_region_is_away_is_one_page_within_two_intervals(failure: Failure, n: int) -> None:
    """It has not been said to be silent yet when the outage begins: the others are enough, or become it."""
    fleet = Fleet(n)
    begun, fleet.silent = fleet.now, fleet.heard[-1:]
    fleet.fail_from(fleet.heard, failure, 45)
    fleet.event(Silence(region=fleet.silent[0], since=begun))
    fleet.fail_from(fleet.heard, failure, 75)
    incident = fleet.state.incidents[HOST]
    assert (incident.verdict, incident.severity) == (Verdict.DOWN, Severity.PAGE)
    assert fleet.said.count("opened oncall") == 2, "the outage, and the region that is silent"
    assert fleet.ups_and_downs == [What.OPENED]
