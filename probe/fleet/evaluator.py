"""Judges what a fleet's nodes have delivered: shard by shard, each in one transaction, beside any number of others.

What decides is the database alone: the lock of a shard's row, and the rows of its inbox, which are gone when they are
judged. So it does not matter who judges, whether two do at once, or whether a COMMIT was answered. What is kept in memory
only saves work: it counts as long as nobody else has judged the shard since.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.evaluate import Acknowledge, Mute, evaluate
from probe.core.incident import Incident
from probe.core.rules import Rules
from probe.core.run import Run, Why
from probe.core.shards import OWN
from probe.core.state import Ask, Change
from probe.engine.narrate import narrate
from probe.engine.recorder import WAITS
from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub
from probe.fleet.inbox import Waiting
from probe.fleet.listening import Listening
from probe.fleet.quarantine import Quarantine, Ward
from probe.fleet.shard import Judge, Plan
from probe.fleet.turn import Memory, Shard, Turn, begin, judge, take, take_one, wish, write
from probe.store.rows import from_json

log = logging.getLogger(__name__)

POLL: Final = 0.5
"""Seconds after which it is looked for work though nobody said that there is some."""
GATHER: Final = 0.02
"""Seconds between two transactions: what comes meanwhile is judged together."""
TELL: Final = 60.0
"""Seconds before the same refusal is logged again."""

_NOW: Final = text("SELECT clock_timestamp()")
_IS_CURRENT: Final = text("SELECT EXISTS (SELECT FROM probe.shards WHERE version = :version)")
_INCIDENT: Final = text("SELECT cause, body FROM probe.incidents WHERE id = :id AND resolved IS NULL")


async def server_now(connection: AsyncConnection) -> datetime:
    """The present moment, by the database's clock."""
    now: datetime = (await connection.execute(_NOW)).scalar_one()
    return now


class Evaluator:
    """One of those who judge.

    `rules` are the parts of the configuration whose hash is `version`: nothing is judged while the database has another,
    and `outdated` is called again and again until `use` gives the rules of that. `stale_after` is after how long without a
    word a region is silent. `watch` is told of each change that was written down, with the run that brought it about.
    `now` and `judging` are for tests.
    """

    def __init__(
        self,
        hub: Hub,
        rules: Mapping[str, Rules],
        version: str,
        node: str,
        *,
        stale_after: timedelta,
        outdated: Callable[[], None],
        watch: Callable[[Run | None, Change], None] = narrate,
        now: Callable[[AsyncConnection], Awaitable[datetime]] = server_now,
        judging: Judge = evaluate,
    ) -> None:
        self.refused: Counter[str] = Counter()
        """How many rows were refused, by why."""
        self.judged = 0
        """How many rows were dealt with."""
        self.lag = timedelta(0)
        """How long the oldest row of the last transaction had waited."""
        self._hub = hub
        self._plan = Plan(version, rules)
        self._outdated = outdated
        self._watch = watch
        self._now = now
        self._judging = judging
        self._listening = Listening(stale_after)
        self._memory = Memory(f"{node} {uuid4().hex[:8]}")
        self._quarantine = Quarantine()
        self._alone = asyncio.Lock()
        self._told: dict[tuple[str, str], float] = {}
        self._trouble: str | None = None

    @property
    def version(self) -> str:
        """The version of the configuration that it judges by."""
        return self._plan.version

    @property
    def trouble(self) -> str | None:
        """Why nothing can be judged now; `None`: it can."""
        return self._trouble

    def use(self, rules: Mapping[str, Rules], version: str, *, stale_after: timedelta) -> None:
        """Judge by these rules from now on."""
        self._plan = Plan(version, rules)
        self._listening.stale_after = stale_after
        self._memory.forget()

    async def run(self, stop: asyncio.Event) -> None:
        """Judge until `stop`; what is being judged then comes to its end."""
        failures = 0
        async with self._hub.listen("probe_inbox") as heard, asyncio.TaskGroup() as group:
            waking = group.create_task(_wake(stop, heard), name="stop of the evaluator")
            while not stop.is_set():
                heard.clear()
                try:
                    busy = await self.turn()
                except StoreUnavailable as error:
                    self._in_trouble(error)
                    await _until(stop, WAITS[-1] if error.lasting else WAITS[min(failures, len(WAITS) - 1)])
                    failures += 1
                    continue
                failures = 0
                self._in_trouble(None)
                await _until(stop, GATHER)
                if not busy:
                    await _until(heard, POLL)
            waking.cancel()

    async def turn(self) -> bool:
        """Judge what waits, as much as goes into a transaction: whether there was anything.

        `StoreUnavailable` when the database could not be used: then nothing was judged, or (it was cut off while it
        committed) all of it, which shows the next time.
        """
        async with self._alone:
            ill = self._quarantine.due(asyncio.get_running_loop().time())
            busy = False if ill is None else await self._attempt(*ill)
            return await self._attempt() or busy

    async def act(self, event: Acknowledge | Mute) -> Change:
        """Do what somebody commands about an incident; written down when it returns.

        `KeyError` when it is not open, `StoreUnavailable` when that could not be done, or it is not known whether it was.
        """
        async with self._alone:
            plan = self._plan
            async with self._hub.transaction() as connection:
                found = (await connection.execute(_INCIDENT, {"id": event.incident})).one_or_none()
                if found is None:
                    raise KeyError(event.incident)
                home = plan.home_of(found.cause, from_json(Incident, found.body).members)
                shards = await take_one(connection, plan, home)
                if not shards:
                    self._outdated()
                    raise StoreUnavailable(
                        "the fleet is about to go by another configuration: try again in some seconds"
                    )
                now = await self._now(connection)
                turns = await begin(connection, plan, self._memory, shards, now, self._judging)
                change = turns[0].fold.command(event)
                await write(connection, self._memory, turns, now)
            self._written(turns)
        return change

    async def ask(self, asks: Sequence[Ask]) -> None:
        """Ask the nodes of other regions for runs. `StoreUnavailable` when that could not be done."""
        async with self._hub.transaction() as connection:
            await wish(connection, asks)

    async def _attempt(self, name: str | None = None, ward: Ward | None = None) -> bool:
        """Judge one shard that is in trouble, or as many as go together of those that are not: whether there was anything."""
        loop, plan = asyncio.get_running_loop(), self._plan  # others may come to be used meanwhile
        shards: Sequence[Shard] = ()
        turns: list[Turn] = []
        try:
            async with self._hub.transaction() as connection:
                if name is None:
                    now = await self._now(connection)
                    shards = await take(connection, plan, self._memory, self._quarantine.names, now)
                else:
                    shards = await take_one(connection, plan, name)
                if shards:
                    turns = await self._judge(connection, plan, shards, ward)
                elif name is None:
                    await self._look(connection, plan)
        except StoreUnavailable:
            self._quarantine.failed([shard.name for shard in shards], loop.time(), bug=False)
            raise
        except Exception as error:  # a bug, or what nobody has thought of, in one shard must not stop the others
            log.exception("some checks could not be judged", extra={"shards": [shard.name for shard in shards]})
            if not shards:  # there is none to be put aside, and at once it would only be the same
                raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
            self._quarantine.failed([shard.name for shard in shards], loop.time(), bug=True)
            return True
        self._written(turns)
        if name is not None and turns:
            self._quarantine.well(name, loop.time(), emptied=not turns[0].left)
        elif name is not None:
            self._quarantine.forget(name)
        return len(turns) < len(shards) or any(turn.done or turn.left for turn in turns)

    async def _judge(
        self, connection: AsyncConnection, plan: Plan, shards: Sequence[Shard], ward: Ward | None
    ) -> list[Turn]:
        now = await self._now(connection)  # once more: not before anything that the former holder of the locks judged
        turns = await begin(connection, plan, self._memory, shards, now, self._judging)
        listens = any(turn.fold.name == OWN for turn in turns)
        silent = await self._listening.silent(connection, plan.regions, now, listens=listens)
        await judge(connection, turns, silent, ward)
        await write(connection, self._memory, turns, now)
        return turns

    async def _look(self, connection: AsyncConnection, plan: Plan) -> None:
        """There is nothing to do: whether that is because our rules are not those of the fleet any more."""
        if not await connection.scalar(_IS_CURRENT, {"version": plan.version}):
            self._memory.forget()
            self._outdated()

    def _written(self, turns: Sequence[Turn]) -> None:
        """It is written down: remember it, and tell whoever looks on."""
        lags = [turn.fold.now - turn.oldest for turn in turns if turn.oldest is not None]
        self.lag = max(lags, default=timedelta(0))
        for turn in turns:
            if turn.fold.plan is self._plan:
                self._memory.put(turn)
            self.judged += len(turn.done)
            for waiting, why in turn.refused:
                self._refused(waiting, why)
            for run, change in turn.fold.seen:
                elsewhere = run is not None and run.why is Why.CONTROL and turn.fold.name != OWN
                self._watch(None if elsewhere else run, change)  # a control run is seen by many shards, and told by one

    def _refused(self, waiting: Waiting, why: str) -> None:
        self.refused[why] += 1
        now, key = asyncio.get_running_loop().time(), (waiting.node, why)
        if now - self._told.get(key, -TELL) >= TELL:
            self._told = {key: at for key, at in self._told.items() if now - at < TELL} | {key: now}
            extra = {"node": waiting.node, "region": waiting.region, "kind": waiting.kind, "check": waiting.check}
            log.warning("what a node delivered was refused: %s", why, extra=extra)

    def _in_trouble(self, error: StoreUnavailable | None) -> None:
        if error is not None and self._trouble is None:
            log.error("nothing is judged now: %s", error)
        elif error is None and self._trouble is not None:
            log.warning("judgement goes on")
        self._trouble = None if error is None else str(error)


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Until the event, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def _wake(stop: asyncio.Event, heard: asyncio.Event) -> None:
    await stop.wait()
    heard.set()
