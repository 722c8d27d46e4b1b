"""The likely cause of an incident, with what speaks for it and what against: said only as far as it is known."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from probe.core.case import Case, Confidence, Diagnosis, case_of
from probe.core.causes_answer import (
    behind_it,
    content,
    not_read_back,
    one_of_several,
    page_script,
    rejected,
    robot,
    server_error,
)
from probe.core.causes_time import hung, slow
from probe.core.causes_wire import certificate, name, no_way, our_network, ours, third_party, unsteady_path
from probe.core.changes import TELLING, words_of
from probe.core.failure import Failure, Layer
from probe.core.symptoms import at, twins

__all__ = ["Case", "Confidence", "Diagnosis", "case_of", "diagnose"]

Rule = Callable[[Case, Failure], Diagnosis | None]
"""Looks for one sort of trouble, with the failure that speaks for the case; `None`: it does not see it."""
RULES: Final[tuple[Rule, ...]] = (
    ours,
    our_network,
    robot,
    name,
    certificate,
    third_party,
    one_of_several,
    unsteady_path,
    no_way,
    page_script,
    behind_it,
    rejected,
    server_error,
    not_read_back,
    hung,
    slow,
    content,
)
"""In the order in which they are asked; the first that has something to say is believed."""
BELOW: Final = frozenset({Layer.DNS, Layer.CONNECT, Layer.TLS, Layer.THIRD_PARTY})
"""Layers that a deploy of the shop does not reach."""
DEPLOYED: Final = ("build", "script")
"""Sorts of differences that a deploy makes."""


def diagnose(case: Case) -> Diagnosis:
    """The likely cause: of the first rule that has something to say, with what else speaks for it and against it."""
    failure = case.failure
    if failure is None:
        return Diagnosis(
            layer=Layer.TIMING,
            words="bad runs add up: an error budget burns, and no single failure speaks for it",
            confidence=Confidence.UNCLEAR,
            evidence_for=tuple(case.incident.burns.values()),
            look_at=("the failures of the last hours, by reason",),
        )
    found = next((found for rule in RULES if (found := rule(case, failure)) is not None), None)
    if found is None:
        found = Diagnosis(layer=failure.layer, words=f"{failure.message}{at(failure)}", confidence=Confidence.UNCLEAR)
    if found.layer == Layer.PROBE:
        return found
    found = _with_deploy(case, found)
    return replace(
        found,
        evidence_for=(*found.evidence_for, *_for(case)),
        evidence_against=(*found.evidence_against, *_against(case)),
    )


def _with_deploy(case: Case, found: Diagnosis) -> Diagnosis:
    """What was brought out between the last good run and the first bad one, or was marked as a deploy just before."""
    builds = _builds(case)
    marks = [f"{mark.text} at {mark.at:%H:%M:%S} UTC" for mark in case.deploys]
    told = "; ".join((*builds[:2], *marks[-1:]))
    if not told:
        return found
    since = f" since the last good run at {case.compared.at:%H:%M:%S} UTC" if builds and case.compared else ""
    reasons = (*found.evidence_for, f"brought out{since}: {told}")
    if found.layer in BELOW:
        return replace(found, evidence_for=reasons)
    sure = found.layer != Layer.TIMING and bool(builds)
    least = Confidence.POSSIBLE if found.confidence is Confidence.UNCLEAR else found.confidence
    return replace(
        found,
        words=f"{found.words}. It began with a deploy: {told}",
        confidence=Confidence.LIKELY if sure else least,
        evidence_for=reasons,
        look_at=(f"the deploy ({told}): what is in it, or take it back", *found.look_at),
    )


def _builds(case: Case) -> list[str]:
    """Builds, and scripts, that are others than in the last good run, in words."""
    if case.compared is not None:
        return [words_of(found) for found in case.changed(*DEPLOYED) if found.before is not None]
    told = next((member.changed for member in case.incident.members.values() if member.changed), "")
    return [text for text in told.split("; ") if text.startswith(DEPLOYED) and "→" in text]


def _for(case: Case) -> Iterator[str]:
    """What speaks for trouble of the shop, and narrows it down."""
    if len(case.regions) > 1 and case.everywhere:
        yield f"it fails from all {len(case.regions)} regions"
    samples = [run.observation.control for run in case.failed if run.observation.control is not None]
    if samples and all(sample.well for sample in samples):
        yield f"our own network was well in the same seconds: {samples[0].text}"
    if case.fine:
        yield f"other checks of {case.incident.cause} pass: {', '.join(case.fine[:5])}"
    failure = case.failure
    good, bad = twins(case, None if failure is None else failure.step)
    if bad:
        yield f"the same step fails in {', '.join(bad)}, too: not the front end alone"
    elif good:
        yield f"the same step passes in {', '.join(good)}"
    if others := [words_of(found) for found in case.changed(*TELLING) if found.what not in DEPLOYED]:
        yield f"otherwise than in the last good run: {'; '.join(others[:2])}"
    yield from (f"the page says: {line}" for d in case.changed("text") for line in (d.after or "").splitlines()[:1])


def _against(case: Case) -> Iterator[str]:
    """What does not fit, or is not known."""
    fine = [region for region in case.regions if region not in case.affected]
    if fine:
        yield f"it passes from {', '.join(fine)}"
    if case.failed and case.passed and case.share < 0.75:
        yield f"{len(case.passed)} of {len(case.passed) + len(case.failed)} runs passed meanwhile"
