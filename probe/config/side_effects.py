"""Checks that do something in the shop that stays: whether the step is one, and what is run in their place."""

from collections.abc import Iterable, Mapping, Sequence

from probe.config.findings import Findings
from probe.config.function_source import FunctionNode, hides_steps
from probe.core.check import CheckId, CheckSpec
from probe.core.diagnostic import Diagnostic, did_you_mean


def judge_step(spec: CheckSpec, steps: Sequence[str], node: FunctionNode, findings: Findings) -> None:
    """Whether the step that `side_effects` of a function names is one of its `steps`, as far as they can be read.

    A name that is none would stop nothing, and nobody would notice but those who get the orders.
    """
    named, path = spec.side_effects, ("side_effects",)
    if named is None:
        return
    if named in steps:
        if named == steps[0] and spec.confirm_with is None:
            findings.warning(
                path,
                f"{findings.show(path, named)} is its first step: no run that is to confirm a failure would do anything",
                "divide the step, or name a check that is run in its place with confirm_with",
            )
    elif not hides_steps(node):
        hint = did_you_mean(named, steps) if steps else f'write `async with t.step("{named}"):` around what has them'
        findings.error(path, f"there is no step {findings.show(path, named)}", hint)
    else:
        findings.warning(
            path,
            f"no step {findings.show(path, named)} can be seen in the source",
            "make sure that there is one: without it, runs that are to confirm a failure go to their end",
        )


def judge_twins(specs: Mapping[CheckId, CheckSpec], regions: Sequence[str], findings: Findings) -> None:
    """Whether what `confirm_with` names can be run in a check's place. `regions` are all there are."""
    for spec in specs.values():
        for what, hint in _about_twin(spec, specs, regions) if spec.confirm_with is not None else ():
            findings.add(
                Diagnostic(
                    file=spec.source.file, line=spec.source.line, key=f"{spec.id}.confirm_with", what=what, hint=hint
                )
            )


def _about_twin(
    spec: CheckSpec, specs: Mapping[CheckId, CheckSpec], regions: Sequence[str]
) -> Iterable[tuple[str, str]]:
    name = spec.confirm_with
    assert name is not None, "asked for those that have one"
    twin = specs.get(name)
    if name == spec.id:
        yield "it cannot be confirmed with itself", "leave confirm_with out: it is run again as it is"
    elif twin is None:
        yield f"there is no check {name!r}", did_you_mean(name, [other for other in specs if other != spec.id])
    elif twin.confirm_with is not None:
        yield f"{name!r} is itself confirmed with another check", "name one that can be run as it is"
    elif missing := [r for r in spec.regions or regions if r not in (twin.regions or regions)]:
        yield (
            f"{name!r} does not run from {', '.join(missing)}",
            "both must run from the same regions: a failure is confirmed where it was seen, too",
        )
