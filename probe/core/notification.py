"""What somebody is told, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from probe.core.incident import IncidentId, Verdict
from probe.core.rules import Severity


class Reason(StrEnum):
    """Why a notification is sent."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An incident in words, as it was when something was to be said. No secret is in it.

    `title` is one line, `body` the whole text of it for a person (plain, a few lines). The rest are the same facts for
    machines: `checks`, `regions` and `step` say where, `expected` and `seen` what, `evidence` which runs say so; `picture`
    is the path of a screenshot, `since` and `resolved` frame it. `reproduce` is a command that shows it again.
    """

    title: str
    body: str
    verdict: Verdict
    severity: Severity
    since: datetime
    resolved: datetime | None = None
    checks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    step: str | None = None
    cause: str = ""
    expected: str | None = None
    seen: str | None = None
    evidence: str = ""
    reproduce: str = ""
    picture: str | None = None
    drill: bool = False
    """Whether it is about a fault that was planted to see whether it is told."""
    page: str = ""
    """Where people see the incident in a browser; `""`: that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one channel. `key` is the same however often it is sent, and no other's.

    `number` counts the announcements of the incident: what is said of one incident to one channel is sent in its order.
    """

    key: str
    channel: str
    incident: IncidentId
    reason: Reason
    number: int
    created: datetime
    message: Message


class Fate(StrEnum):
    """What became of an attempt to send."""

    SENT = "sent"
    FAILED = "failed"
    """To be tried again."""
    REFUSED = "refused"
    """For good: the channel is disabled."""
    WITHDRAWN = "withdrawn"
    """Not sent and not to be sent: it was held back until there was nothing left to say, or tried for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to send one notification. `answer` is what the service said; `again` is when it is tried next."""

    key: str
    at: datetime
    fate: Fate
    answer: str = ""
    seconds: float = 0.0
    again: datetime | None = None
