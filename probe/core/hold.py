"""What is not to be said now: muted, or expected. Holding back is delivery's business; judgement goes on."""

from collections.abc import Mapping
from datetime import datetime

from probe.core.announce import budgets_of
from probe.core.check import CheckId
from probe.core.incident import Incident, IncidentId
from probe.core.maintenance import held_until
from probe.core.message import compose
from probe.core.notification import Notification, Reason
from probe.core.rules import Rules
from probe.core.state import State


def hold(
    notification: Notification, rules: Rules, muted: Mapping[IncidentId, datetime], now: datetime
) -> datetime | None:
    """Until when a notification is held back; `None`: it may go.

    Muted is what somebody muted; expected is what concerns only checks that all are in a maintenance window.
    """
    until = muted.get(notification.incident)
    if until is not None and now < until:
        return until
    watched = [rules.checks.get(CheckId(check)) for check in notification.message.checks]
    ends = [held_until(rules.windows, check, now) for check in watched if check is not None] if rules.windows else []
    if not ends or len(ends) < len(watched) or any(end is None for end in ends):
        return None
    return min(end for end in ends if end is not None)


def standing(state: State, rules: Rules, channel: str, now: datetime) -> tuple[Notification, ...]:
    """Every open incident that a channel was told of, as it stands: for those who must be told again and again."""
    return tuple(
        Notification(
            key=f"{incident.id}:standing:{channel}",
            channel=channel,
            incident=incident.id,
            reason=Reason.REMINDER,
            number=incident.announced,
            created=now,
            message=compose(incident, Reason.REMINDER, rules, budgets_of(incident, rules, state, now), now),
        )
        for incident in state.incidents.values()
        if channel in incident.told and not _is_muted(incident, now)
    )


def _is_muted(incident: Incident, now: datetime) -> bool:
    return incident.muted_until is not None and now < incident.muted_until
