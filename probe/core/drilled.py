"""Live drills in judgement: a check of their own, and messages that say DRILL in every line."""

from dataclasses import dataclass, replace
from typing import Final

from probe.core.check import CheckId
from probe.core.fault import FaultKind
from probe.core.notification import Message
from probe.core.rules import Watched

PREFIX: Final = "drill:"
"""What the ids of drilled checks, and the causes of their incidents, begin with."""
MARK: Final = "DRILL"
"""What each line of a message begins with that is about a drill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDrill:
    """A drill that is made again and again, at the times of a cron expression."""

    check: CheckId
    cron: str
    timezone: str = "UTC"
    fault: FaultKind = FaultKind.SERVER_ERROR


def drilled(check: CheckId) -> CheckId:
    """The id under which a check is drilled."""
    return CheckId(f"{PREFIX}{check}")


def origin_of(check: CheckId) -> CheckId:
    """The check that is drilled; of one that is no drill, itself."""
    return CheckId(check.removeprefix(PREFIX))


def is_drill(name: str) -> bool:
    """Whether an id or a cause is a drill's."""
    return name.startswith(PREFIX)


def watched_as_drill(watched: Watched) -> Watched:
    """The drilled check, as judgement sees it: an incident of its own; it counts for nothing, and stands for itself."""
    return replace(watched, id=drilled(watched.id), cause=f"{PREFIX}{watched.cause}", spared=(), confirm_with=None)


def as_drill(message: Message) -> Message:
    r"""The message, marked as a drill's.

    >>> from datetime import UTC, datetime
    >>> from probe.core.incident import Verdict
    >>> from probe.core.rules import Severity
    >>> since = datetime(2026, 1, 1, tzinfo=UTC)
    >>> message = Message(title="DOWN", body="a\nb", verdict=Verdict.DOWN, severity=Severity.PAGE, since=since)
    >>> as_drill(message).body
    'DRILL a\nDRILL b'
    """
    again = "".join(f"probe drill --live {origin_of(CheckId(check))}" for check in message.checks[:1])
    body = message.body.replace(message.reproduce, again) if message.reproduce else message.body
    return replace(
        message,
        title=f"{MARK}, nothing is wrong: {message.title}",
        body="\n".join(f"{MARK} {line}" for line in body.splitlines()),
        expected=message.expected and f"{MARK}: {message.expected}",
        seen=message.seen and f"{MARK}: {message.seen}",
        evidence=message.evidence and f"{MARK}: {message.evidence}",
        reproduce=again,
        drill=True,
    )
