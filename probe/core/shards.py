"""What must be judged together, and what need not: rules in parts that can be folded apart.

Checks belong together that share a cause (one incident), an objective (one budget), or of which one confirms for the
other. Every part is called by the smallest id of its checks. The part `OWN`, which has no checks, tells of our own regions:
whatever part a check is in, that its runs cannot be made, or that its region has no network, is one story for a region.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from probe.core.burns import SLO
from probe.core.check import CheckId
from probe.core.ours import PROBE
from probe.core.rules import Objective, Rules
from probe.core.silence import stale

OWN: Final = ""
"""The name of the part that tells of our own regions."""


def split(rules: Rules) -> Mapping[str, Rules]:
    """The parts of the rules, by name: each check and each objective is in exactly one.

    An objective without a check is in `OWN`. Every part knows all routes, maintenance windows and control checks.
    """
    names = _names(rules)
    checks: dict[str, dict[CheckId, None]] = {}
    for check, name in names.items():
        checks.setdefault(name, {})[check] = None
    objectives: dict[str, dict[str, Objective]] = {}
    for objective in rules.objectives.values():
        name = next((names[check] for check in sorted(objective.checks) if check in names), OWN)
        objectives.setdefault(name, {})[objective.name] = objective
    parts = {
        name: replace(
            rules,
            checks={check: rules.checks[check] for check in checks[name]},
            objectives=objectives.get(name, {}),
            own=False,
        )
        for name in sorted(checks)
    }
    own = replace(rules, checks={}, known=rules.checks, objectives=objectives.get(OWN, {}), own=True)
    return {OWN: own, **parts}


def causes_of(rules: Rules) -> frozenset[str]:
    """All causes that incidents of a part can have.

    An open incident whose cause no part has any more belongs to the part of one of its checks, or to `OWN`: which ends it.
    """
    causes = {watched.cause for watched in rules.checks.values()}
    causes |= {f"{SLO}{objective}" for objective in rules.objectives}
    if rules.own:
        regions = {*rules.regions(), *rules.controls}
        causes |= {f"{PROBE}{region}" for region in regions} | {stale(region) for region in regions}
    return frozenset(causes)


def _names(rules: Rules) -> dict[CheckId, str]:
    """The name of the part that each check is in."""
    parent: dict[CheckId, CheckId] = {check: check for check in rules.checks}

    def root(check: CheckId) -> CheckId:
        while parent[check] != check:
            parent[check] = parent[parent[check]]
            check = parent[check]
        return check

    def join(group: Iterable[CheckId]) -> None:
        roots = sorted({root(check) for check in group if check in parent})
        for other in roots[1:]:
            parent[other] = roots[0]

    causes: dict[str, list[CheckId]] = {}
    for watched in rules.checks.values():
        causes.setdefault(watched.cause, []).append(watched.id)
        if watched.confirm_with is not None:
            join((watched.id, watched.confirm_with))
    for group in causes.values():
        join(group)
    for objective in rules.objectives.values():
        join(objective.checks)
    return {check: root(check) for check in rules.checks}
