"""What the status page is made of, as it is stored: the present of some checks, and their last days."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from probe.core.drilled import is_drill
from probe.core.incident import Incident, Verdict
from probe.core.message import place_of
from probe.core.state import State
from probe.store.days import Blindness, Day, days_of, incidents_since
from probe.store.numbers import last_seen
from probe.store.restore import Part, read_state
from probe.store.schema import EPOCH, MICROSECOND, meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """All of it, in one look. `alive` is the last sign of life, `incidents` are those of the last days, but for drills."""

    alive: datetime | None
    state: State
    incidents: tuple[Incident, ...]
    days: Mapping[str, tuple[Day, ...]]


def read_public(connection: Connection, checks: Collection[str], since: datetime, now: datetime) -> Public:
    """What is known of these checks at `now`, and of their days since the day of `since`."""
    stored = connection.scalar(select(meta.c.value).where(meta.c.key == "alive"))
    incidents = tuple(one for one in incidents_since(connection, since) if not is_drill(one.cause))
    days: dict[str, list[Day]] = {}
    for day in days_of(connection, checks, since, tuple(_blindness(incidents, now))):
        days.setdefault(day.check, []).append(day)
    return Public(
        alive=last_seen(connection) if stored is None else EPOCH + stored * MICROSECOND,
        state=read_state(connection, None, Part(shard="", checks=checks, objectives=())),
        incidents=incidents,
        days={check: tuple(found) for check, found in days.items()},
    )


def _blindness(incidents: Iterable[Incident], now: datetime) -> Iterable[Blindness]:
    """The stretches in which regions of ours were in trouble themselves."""
    for incident in incidents:
        if incident.verdict is Verdict.PROBE_FAULT:
            regions = {place_of(incident.cause), *(r for member in incident.members.values() for r in member.regions)}
            for region in regions:
                yield Blindness(region, incident.since, incident.resolved or now)
