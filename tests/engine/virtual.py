"""Lives in virtual time, each from its own beginning."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import looptime


def virtually(life: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of its own, whose time begins at 0.

    For properties: on one loop for all examples time would add up to years, of which a float holds no microseconds; then
    a virtual clock does not move any more.
    """
    with asyncio.Runner(loop_factory=partial(looptime.new_event_loop, noop_cycles=1)) as runner:
        runner.run(life)
