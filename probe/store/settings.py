"""Where the store is, and how long it remembers."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

DATABASE: Final = "probe.db"
"""The name of the database in the folder of data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What the store is opened with. `path` is the folder of data; everything of the store is in it.

    Details (`keep_details`) are all that was observed, steps and timings excepted, which stay as long as the run.
    Incidents and their timelines are kept for good.
    """

    path: Path
    keep_details: timedelta = timedelta(hours=24)
    """Of runs that passed."""
    keep_runs: timedelta = timedelta(days=14)
    """Runs that passed."""
    keep_failures: timedelta = timedelta(days=90)
    """Runs that did not pass, with their details."""
    keep_told: timedelta = timedelta(days=90)
    """Notifications that were sent or withdrawn, with every attempt."""
    keep_hours: timedelta = timedelta(days=400)
    """Counts and durations by the hour."""
    keep_days: timedelta = timedelta(days=1825)
    """Counts and durations by the day."""
    keep_counts: timedelta = timedelta(days=100)
    """Counts of objectives: at least the longest window of one. All of them are in memory, too."""
    ballast: int = 32 * 2**20
    """Bytes of a file that is given up when the disk is full, so that writing goes on for a while; 0: none."""
    forwards: bool = False
    """Whether this is a node of a fleet: what was not forwarded is not forgotten (outbox.py)."""
    patience: timedelta = timedelta(seconds=2)
    """How long a write waits for another program that holds the database, before `StoreUnavailable`."""

    @property
    def database(self) -> Path:
        """The database file."""
        return self.path / DATABASE
