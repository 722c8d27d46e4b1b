"""What to expect of a configuration: how soon outages are told, how often nothing is, and what would help most."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf, isinf

from rich.console import Console
from rich.table import Table

from probe.backtest.forecast import WORLDS, Delay, Forecast, Knob, Shape, Trouble, best_knob, forecast
from probe.backtest.noise import Noise
from probe.cli.progress import Telling
from probe.cli.selection import Selection
from probe.core.check import CheckId, CheckSpec
from probe.core.cron import gaps
from probe.core.duration import format_duration
from probe.core.rules import Objective
from probe.core.slo import length

QUIETEST: float = 0.001
"""The share of runs that fail for no reason at the quietest of checks."""


def shapes_of(selection: Selection) -> dict[Shape, list[CheckSpec]]:
    """The checks by what a forecast depends on."""
    found: dict[Shape, list[CheckSpec]] = {}
    for spec in {job.spec.id: job.spec for job in selection.jobs}.values():
        regions = [job.region.name for job in selection.jobs if job.spec.id == spec.id]
        shape = Shape(
            regions=len(regions),
            every=_every(spec),
            timeout=spec.timeout.total_seconds(),
            steps=len(spec.steps),
            controls=all(region in selection.config.controls for region in regions),
        )
        found.setdefault(shape, []).append(spec)
    return found


def print_outlook(screen: Console, selection: Selection, objectives: Iterable[Objective], tell: Telling) -> None:
    """Simulate, and print a row for each shape of check, then what it rests on, what is amiss, and what would help most."""
    shapes = shapes_of(selection)
    forecasts: dict[Shape, Forecast] = {}
    for number, shape in enumerate(shapes):
        tell(number / (len(shapes) + 1))
        forecasts[shape] = forecast(shape)
    slowest = max(forecasts, key=lambda shape: _typical(forecasts[shape]))
    tell(len(shapes) / (len(shapes) + 1))
    knob = best_knob(slowest)
    screen.print(
        f"time from the start of an outage to the page: earliest / typical / worst in twenty, of {WORLDS} simulated outages of each kind",
        soft_wrap=True,
    )
    screen.print(_table(shapes, forecasts))
    for line in (*notes(forecasts, shapes), *unjudgeable(objectives, selection)):
        screen.print(line, soft_wrap=True, markup=False)
    if knob is not None:
        screen.print(advice(knob, slowest, shapes[slowest]), soft_wrap=True, markup=False)


def notes(forecasts: Mapping[Shape, Forecast], shapes: Mapping[Shape, Sequence[CheckSpec]]) -> Iterator[str]:
    """What the figures rest on, and what they leave out."""
    stray = max(each.stray for each in forecasts.values())
    yield (
        f"false pages: at most {stray:.2g} a month and check from stray failures, by the bound that the threshold of evidence "
        f"is made for; the rest from troubled networks, simulated: {Noise().bursts:g} a month and region, 150 s in the median"
    )
    spared = [spec for specs in shapes.values() for spec in specs if spec.side_effects is not None]
    if spared:
        yield (
            f"runs that confirm end before the side effects of {_names(spared)}: a step from there on is told later than "
            "is said here, by runs of the schedule alone"
        )


def unjudgeable(objectives: Iterable[Objective], selection: Selection) -> Iterator[str]:
    """Objectives that the runs of their checks cannot show to be kept, and what would."""
    for objective in objectives:
        jobs = [job for job in selection.jobs if job.spec.id in objective.checks]
        if not jobs:
            continue
        seconds = length(objective.window).total_seconds()
        allowed = (1 - objective.target) * sum(seconds / _every(job.spec) for job in jobs)
        if allowed < 1:
            least = max(_every(job.spec) for job in jobs) * allowed
            yield (
                f"warning: {objective.name} cannot be judged: its checks run too seldom for a single bad run to be allowed "
                f"({allowed:.2g} in its window); it takes an interval of {format_duration(max(1, int(least)))} at most, more "
                "regions, or a longer window"
            )
        if 1 - objective.target < QUIETEST * 0.999:
            yield (
                f"warning: {objective.name} promises more than most checks can show: about {QUIETEST:.1%} of the runs of even "
                f"a quiet check fail for no reason, and {1 - objective.target:.2g} of them may be bad; lower the objective"
            )


def advice(knob: Knob, shape: Shape, specs: Sequence[CheckSpec]) -> str:
    """What would help most, in words."""
    names = _names(specs)
    if knob.words == "control runs":
        return (
            f"what would help {names} most: a control run in each region; false pages for troubled networks would be "
            f"{knob.after:.2g} a month instead of {knob.before:.2g}"
        )
    setting = ""
    if knob.shape.every != shape.every:
        setting = f" (every {format_duration(knob.shape.every)})"
    elif knob.shape.timeout != shape.timeout:
        setting = f" (timeout {format_duration(knob.shape.timeout)})"
    return (
        f"what would help {names} most: {knob.words}{setting}; a total or half outage would typically be told after "
        f"{_seconds(knob.after, inf)} instead of {_seconds(knob.before, inf)}"
    )


def _table(shapes: Mapping[Shape, Sequence[CheckSpec]], forecasts: Mapping[Shape, Forecast]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("check", *Trouble, "false pages a month"):
        table.add_column(column, overflow="fold")
    for shape, specs in shapes.items():
        found = forecasts[shape]
        cells = [_delay(found.delays.get(trouble)) for trouble in Trouble]
        table.add_row(_names(specs), *cells, f"{found.false_pages:.2g}")
    return table


def _delay(delay: Delay | None) -> str:
    if delay is None:
        return "–"
    return " / ".join(_seconds(value, delay.played) for value in (delay.earliest, delay.typical, delay.worst))


def _seconds(value: float, played: float) -> str:
    if isinf(value):
        return f"> {format_duration(played)}"
    grain = 1 if value < 600 else 10 if value < 3600 else 60 if value < 36000 else 600
    return format_duration(max(1, round(value / grain) * grain))


def _names(specs: Sequence[CheckSpec]) -> str:
    names = [CheckId(spec.id) for spec in specs]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _every(spec: CheckSpec) -> float:
    """The mean time between two runs in a region, in seconds."""
    if spec.cron is not None and (rhythm := gaps(spec.cron.expression, spec.cron.timezone)) is not None:
        return rhythm.mean.total_seconds()
    return spec.every.total_seconds()


def _typical(found: Forecast) -> float:
    return sum(found.delays[trouble].typical for trouble in (Trouble.TOTAL, Trouble.HALF))
