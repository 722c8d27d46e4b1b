"""What the public sees."""

from typing import TypedDict


class PublicUpdate(TypedDict):
    """One thing that was said about a notice."""

    at: str
    standing: str
    text: str


class PublicNotice(TypedDict):
    """A notice as the public reads it. `kind` is `incident` or `maintenance`."""

    id: int
    kind: str
    title: str
    standing: str
    components: list[str]
    begins: str
    ends: str | None
    updates: list[PublicUpdate]


class Day(TypedDict):
    """A day of a component: `state` is `ok degraded down unknown`; `uptime` the share of good runs."""

    day: str
    state: str
    uptime: float | None


class PublicComponent(TypedDict):
    """A part of the shop: `state` is `ok degraded down maintenance unknown`. `days` are the last 90, oldest first."""

    slug: str
    name: str
    description: str
    state: str
    since: str | None
    uptime: float | None
    days: list[Day]


class StatusDocument(TypedDict):
    """What the public sees, and nothing else: no check's name, no address, no message of ours."""

    title: str
    now: str
    state: str
    components: list[PublicComponent]
    notices: list[PublicNotice]
    """Open, newest first; then those that are planned."""
    past: list[PublicNotice]
    reports: bool
