"""What the log tells: transitions, not every success."""

import logging

from probe.core.incident import Entry, Incident, What
from probe.core.run import Outcome, Run, Why
from probe.core.state import Change

log = logging.getLogger("probe")

_GRAVE = {What.OPENED, What.REOPENED, What.VERDICT, What.SEVERITY, What.ESCALATED}


def narrate(run: Run | None, change: Change) -> None:
    """Log what an event has changed: a check that begins or ceases to fail, and each line of a timeline."""
    if run is not None:
        _tell_run(run, change)
    incidents = {incident.id: incident for incident in change.incidents.values()}
    for entry in change.entries:
        _tell_entry(entry, incidents.get(entry.incident), run)


def _tell_run(run: Run, change: Change) -> None:
    said = {"check": run.check, "region": run.region, "run": run.id}
    check = change.checks.get(run.check)
    place = None if check is None else check.places.get(run.region)
    if run.outcome is Outcome.MISSED and run.slot is not None:
        log.warning("slots were missed", extra={**said, "slots": run.slot.count, "due": run.slot.due.isoformat()})
    elif run.why is Why.CONTROL and run.outcome is not Outcome.PASSED:
        log.warning("the control run failed", extra={**said, "reason": str(run.failure)})
    elif place is not None and run.outcome is Outcome.FAILED and place.fails == 1:
        log.warning("a check begins to fail", extra={**said, "reason": str(run.failure)})
    elif place is not None and run.outcome is Outcome.ERRORED and place.errors == 1:
        log.warning("a check cannot be run", extra={**said, "reason": str(run.failure)})


def _tell_entry(entry: Entry, incident: Incident | None, run: Run | None) -> None:
    said = {"incident": entry.incident, "cause": "" if incident is None else incident.cause}
    if run is not None:
        said |= {"check": run.check, "region": run.region, "run": run.id}
    level = logging.WARNING if entry.what in _GRAVE else logging.INFO  # an error is what goes wrong with us
    log.log(level, f"incident {entry.what}: {entry.text}", extra=said)  # noqa: G004  # the text is made already
