"""`probe run` whose judgement takes a second for a minute, so that a test need not wait for what takes minutes on purpose.

Only the seconds that judgement waits for are shorter: all else is the daemon as it is. That it waits as long as it says is
proved in virtual time. Started as `python -m tests.daemon.hasty run --config FILE`.
"""

import sys
from collections.abc import Mapping
from datetime import timedelta
from types import ModuleType
from typing import Final

from probe.__main__ import main
from probe.core import confirm, detector, draft, evaluate, gates, holds, network, recovery, state, verdict
from probe.engine import recorder

TEMPO: Final = 60.0
"""Seconds of judgement in one second."""
WAITS: Final[Mapping[ModuleType, tuple[str, ...]]] = {
    detector: ("APART", "BETWEEN"),
    holds: ("LEAST", "MOST", "SHORT", "KNOWN", "SERVED", "ALONE", "ALONE_SERVED", "ALONE_SLOW", "RETURNS"),
    gates: ("TICKET_AFTER", "MANY"),
    recovery: ("QUIET", "QUIET_MOST"),
    confirm: ("GAP", "SOLO_WITHIN"),
    draft: ("AGAIN",),
    evaluate: ("RECHECK",),
    network: ("LASTING",),
    verdict: ("ILL",),
    state: ("RETURNS",),
    recorder: ("EVERY",),
}
"""Where the names are at home that say how long something is waited for."""


def hurry() -> None:
    """Make them all shorter, wherever they were imported to."""
    for home, names in WAITS.items():
        for name in names:
            change(home, name, _shorter(getattr(home, name)))


def change(home: ModuleType, name: str, value: object) -> None:
    """Give a name that is at home there another value, wherever it was imported to."""
    usual = getattr(home, name)
    for module in [m for n, m in sys.modules.items() if n.startswith("probe.")]:
        if getattr(module, name, None) is usual:
            setattr(module, name, value)


def _shorter(usual: object) -> object:
    if isinstance(usual, timedelta | float):
        return usual / TEMPO
    assert isinstance(usual, Mapping), f"{usual!r} is no time"
    return {sort: seconds / TEMPO for sort, seconds in usual.items()}


if __name__ == "__main__":
    hurry()
    main()
