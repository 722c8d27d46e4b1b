"""Who is told of an incident, and the notifications that tell them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from probe.core.budget import Budget, budget, noise_of
from probe.core.drilled import origin_of
from probe.core.incident import Incident
from probe.core.ledger import Ledger
from probe.core.message import checks_of, compose
from probe.core.notification import Notification, Reason
from probe.core.rules import Route, Rules, Watched
from probe.core.state import State


def routes_of(incident: Incident, rules: Rules) -> tuple[Route, ...]:
    """The routes that an incident goes by: those whose severity is its own, and which name any of its checks."""
    watched = checks_of(incident, rules)
    return tuple(
        route
        for route in rules.routes
        if route.severity in (None, incident.severity)
        and (not (route.checks or route.targets or route.tags) or any(_names(route, check) for check in watched))
    )


def _names(route: Route, watched: Watched) -> bool:
    return (
        origin_of(watched.id) in route.checks
        or watched.target in route.targets
        or any(tag in route.tags for tag in watched.tags)
    )


def announce(
    incident: Incident,
    reason: Reason,
    rules: Rules,
    state: State,
    now: datetime,
    channels: Iterable[str] | None = None,
) -> tuple[Incident, tuple[Notification, ...]]:
    """The incident as it was told, and one notification for each channel.

    An opening goes by the routes, and so does what makes it graver; what follows goes to whoever was told before.
    """
    if channels is None:
        channels = incident.told
        if reason in (Reason.OPENED, Reason.ESCALATED):
            routed = (channel for route in routes_of(incident, rules) for channel in route.channels)
            channels = dict.fromkeys((*incident.told, *routed))
    number = incident.announced + 1
    told = replace(incident, announced=number, told=tuple(dict.fromkeys((*incident.told, *channels))))
    message = compose(told, reason, rules, budgets_of(incident, rules, state, now), now)
    return told, tuple(
        Notification(
            key=f"{incident.id}:{number}:{reason}:{channel}",
            channel=channel,
            incident=incident.id,
            reason=reason,
            number=number,
            created=now,
            message=message,
        )
        for channel in channels
    )


def budgets_of(incident: Incident, rules: Rules, state: State, now: datetime) -> tuple[tuple[str, Budget], ...]:
    """The objectives that an incident costs, and how they stand."""
    names = [o.name for check in checks_of(incident, rules) for o in rules.counted.get(check.id, ())]
    return tuple(
        (name, budget(objective, state.ledgers.get(name) or Ledger(), now, noise_of(state, objective)))
        for name in dict.fromkeys((*incident.burns, *names))
        if (objective := rules.objectives.get(name)) is not None
    )


def reminder_due(incident: Incident, rules: Rules, now: datetime) -> bool:
    """Whether those who were told are to be reminded."""
    waits = [route.remind for route in routes_of(incident, rules) if route.remind is not None]
    return bool(waits) and now - (incident.reminded or incident.opened) >= min(waits)


def escalation_due(incident: Incident, rules: Rules, now: datetime) -> tuple[str, ...]:
    """Channels that are to be told because nobody has acknowledged, and were not told yet."""
    waited: timedelta = now - incident.opened
    return tuple(
        dict.fromkeys(
            channel
            for route in routes_of(incident, rules)
            if route.escalate is not None and waited >= route.escalate.after
            for channel in route.escalate.channels
            if channel not in incident.told
        )
    )
