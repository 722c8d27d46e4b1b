"""What a node that only judges says of itself now and then: nothing is linked to it that would."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from probe.errors import StoreUnavailable
from probe.fleet.calls import Calls, Introduction

log = logging.getLogger(__name__)

EVERY: Final = 3.0
"""Seconds between two words: often enough to count as alive when one or two are lost (status.py)."""


async def be_known(calls: Calls, introduction: Callable[[], Introduction]) -> None:
    """Say that we live, with how far our clock is off, until cancelled. A database that is away is no news here."""
    skew = 0.0
    while True:
        try:
            answer = await calls.sync(replace(introduction(), skew=skew))
            skew = skew if answer.skew is None else answer.skew
        except StoreUnavailable as error:
            log.debug("the fleet does not hear of us: %s", error)
        except Exception:  # a bug here must not end the node, which goes on judging
            log.exception("the fleet does not hear of us")
        await asyncio.sleep(EVERY)
