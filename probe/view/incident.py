"""An incident as a document: what is broken, for whom, since when, and why; what happened, and who was told."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from probe.core.case import case_of
from probe.core.diagnosis import diagnose
from probe.core.encode import timestamp
from probe.core.incident import Incident, Member
from probe.core.people import Mark, Note
from probe.core.run import Outcome, Run
from probe.core.silence import stale_region
from probe.errors import StoreUnavailable
from probe.store.neighbours import part_of_state
from probe.view.around import Around, around, bad_of, speaks_for_all
from probe.view.documents import (
    Cause,
    Failing,
    IncidentDocument,
    MarkRow,
    NoteRow,
    ObjectiveRow,
    Place,
    RunDocument,
    Suffering,
)
from probe.view.incidents import incident_row
from probe.view.objectives import objective_row
from probe.view.run import reproduce, run_document, withheld
from probe.view.runs import run_row
from probe.view.sources import Sources
from probe.view.timeline import timeline

MARKED: Final = timedelta(hours=1)
"""How long before the first bad run a mark may have to do with it."""
MOST_SHOWN: Final = 60
"""Runs that are listed, and marks."""


def incident(sources: Sources, id: str, *, restricted: bool = True) -> IncidentDocument | None:
    """An incident with everything; `None`: there is none of that id.

    `restricted`: also what is for operators alone of its run (see `probe.view.run.withheld`).
    """
    made = incident_and_runs(sources, id)
    if made is None:
        return None
    return made[0] if restricted else incident_withheld(made[0], sources.restricted)


def incident_and_runs(sources: Sources, id: str) -> tuple[IncidentDocument, Around] | None:
    """The same, with the runs that it was made from."""
    stored = sources.reader.incident(id)
    if stored is None:
        return None
    story = sources.redactor.structure(stored)  # before anything is shortened: half a secret is none that it knows
    found = story.incident
    seen = around(sources, found)
    notes, marks = _people(sources, found)
    speaker = speaks_for_all(sources, seen)
    case = case_of(found, (*seen.suffering, *seen.others), sources.rules, sources.now, marks)
    cause = diagnose(case)
    document = IncidentDocument(
        incident=incident_row(found, sources.rules, sources.now),
        now=timestamp(sources.now),
        checks=[
            _suffering(member, sources) for member in sorted(found.members.values(), key=lambda m: (m.since, m.check))
        ],
        places=[_place(region, seen) for region in seen.regions],
        cause_words=Cause(
            layer=str(cause.layer),
            words=cause.words,
            confidence=str(cause.confidence),
            evidence_for=list(cause.evidence_for),
            evidence_against=list(cause.evidence_against),
            look_at=list(cause.look_at),
        ),
        first_run=None if speaker is None else _speaker(sources, found, seen, speaker),
        timeline=timeline(story, seen.begun, seen.confirming(), notes, marks),
        notes=[NoteRow(id=note.id, at=timestamp(note.at), by=note.by, text=note.text) for note in notes],
        runs=[run_row(run) for run in _shown(seen)],
        budgets=_budgets(sources, found, seen.checks),
        marks=[MarkRow(kind=m.kind, at=timestamp(m.at), until=None, text=m.text, incident=None) for m in marks],
        reproduce=_reproduce(found, seen),
    )
    return sources.redactor.structure(document), seen


def incident_withheld(document: IncidentDocument, restricted: Collection[str]) -> IncidentDocument:
    """The document for one who may not see the evidence of restricted checks (see `probe.view.run.withheld`)."""
    first = document["first_run"]
    return document if first is None else {**document, "first_run": withheld(first, restricted)}


def _people(sources: Sources, found: Incident) -> tuple[tuple[Note, ...], list[Mark]]:
    """What people wrote about it, and the marks of its time; nothing while that cannot be read."""
    end = found.resolved or sources.now
    try:
        notes = sources.people.notes(found.id)
        marks = sources.people.marks(found.since - MARKED, end)
    except StoreUnavailable:
        return (), []
    concerned = [mark for mark in marks if not mark.checks or set(mark.checks) & set(found.members)]
    return notes, concerned[:MOST_SHOWN]


def _suffering(member: Member, sources: Sources) -> Suffering:
    failure, watched = member.failure, sources.rules.watched(member.check)
    return Suffering(
        check=member.check,
        regions=list(member.regions),
        since=timestamp(member.since),
        recovered=None if member.recovered is None else timestamp(member.recovered),
        run=member.run,
        failing=Failing(layer=failure.layer.value, kind=failure.kind, message=failure.message, step=failure.step),
        expected=failure.expected,
        actual=failure.actual,
        url=failure.url,
        evidence=member.evidence,
        description="" if watched is None else watched.promise,
    )


def _place(region: str, seen: Around) -> Place:
    """How a region sees it, with the runs that say so."""
    named = {name for member in seen.incident.members.values() for name in member.regions}
    # One that was ended before its side effects, and passed so far, says nothing of what fails later.
    runs = [run for run in seen.meanwhile(region) if run.failure is not None or run.observation.stopped_before is None]
    bad = [run for run in runs if run.outcome in bad_of(seen.incident)]
    begun = next((run for run in seen.begun if run.region == region), None)
    good = max((run for run in seen.good if run.region == region), key=lambda run: run.started, default=None)
    affected = region in named if named else bool(bad)
    return Place(
        region=region,
        affected=affected,
        words=_words(runs, bad, begun, affected=affected),
        first_bad=None if begun is None else begun.id,
        last_good=None if good is None else good.id,
    )


def _words(runs: list[Run], bad: list[Run], begun: Run | None, *, affected: bool) -> str:
    since = "" if begun is None else f", the first at {begun.started:%H:%M:%S} UTC"
    if not runs:
        return f"it failed there{since}" if affected else "not run from there around the beginning"
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    word = "could not be made" if all(run.outcome is Outcome.ERRORED for run in bad) and bad else "failed"
    head = f"all {count} {word}" if len(bad) == len(runs) > 1 else f"{len(bad)} of {count} {word}"
    if not bad:
        return f"none of {count} failed" if not affected else f"{count} around the beginning passed{since}"
    return f"{head}{since}" if affected else f"{head}{since}: too few to say that it is affected"


def _speaker(sources: Sources, found: Incident, seen: Around, speaker: Run) -> RunDocument:
    good = [run for run in seen.good if (run.check, run.region) == (speaker.check, speaker.region)]
    compared = speaker.observation.compared
    known = compared.good if compared is not None else good[0].id if good else None
    return run_document(sources, speaker, incident=found.id, last_good=known)


def _budgets(sources: Sources, found: Incident, checks: tuple[str, ...]) -> list[ObjectiveRow]:
    """The objectives that the checks count for, and those that burn."""
    rules = sources.rules
    names = dict.fromkeys(o.name for check in checks for o in rules.counted.get(check, ()))  # type: ignore[call-overload]  # an id is a text
    wanted = [rules.objectives[name] for name in (*found.burns, *names) if name in rules.objectives]
    if not wanted:
        return []
    counted = {check for objective in wanted for check in objective.checks}
    state = part_of_state(sources.reader, checks=counted, objectives=[o.name for o in wanted])
    return [objective_row(objective, state, sources.now) for objective in dict.fromkeys(wanted)]


def _shown(seen: Around) -> list[Run]:
    """The runs to be listed, newest first: some of before, and the first since then."""
    ordered = sorted(seen.suffering, key=lambda run: (run.started, run.id))
    before = [run for run in ordered if run.started < seen.incident.since]
    since = [run for run in ordered if run.started >= seen.incident.since]
    return [*before[-MOST_SHOWN // 4 :], *since[:MOST_SHOWN]][::-1]


def _reproduce(found: Incident, seen: Around) -> str:
    """The command that shows the trouble again, or what there is to be looked at."""
    if stale_region(found.cause) is not None:
        return "probe fleet status"
    first = found.first
    if first is None:
        return f"probe check {' '.join(seen.checks)} --once"
    return reproduce(first.check, first.regions[0] if len(first.regions) == 1 else None)
