"""What people do with the pages, as values: notes, marks, notices, reports of visitors, and the record of who did what."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What an operator wrote about an incident, for whoever may see the pages: what the public reads is a `Notice`."""

    id: int
    incident: str
    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment that every graph shows: a deploy, or whatever `kind` says. `checks` empty: of all."""

    id: int
    at: datetime
    kind: str
    text: str
    by: str
    checks: tuple[str, ...] = ()


class Standing(StrEnum):
    """How a notice of the status page stands."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"

    @property
    def over(self) -> bool:
        """Whether nothing is left of it."""
        return self in (Standing.RESOLVED, Standing.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeUpdate:
    """One thing that was said about a notice."""

    at: datetime
    standing: Standing
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the public reads about an incident or a maintenance, in an operator's words.

    `components` are slugs of the status page's. `begins` and `ends` are those of a maintenance that is planned.
    `incident` is the id of ours that it tells of, which the public never sees. `updates` are oldest first, one at least.
    """

    id: int
    title: str
    components: tuple[str, ...]
    begins: datetime
    ends: datetime | None
    updates: tuple[NoticeUpdate, ...]
    incident: str | None = None

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        return self.updates[-1].standing


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Who did what, when, from where, and whether it was let through."""

    at: datetime
    who: str
    what: str
    object: str
    address: str
    ok: bool
