"""What recordings are judged by: rules for those that bring no configuration, and what a configuration lacks for others."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from probe.backtest.interchange import MetaLine
from probe.backtest.recording import Recording
from probe.backtest.sample import Setting
from probe.core.check import CheckId, CheckSpec
from probe.core.rules import Objective, Route, Rules, Watched

CONTROL: Final = CheckId("control")


def watched_of(setting: Setting, target: str) -> Watched:
    """The check of a world, of which nothing else is known: its target is its cause."""
    return Watched(
        id=CheckId(setting.check),
        target=target,
        cause=target,
        regions=setting.regions,
        every=timedelta(seconds=setting.every),
        timeout=timedelta(seconds=setting.timeout),
    )


def default_rules(recordings: Iterable[Recording]) -> Rules:
    """Rules for checks of which only the recording is known: one target each, control runs where some were recorded."""
    checks, objectives, controls = {}, {}, {}
    for recording in recordings:
        setting = recording.setting
        check = CheckId(setting.check)
        checks[check] = watched_of(setting, setting.check)
        if setting.objective is not None:
            objectives[setting.check] = Objective(
                name=setting.check, checks=frozenset({check}), target=setting.objective
            )
        controls.update(dict.fromkeys((r for r in setting.regions if recording.has_control(r)), CONTROL))
    return Rules(checks=checks, objectives=objectives, controls=controls, routes=(Route(channels=()),))


def unknown_to(rules: Rules, recordings: Sequence[Recording]) -> tuple[str, ...]:
    """What of the recordings these rules do not watch, in words."""
    found = []
    for recording in recordings:
        setting = recording.setting
        watched = rules.checks.get(CheckId(setting.check))
        if watched is None:
            found.append(f"the check {setting.check!r} is not in the configuration: its runs are left out")
            continue
        regions = [region for region in setting.regions if region not in watched.regions]
        if regions:
            found.append(
                f"{setting.check!r} is not watched from {', '.join(regions)} by the configuration: those runs count for nothing"
            )
    return tuple(found)


def meta_of(
    check: str,
    regions: Iterable[str],
    rules: Rules,
    *,
    spec: CheckSpec | None,
    every: float | None,
    start: float,
    end: float,
) -> MetaLine:
    """The line that says what stored runs of a check are of. What the configuration does not say is guessed from them."""
    watched = rules.checks.get(CheckId(check))
    names = dict.fromkeys((*(() if watched is None else watched.regions), *regions))
    targets = [objective.target for objective in rules.counted.get(CheckId(check), ())]
    return MetaLine(
        check=check,
        kind="journey" if spec is not None and spec.needs_browser else "http",
        interval_s=(every or 60.0) if watched is None else watched.every.total_seconds(),
        timeout_s=30.0 if watched is None else watched.timeout.total_seconds(),
        regions=tuple(names),
        steps=() if spec is None else spec.steps,
        start=start,
        end=end,
        slo=max(targets, default=None),
    )
