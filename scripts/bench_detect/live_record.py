"""What is kept of one fault under the real daemon, as a JSON line."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

OURS = "probe_fault"
"""The verdict of what is our own trouble."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A notification as it came; `at` is seconds since 1970."""

    at: float
    incident: str
    reason: str
    verdict: str
    severity: str
    title: str
    body: str
    cause: str
    step: str | None
    evidence: str | None
    checks: list[str]
    regions: list[str]

    @classmethod
    def of(cls, at: float, notice: dict[str, Any]) -> "Message":
        """That of a notification in the body of a webhook."""
        return msgspec.convert({**notice, "at": at}, cls)


@dataclass(kw_only=True)
class Measurement:
    """One fault. Moments are seconds since 1970; `before` is how many messages came before it was switched on."""

    fault: str
    began: float = 0.0
    ended: float = 0.0
    waited: float = 0.0
    """Seconds that were given to its end."""
    before: int = 0
    load: list[float] = field(default_factory=list)
    """Average load of the machine over the last minute, as it was switched on and off."""
    failure: dict[str, Any] = field(default_factory=dict)
    """Of the check that was the first to suffer."""
    messages: list[Message] = field(default_factory=list)
    timeline: list[list[Any]] = field(default_factory=list)
    """Incident, moment, what and text of all that the daemon decided."""
    trouble: str = ""
    """Why there is no measurement."""

    @property
    def opened(self) -> list[Message]:
        """The openings since it was switched on."""
        return [message for message in self.messages[self.before :] if message.reason == "opened"]

    @property
    def first(self) -> Message | None:
        """The first opening that is about the shop, and not about a region of ours."""
        return next((message for message in self.opened if message.verdict != OURS), None)

    @property
    def told(self) -> float | None:
        """Seconds from the fault until somebody was told of it."""
        return None if self.first is None else self.first.at - self.began

    @property
    def decided(self) -> float | None:
        """Seconds from the fault until the daemon opened the incident that was told first."""
        if self.first is None:
            return None
        told = (self.first.incident, "opened")
        moments = [at for incident, at, what, _ in self.timeline if (incident, what) == told]
        return moments[0] - self.began if moments else None

    @property
    def resolved(self) -> float | None:
        """Seconds from its end until all that was opened was told to be over; `None`: not while somebody waited."""
        over = {message.incident: message.at for message in self.messages if message.reason == "resolved"}
        if not self.opened or any(message.incident not in over for message in self.opened):
            return None
        return max(over[message.incident] for message in self.opened) - self.ended

    @property
    def summary(self) -> str:
        """One line."""
        if self.trouble:
            return f"{self.fault}: not measured, {self.trouble.splitlines()[0]}"
        if self.first is None or self.told is None:
            return f"{self.fault}: not told; {len(self.opened)} openings"
        return (
            f"{self.fault}: told after {self.told:.1f} s, {self.first.verdict}, {self.first.severity}, "
            f"{len(self.opened)} openings: {self.first.title}"
        )


def write(path: Path, found: Measurement) -> None:
    """Add it to a file of JSON lines."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(found) + b"\n")


def read(path: Path) -> list[Measurement]:
    """All that is in a file of JSON lines."""
    return [msgspec.json.decode(line, type=Measurement) for line in path.read_bytes().splitlines()]
