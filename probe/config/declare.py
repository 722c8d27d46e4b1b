"""What every check has, from TOML or Python: schedule, target, regions; judged against the rest of the config."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.config.schema import CheckArguments, CheckTable, EvidenceTable, JourneyArguments
from probe.config.settings import Defaults
from probe.config.validate import validate
from probe.core.check import CheckId, CheckSpec, Cron, Function, Source
from probe.core.cron import gaps
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.duration import format_duration
from probe.core.target import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a check is judged against: the names that exist, and what holds where it says nothing."""

    defaults: Defaults
    targets: Collection[str]
    regions: Collection[str]
    evidence: Evidence
    slos: Collection[str] = ()
    only: str | None = None
    """The region that an agent probes from: it knows no other, no objectives, and needs no check of elsewhere."""

    def is_elsewhere(self, regions: object) -> bool:
        """Whether a check that runs from `regions`, as its author wrote them, is none of an agent's."""
        return (
            self.only is not None and isinstance(regions, list | tuple) and bool(regions) and self.only not in regions
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every check has, settled."""

    every: timedelta
    timeout: timedelta
    target: str
    cron: Cron | None = None

    def spec(
        self,
        table: CheckTable,
        *,
        id: str,
        kind: str,
        work: Any,
        source: Source,
        description: str,
        evidence: Evidence,
        **more: Any,
    ) -> CheckSpec:
        """The check, complete."""
        return CheckSpec(
            id=CheckId(id),
            kind=kind,
            target=self.target,
            every=self.every,
            timeout=self.timeout,
            work=work,
            source=source,
            description=description,
            tags=table.tags,
            slo=table.slo,
            regions=table.regions,
            evidence=evidence,
            cron=self.cron,
            confirm_with=None if table.confirm_with is None else CheckId(table.confirm_with),
            **more,
        )


def settle(table: CheckTable, broken: Collection[str], path: KeyPath, ground: Ground, findings: Findings) -> Common:
    """The schedule and target of a check, its names looked up. Keys in `broken` were complained about already."""
    every, timeout, cron = _schedule(table, broken, path, ground, findings)
    target = table.target or ground.defaults.target
    if target is None:
        if "target" not in broken:
            _no_target(path, ground, findings)
        target = ""
    elif table.target is not None and target not in ground.targets:
        findings.error(
            (*path, "target"),
            f"there is no target {findings.show((*path, 'target'), target)}",
            did_you_mean(target, ground.targets),
        )
    for index, region in enumerate(table.regions if ground.only is None else ()):
        where_region = (*path, "regions", index)
        if region not in ground.regions:
            findings.error(
                where_region,
                f"there is no region {findings.show(where_region, region)}",
                did_you_mean(region, ground.regions),
            )
    if table.slo is not None and table.slo not in ground.slos and ground.only is None:
        _no_slo(table.slo, (*path, "slo"), ground, findings)
    return Common(every=every, timeout=timeout, target=target, cron=cron)


def _schedule(
    table: CheckTable, broken: Collection[str], path: KeyPath, ground: Ground, findings: Findings
) -> tuple[timedelta, timedelta, Cron | None]:
    """How long there is between two runs at most, how long one may take, and the times, if it has any."""
    every = shortest = table.every or ground.defaults.every
    where, cron = "the interval" if table.every else "the default interval", None
    if table.cron is not None:
        cron = Cron(expression=table.cron, timezone=table.timezone or "UTC")
        rhythm = gaps(cron.expression, cron.timezone)
        if "every" in table.model_fields_set:
            findings.error((*path, "cron"), "there is `every` already: a check has one schedule", "leave one of them")
        elif rhythm is None:
            findings.error(
                (*path, "cron"), "it comes less than twice in two years", "give the check a time at least each year"
            )
        else:
            shortest, every = rhythm.shortest, rhythm.longest
            where = "the shortest time between two runs"
    elif table.timezone is not None and "cron" not in broken:
        findings.error((*path, "timezone"), "there is no cron to be read in it", 'add cron = "…", or remove it')
    timeout = table.timeout or min(ground.defaults.timeout, shortest)
    if timeout > shortest and not {"every", "timeout", "cron"} & set(broken):
        findings.error(
            (*path, "timeout"),
            f"{_plain(timeout)} is longer than {where} of {_plain(shortest)}",
            "a run must end before the next one is due: shorten the timeout, or run the check less often",
        )
    return every, timeout, cron


def _no_slo(name: str, path: KeyPath, ground: Ground, findings: Findings) -> None:
    shown = findings.show(path, name)
    if ground.slos:
        findings.error(path, f"there is no objective {shown}", did_you_mean(name, ground.slos))
    else:
        findings.warning(
            path, f"there is no objective {shown}: the check counts for none", "add [slo.NAME] to the config"
        )


def _no_target(path: KeyPath, ground: Ground, findings: Findings) -> None:
    if ground.targets:
        findings.error(
            path,
            "it has no target",
            f"name one of {', '.join(sorted(ground.targets))} with target = …, or set defaults.target",
        )
    else:
        findings.error(
            path, "there is no target to point it at", 'add [targets.shop] with url = "https://shop.example"'
        )


def _plain(duration: timedelta) -> str:
    return format_duration(duration).replace(" ", "")


def evidence_of(given: EvidenceTable | None, ground: Ground) -> Evidence:
    """The evidence a check keeps: what it says over what the config says."""
    return ground.evidence if given is None else given.over(ground.evidence)


def declared_function(
    kind: str,
    given: Mapping[str, Any],
    function: Function,
    *,
    source: Source,
    description: str,
    ground: Ground,
    findings: Findings,
) -> CheckSpec:
    """The check that a decorator with the arguments `given` makes of a function; its mistakes go to `findings`.

    `function.browser` is set here, for a journey.
    """
    said = {key: value for key, value in given.items() if value is not None}
    model = JourneyArguments if kind == "journey" else CheckArguments
    judged = validate(model, said, (), findings)
    assert judged is not None  # `said` is a mapping
    table, broken = judged
    common = settle(table, broken, (), ground, findings)
    browser = table.browser if isinstance(table, JourneyArguments) else None
    name = table.id or function.name
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        findings.error((), f"the name {name!r} cannot be an id: it is not ASCII", f'give it one: @{kind}(id="…")')
    return common.spec(
        table,
        id=name,
        kind="http" if browser is None else "browser",
        work=Function(file=function.file, name=function.name, browser=browser, root=function.root),
        source=source,
        description=table.name or description,
        evidence=evidence_of(table.evidence if isinstance(table, JourneyArguments) else None, ground),
        params=table.params,
        side_effects=table.side_effects,
    )


def slug(name: str) -> str:
    """An id made of a name.

    >>> slug("Home page (EU)")
    'home-page-eu'
    """
    return re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-.")


def duplicate_ids(checks: Iterable[CheckSpec]) -> tuple[Diagnostic, ...]:
    """A diagnostic for each check whose id another one has already."""
    first: dict[str, CheckSpec] = {}
    return tuple(
        Diagnostic(
            file=check.source.file,
            line=check.source.line,
            key=check.id,
            what=f"the id {check.id!r} is taken by the check at {first[check.id].source}",
            hint='give one of them another: id = "…"',
        )
        for check in checks
        if first.setdefault(check.id, check) is not check
    )
