"""A config and all its checks → what judgement goes by, and what is wrong with the names in it."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.config.settings import Config, Slo
from probe.config.side_effects import judge_twins
from probe.core.check import CheckId, CheckSpec, HttpCall, PytestFunction
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.maintenance import Window
from probe.core.rules import Objective, Route, Rules, Watched


def rules_of(config: Config, checks: Iterable[CheckSpec]) -> tuple[Rules, tuple[Diagnostic, ...]]:
    """The rules, and what can only be said when all checks are known: names of checks, steps and tags that are none.

    `checks` are all of them, as `probe.loader` gives them. With an error among the diagnostics the rules are not to be
    used. An objective is two rules where it promises a latency: `checkout`, and `checkout/latency`.
    """
    specs = {spec.id: spec for spec in checks}
    findings = Findings(str(config.path), config.lines)
    _judge_names(config, specs, findings)
    judge_twins(specs, config.all_regions, findings)
    objectives = [
        objective for slo in config.slos.values() for objective in _objectives(slo, _counted(slo, specs, findings))
    ]
    rules = Rules(
        checks=MappingProxyType({spec.id: _watched(spec, config) for spec in specs.values()}),
        objectives=MappingProxyType({objective.name: objective for objective in objectives}),
        routes=config.routes,
        windows=config.windows,
        controls=MappingProxyType({region: spec.id for region, spec in config.controls.items()}),
        pages=(config.web.url or "").rstrip("/"),
    )
    return rules, findings.result(config.secrets)


def _watched(spec: CheckSpec, config: Config) -> Watched:
    target = config.targets.get(spec.target)
    return Watched(
        id=spec.id,
        target=spec.target,
        cause=target.host if target else spec.target,
        regions=tuple(r for r in spec.regions or config.all_regions if config.only in (None, r)),
        every=spec.every,
        timeout=spec.timeout,
        promise=spec.description,
        tags=spec.tags,
        spared=_spared(spec),
        confirm_with=spec.confirm_with,
    )


def _spared(spec: CheckSpec) -> tuple[str, ...]:
    """The steps of a check that extra runs do not reach, as far as they are known."""
    if spec.side_effects is None:
        return ()
    if spec.side_effects not in spec.steps:
        return (spec.side_effects,)
    return spec.steps[spec.steps.index(spec.side_effects) :]


def _counted(slo: Slo, specs: Mapping[CheckId, CheckSpec], findings: Findings) -> tuple[CheckSpec, ...]:
    """The checks that count for an objective: those that it names, and those that name it."""
    path: KeyPath = ("slo", slo.name)
    _exist("check", slo.checks, specs, (*path, "checks"), findings)
    counted = tuple(spec for spec in specs.values() if spec.slo == slo.name or spec.id in slo.checks)
    if not counted and not slo.checks:
        findings.error(
            path, "no check counts for it", f'name some with checks = […], or say slo = "{slo.name}" in a check'
        )
    _judge_step(slo.step, counted, (*path, "step"), findings)
    if slo.latency is not None:
        _judge_step(slo.latency.step, counted, (*path, "latency", "step"), findings)
    return counted


def _judge_step(step: str | None, counted: Iterable[CheckSpec], path: KeyPath, findings: Findings) -> None:
    """A step that a check never has would leave all its runs uncounted."""
    for spec in counted if step is not None else ():
        what = f"the check {spec.id!r} has no step {findings.show(path, step)}"
        if isinstance(spec.work, HttpCall):
            findings.error(path, what, "it is a single request: leave the step out, or the check")
        elif spec.steps and step not in spec.steps:
            findings.error(path, what, did_you_mean(str(step), spec.steps))


def _objectives(slo: Slo, counted: Iterable[CheckSpec]) -> Iterable[Objective]:
    checks = frozenset(spec.id for spec in counted)
    yield Objective(
        name=slo.name,
        checks=checks,
        target=slo.target,
        window=slo.window,
        step=slo.step,
        coverage=slo.coverage,
    )
    if slo.latency is not None:
        yield Objective(
            name=f"{slo.name}/latency",
            checks=checks,
            target=slo.latency.target,
            window=slo.window,
            step=slo.latency.step,
            under=slo.latency.under.total_seconds(),
            coverage=slo.coverage,
        )


def _judge_names(config: Config, specs: Mapping[CheckId, CheckSpec], findings: Findings) -> None:
    tags = {tag for spec in specs.values() for tag in spec.tags}
    named: list[tuple[KeyPath, Route | Window]] = [(("route", i), route) for i, route in enumerate(config.routes)]
    named += [(("maintenance", i), window) for i, window in enumerate(config.windows)]
    for path, entry in named:
        _exist("check", entry.checks, specs, (*path, "checks"), findings)
        _exist("check with the tag", entry.tags, tags, (*path, "tags"), findings)
    for index, component in enumerate(config.status_page.components):
        _exist("check", component.checks, specs, ("status_page", "component", index, "checks"), findings)
    for index, planned in enumerate(config.drills):
        where: KeyPath = ("drill", index, "check")
        if planned.check not in specs:
            hint = did_you_mean(planned.check, specs)
            findings.error(where, f"there is no check {findings.show(where, planned.check)}", hint)
        elif isinstance(specs[planned.check].work, PytestFunction):
            what = f"{findings.show(where, planned.check)} is a pytest file, which drives a browser of its own"
            findings.error(where, what, "name a journey or an HTTP check")
    controls = {spec.id for spec in config.controls.values()}
    for spec in specs.values():
        if spec.id in controls:
            findings.add(
                Diagnostic(
                    file=spec.source.file,
                    line=spec.source.line,
                    key=spec.id,
                    what="the control of a region has that id",
                    hint='give the check another: id = "…"',
                )
            )


def _exist(noun: str, given: Iterable[str], known: Collection[str], path: KeyPath, findings: Findings) -> None:
    for index, name in enumerate(given):
        if name not in known:
            where = (*path, index)
            findings.error(where, f"there is no {noun} {findings.show(where, name)}", did_you_mean(name, known))
