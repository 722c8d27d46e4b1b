"""The whole judgement: one pure fold over events. Nothing else decides anything."""

from dataclasses import dataclass
from datetime import datetime

from probe.core.incident import IncidentId
from probe.core.rules import Rules
from probe.core.run import Run
from probe.core.state import Change, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: reminders, escalations, burn rates and expired states are looked at. Every few seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Somebody takes care of an incident: no more reminders and escalations."""

    incident: IncidentId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Nothing is to be delivered about an incident until then; `None`: no longer."""

    incident: IncidentId
    until: datetime | None
    by: str


Event = Run | Tick | Acknowledge | Mute


def evaluate(state: State, event: Event, rules: Rules, now: datetime) -> Change:
    """What an event changes. Pure: `state` is only read; `state.apply` takes the change over."""
    raise NotImplementedError
