"""The link of one region of a node to the hub: says every second that we live, hears what is to be done, forwards runs.

Nothing of it holds up a run: while the hub is away, probing goes on, and the outbox keeps what is to be forwarded.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from probe.core.check import CheckId
from probe.core.run import Why
from probe.core.state import Ask
from probe.errors import StoreUnavailable
from probe.fleet.assignment import is_mine
from probe.fleet.calls import Answer, Calls, Introduction
from probe.fleet.forward import Forwarder
from probe.fleet.outbox import Outbox
from probe.ports import Clock
from probe.store.outbox import Source

log = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two calls."""
ANSWER: Final = 5.0
"""Seconds in which the hub must answer one."""
GOODBYE: Final = 2.0
"""Seconds for the last call."""
WAITS: Final = (1.0, 2.0, 4.0, 5.0)
"""Seconds before a call is made again after so many failed; the last of them for ever after. Up to a half less, by chance."""
LOST: Final = 5.0
"""Seconds without an answer after which we are not connected any more."""
ALONE: Final = 10.0
"""Seconds without an answer after which every check is ours: that the others do not live can be as well."""
DEAD: Final = timedelta(seconds=12)
"""How long ago, at most, a node has run its last check when it is missed: the hub counts it among the living for 10 s."""
SHARED: Final = 10.0
"""Seconds between two notes that the region is shared with other nodes."""
JUMP: Final = 1.0
"""Seconds of difference from which a clock has jumped, and earlier measures of it say nothing any more."""
STEP: Final = 1.0
"""Seconds between two looks at how long nobody has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Who we are, and how fast an absence is made up for. `catch_up` is in runs a second."""

    region: str
    node: str
    role: str
    version: str
    started: datetime
    catch_up: int = 500
    tells: bool = True
    """Whether it hands over what the whole node has told: one of its links does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Who is told of what the hub says. None of them may block or raise.

    `ask`: runs are to be made. `gone`: a node of the region is missed, whose checks are shared among the others: what came
    due since the moment given may not have been run. `configured`: the region is to run this configuration. `config` says
    which one runs, `status` what else is to be said of us, `well` whether what we run is kept: else others shall run it.
    """

    ask: Callable[[Iterable[Ask]], object]
    gone: Callable[[datetime], object]
    configured: Callable[[str], object]
    config: Callable[[], str]
    status: Callable[[], Mapping[str, object]]
    well: Callable[[], bool]


class Absence:
    """How long nobody has answered, by the time in which we ourselves were running: `look` at it every second.

    A process that is stopped for a minute has not been cut off for a minute.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._seen = time()
        self._seconds: float | None = 0.0

    @property
    def seconds(self) -> float:
        """So many seconds; 0 when the last call was answered."""
        return 0.0 if self._seconds is None else self._seconds

    def look(self) -> None:
        """Time has passed."""
        now = self._time()
        if self._seconds is not None:
            self._seconds += min(now - self._seen, 1.5 * STEP)
        self._seen = now

    def begin(self, took: float) -> None:
        """A call has failed, after so many seconds."""
        if self._seconds is None:
            self._seconds, self._seen = min(took, ANSWER), self._time()

    def end(self) -> None:
        """A call was answered."""
        self._seconds = None


class Link:
    """One region's link. To be made inside the running loop, then `greet`, then `run`.

    `skew` is by how many seconds our clock is ahead of the hub's, `nodes` those of the region that live, as of the last
    answer, `trouble` why there is none now.
    """

    def __init__(
        self, calls: Calls, outbox: Outbox, settings: LinkSettings, ears: Ears, clock: Clock, rand: random.Random
    ) -> None:
        self.settings = settings
        self.skew = 0.0
        self.nodes: tuple[str, ...] = ()
        self.trouble: str | None = None
        self.cut_since: datetime | None = clock.now()
        self._calls = calls
        self._outbox = outbox
        self._ears = ears
        self._clock = clock
        self._rand = rand
        self._time = asyncio.get_running_loop().time
        self._absence = Absence(self._time)
        self._skews: deque[float] = deque(maxlen=5)
        self._hurry = asyncio.Event()
        self._source = Source(id="", joined=0, forwarded=0)
        self._shared: datetime | None = None
        self._noted = float("-inf")
        self._failures = 0
        self._answered = False
        self.forwarder = Forwarder(
            calls, outbox, self.introduction, settings.region, catch_up=settings.catch_up, tells=settings.tells
        )

    # --- what others ask ------------------------------------------------------------------------------------------------

    @property
    def away(self) -> float:
        """Seconds for which the hub has not answered; 0 while it does."""
        return self._absence.seconds

    @property
    def connected(self) -> bool:
        """Whether the hub has answered within the last few seconds."""
        return self._answered and self.away < LOST

    def is_mine(self, check: CheckId) -> bool:
        """Whether the slots of a check that come due now are ours to run. While we are alone, all are."""
        return self.away >= ALONE or is_mine(check, self.settings.node, self.nodes)

    def covered(self) -> datetime | None:
        """Until when other nodes ran here what we did not; `None`: there were none."""
        return self._clock.now() if len(self.nodes) > 1 and self.away < ALONE else self._shared

    def hurry(self) -> None:
        """Call at once: something may have been asked for."""
        self._hurry.set()

    def introduction(self) -> Introduction:
        """What we say of ourselves."""
        settings = self.settings
        return Introduction(
            region=settings.region,
            node=settings.node,
            source=self._source.id,
            role=settings.role if self._ears.well() else "evaluate",
            version=settings.version,
            config=self._ears.config(),
            started=settings.started,
            skew=self.skew,
            queue=self.forwarder.queue,
            status=self._ears.status(),
        )

    # --- its life -------------------------------------------------------------------------------------------------------

    async def greet(self) -> bool:
        """Find out where we are, and call once, before anything is run: who lives is known then. Whether it was answered."""
        self._open(await self._outbox.join(self.settings.region))
        return await self._call()

    def _open(self, source: Source) -> None:
        self._source, self._shared = source, source.shared
        self.forwarder.begin(source.joined, source.forwarded)

    async def leave(self) -> None:
        """Say that we probe no more, so that the others of the region take over at once. After `run`, as far as it can be."""
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._calls.sync(replace(self.introduction(), role="evaluate"))

    async def run(self) -> None:
        """Keep up the link until cancelled."""
        async with asyncio.TaskGroup() as group:
            region = self.settings.region
            group.create_task(self._sync(), name=f"link of {region}")
            group.create_task(self.forwarder.run(), name=f"forward {region}")
            group.create_task(self._watch(), name=f"absence of the hub for {region}")

    async def _watch(self) -> None:
        while True:
            self._absence.look()
            await asyncio.sleep(STEP)

    async def _sync(self) -> None:
        while True:
            began = self._time()
            if await self._call():
                wait = max(0.0, EVERY - (self._time() - began))
            else:
                wait = WAITS[min(self._failures, len(WAITS)) - 1] * self._rand.uniform(0.5, 1.0)
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        alarm = asyncio.get_running_loop().call_later(seconds, self._hurry.set)
        try:
            await self._hurry.wait()
        finally:
            alarm.cancel()
            self._hurry.clear()

    async def _call(self) -> bool:
        began, calls = self._time(), self.forwarder.calls_made
        try:
            async with asyncio.timeout(ANSWER):
                answer = await self._calls.sync(self.introduction())
            await self._take(answer, calls)
        except TimeoutError:
            return self._failed(f"the database of the fleet did not answer in {ANSWER:g} s", self._time() - began)
        except StoreUnavailable as error:
            return self._failed(str(error), self._time() - began)
        except Exception as error:  # a bug here must not end the node, which goes on probing
            log.exception("the hub was not heard", extra={"region": self.settings.region})
            return self._failed(f"{type(error).__name__} in the link: {error}", self._time() - began)
        if self.trouble is not None:
            log.info("the database of the fleet answers again", extra={"queue": self.forwarder.queue})
        self._answered, self._failures, self.trouble, self.cut_since = True, 0, None, None
        self._absence.end()
        return True

    def _failed(self, why: str, took: float) -> bool:
        self._failures += 1
        self.forwarder.pause()
        self._absence.begin(took)
        self.cut_since = self.cut_since or self._clock.now() - timedelta(seconds=min(took, ANSWER))
        if self._failures == 1:
            log.warning("the database of the fleet is away, probing goes on: %s", why)
        self.trouble = why
        return False

    async def _take(self, answer: Answer, calls: int) -> None:
        """Do what the hub says."""
        if not self.forwarder.heard(answer.acked, calls_made=calls):
            log.warning(
                "the hub has runs of this database that are not in it: was it restored? It is another source now"
            )
            self._open(await self._outbox.rejoin(self.settings.region))
            return
        if answer.skew is not None:
            self._measure(answer.skew)
        before, self.nodes = self.nodes, answer.nodes
        if set(before) - set(answer.nodes):
            self._ears.gone(self._clock.now() - DEAD)
        asks = []
        for check, why in answer.asks:
            try:
                asks.append(Ask(check=check, region=self.settings.region, why=Why(why)))
            except ValueError:
                log.warning("the hub asks for a run of a sort that is not known: %s", why)
        if asks:
            self._ears.ask(asks)
        if answer.config is not None:
            self._ears.configured(answer.config)
        await self._share()

    def _measure(self, skew: float) -> None:
        if self._skews and abs(skew - median(self._skews)) > JUMP:
            self._skews.clear()
        self._skews.append(skew)
        self.skew = median(self._skews)

    async def _share(self) -> None:
        """Note now and then that the region is shared: what is missed by us is then not missed by all."""
        if len(self.nodes) < 2:
            return
        self._shared = self._clock.now()
        if self._time() - self._noted >= SHARED:
            self._noted = self._time()
            try:
                await self._outbox.share(self.settings.region, self._shared)
            except StoreUnavailable as error:  # our own disk is full: the hub is not away for that
                log.debug("it is not noted that the region is shared: %s", error)
