"""`probe run` in a hurry, as tests/daemon/hasty.py has it, but for a fleet: what comes late must still come before all is over.

Trouble is over after two quiet minutes, and what ended longer ago than one and a half is late (with checks of two seconds).
Both are shorter here, and the one is still the longer one: else a run that was a few seconds on its way would find its
incident resolved, and open it again. Started as `python -m tests.lab.hasty run --config FILE`.
"""

from datetime import timedelta

from probe.__main__ import main
from probe.core import recovery, verdict
from tests.daemon.hasty import change, hurry

QUIET = 10.0
PATIENCE = timedelta(seconds=3)
"""With a timeout and an interval of two seconds each: seven seconds until a run is late."""

if __name__ == "__main__":
    hurry()
    change(recovery, "QUIET", QUIET)
    change(verdict, "PATIENCE", PATIENCE)
    main()
