"""The timeline of an incident: what was decided, who was told and what they answered, what people did, and the runs that began it."""

from collections.abc import Iterator, Sequence
from typing import Final

from probe.core.encode import timestamp
from probe.core.failure import Failure
from probe.core.incident import Entry, Incident, What
from probe.core.people import Mark, Note
from probe.core.run import Outcome, Run
from probe.store.reader import Receipt, Story
from probe.view.documents import Line

MOST: Final = 20
"""First bad runs, and confirmations, that are told each: the rest are in the lists of runs."""
RANK: Final = ("mark", "first_bad", "confirmed", "opened", "reopened", "evidence", "told")
"""What comes first of lines of the same moment; all else follows."""


def timeline(
    story: Story, begun: Sequence[Run], confirming: Sequence[Run], notes: Sequence[Note], marks: Sequence[Mark]
) -> list[Line]:
    """All lines in the order of time. `begun` are the first bad runs of each place, `confirming` those that were asked for then."""
    lines = [
        *(_first_bad(run) for run in list(begun)[:MOST]),
        *(_confirmed(run) for run in list(confirming)[:MOST]),
        *_stored(story),
        *(_line(timestamp(note.at), "note", note.text, by=note.by) for note in notes),
        *(_line(timestamp(mark.at), "mark", f"{mark.kind}: {mark.text}", by=mark.by or None) for mark in marks),
    ]
    unique = {tuple(line.values()): line for line in lines}.values()
    return sorted(
        unique, key=lambda line: (line["at"], RANK.index(line["what"]) if line["what"] in RANK else len(RANK))
    )


def because(failure: Failure | None) -> str:
    """Why something failed, to be said after that: its step, its layer, and what was seen.

    >>> "it failed" + because(Failure.of("status", "GET / answered 500", step="cart", expected="200", actual="500"))
    'it failed at step "cart": http: GET / answered 500 (expected 200, got 500)'
    """
    if failure is None:
        return ""
    step = f' at step "{failure.step}"' if failure.step else ""
    return f"{step}: {' '.join(str(failure).split())}"


def _first_bad(run: Run) -> Line:
    word = "could not be run" if run.outcome is Outcome.ERRORED else "failed"
    text = f"{run.check} {word} from {run.region}{because(run.failure)}"
    return _line(timestamp(run.started), "first_bad", text, run=run.id)


def _confirmed(run: Run) -> Line:
    stopped = run.observation.stopped_before
    seen = {
        Outcome.PASSED: "it passed" if stopped is None else f'it passed as far as it went, before step "{stopped}"',
        Outcome.FAILED: f"it failed{because(run.failure)}",
    }
    text = f"{run.check} was run again at once from {run.region}: {seen.get(run.outcome, 'it could not be made')}"
    return _line(timestamp(run.ended), "confirmed", text, run=run.id)


def _stored(story: Story) -> Iterator[Line]:
    ends = [line for line in story.lines if isinstance(line, Entry) and line.what is What.RESOLVED]
    for line in story.lines:
        if isinstance(line, Receipt):
            yield _line(
                timestamp(line.at),
                "told",
                line.answer,
                channel=line.channel,
                reason=line.reason.value,
                fate=line.fate.value,
            )
        else:
            last = bool(ends) and line is ends[-1]
            yield _entry(line, story.incident if last else None)


def _entry(entry: Entry, over: Incident | None) -> Line:
    """A line that was stored; `over` is the incident when it is the one that ended it."""
    text, by = entry.text, None
    if entry.what in _DONE and text.startswith("by "):
        by = text.removeprefix("by ")
        if entry.what is What.MUTED:
            by, _, lasting = by.rpartition(" for ")
            text = f"for {lasting}" if by else text
            by = by or lasting
        else:
            text = ""
    elif over is not None and over.resolved is not None:
        text = f"{text}; it worked again from {over.resolved:%Y-%m-%d %H:%M:%S} UTC on"
    return _line(timestamp(entry.at), entry.what.value, text, run=entry.run, by=by)


_DONE: Final = (What.ACKNOWLEDGED, What.MUTED, What.UNMUTED)


def _line(
    at: str,
    what: str,
    text: str,
    *,
    run: str | None = None,
    by: str | None = None,
    channel: str | None = None,
    reason: str | None = None,
    fate: str | None = None,
) -> Line:
    return Line(at=at, what=what, text=text, run=run or None, by=by, channel=channel, reason=reason, fate=fate)
