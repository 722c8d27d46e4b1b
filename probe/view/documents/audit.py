"""Who did what."""

from typing import TypedDict


class AuditRow(TypedDict):
    """Who did what."""

    at: str
    who: str
    what: str
    object: str
    address: str
    ok: bool


class AuditPage(TypedDict):
    """The record of who did what, newest first."""

    lines: list[AuditRow]
    next: str | None
