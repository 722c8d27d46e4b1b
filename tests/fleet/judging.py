"""A fleet without agents: rules in force, runs delivered by hand, and everything that evaluators made of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.check import CheckId
from probe.core.evaluate import Overdue
from probe.core.incident import Incident
from probe.core.rules import Rules
from probe.core.run import Control, Observation, Outcome, Run, RunId, Slot, Why
from probe.core.secret import Secret
from probe.core.shards import split
from probe.core.state import Change
from probe.fleet.evaluator import Evaluator
from probe.fleet.hub import Hub
from probe.fleet.inbox import Told, pack
from probe.fleet.install import install
from probe.store.rows import from_json
from tests.core.world import BROKEN, OURS
from tests.postgres import Database

VERSION = "v1"
TABLES = (
    *("runs", "steps", "phases", "failures", "details", "places", "state", "ledger", "incidents", "timeline", "outbox"),
    *("attempts", "meta", "sources", "regions", "shards", "checks", "inbox", "asks"),
)
STALE = timedelta(seconds=45)


@dataclass
class Fleet:
    """A database with rules in force. `now` is the moment at which evaluators believe to judge; `None`: the real one."""

    hub: Hub
    rules: Rules
    version: str = VERSION
    now: datetime | None = None
    number: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    outdated: int = 0
    seen: list[tuple[Run | None, Change]] = field(default_factory=list)

    async def arrange(self, rules: Rules, version: str) -> None:
        """Put rules in force."""
        self.rules, self.version = rules, version
        shards = split(rules)
        async with self.hub.transaction() as connection:
            await connection.execute(text("DELETE FROM probe.checks"))
            for name, part in shards.items():
                for check in part.checks:
                    await connection.execute(
                        text("INSERT INTO probe.checks VALUES (:id, :shard)"), {"id": check, "shard": name}
                    )
                await connection.execute(
                    text(
                        "INSERT INTO probe.shards (name, version, awake, tick) VALUES (:name, :version, true, :tick)"
                        " ON CONFLICT (name) DO UPDATE SET version = excluded.version, awake = true, tick = excluded.tick,"
                        " generation = probe.shards.generation + 1"
                    ),
                    {"name": name, "version": version, "tick": self.now or await self.server_now(connection)},
                )
            await connection.execute(
                text("DELETE FROM probe.shards WHERE NOT name = ANY(CAST(:names AS text[]))"), {"names": list(shards)}
            )

    def evaluator(self, node: str = "e1", hub: Hub | None = None, **given: Any) -> Evaluator:
        return Evaluator(
            hub or self.hub,
            split(self.rules),
            self.version,
            node,
            **{
                "stale_after": STALE,
                "outdated": self._outdated,
                "now": self._clock,
                "watch": lambda run, change: self.seen.append((run, change)),
                **given,
            },
        )

    def _outdated(self) -> None:
        self.outdated += 1

    async def _clock(self, connection: AsyncConnection) -> datetime:
        return self.now or await self.server_now(connection)

    async def server_now(self, connection: AsyncConnection) -> datetime:
        now: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        assert self.now is not None
        self.now += timedelta(seconds=seconds)

    # --- what comes in ---------------------------------------------------------------------------------------------

    def run(
        self,
        outcome: Outcome = Outcome.PASSED,
        check: str = "checkout",
        region: str = "eu",
        *,
        at: datetime | None = None,
        due: datetime | None = None,
        why: Why = Why.SCHEDULED,
        took: float = 1.0,
        count: int = 1,
        control: Control | None = None,
        id: str | None = None,
    ) -> Run:
        """A run that ends at `at`."""
        self.number += 1
        number = self.number
        found = {Outcome.FAILED: BROKEN, Outcome.ERRORED: OURS}.get(outcome)
        ended = at or self.now
        assert ended is not None
        started = ended - timedelta(seconds=took)
        return Run(
            id=RunId(id or f"run-{number:05}"),
            check=CheckId(check),
            kind="http",
            target="shop",
            region=region,
            why=why,
            outcome=outcome,
            started=started,
            duration=timedelta(seconds=took),
            observation=Observation(failures=(found,) if found else (), control=control),
            slot=Slot(number=number, due=due or started, count=count) if why is Why.SCHEDULED else None,
        )

    async def deliver(
        self, *seen: Run | Overdue | Told | bytes, source: str = "", region: str = "", skew: float = 0.0, **given: Any
    ) -> None:
        """Deliver, in one call, as the source of the region of the first."""
        rows = [self.row(one, **given) for one in seen]
        first = seen[0]
        region = region or (first.region if isinstance(first, Run | Overdue) else "eu")
        async with self.hub.transaction() as connection:
            await self.put(connection, rows, source or f"source of {region}", region, skew)

    async def put(
        self,
        connection: AsyncConnection,
        rows: Sequence[Mapping[str, Any]],
        source: str,
        region: str,
        skew: float = 0.0,
    ) -> None:
        first = self.sent.get(source, 0) + 1
        self.sent[source] = first + len(rows) - 1
        await connection.execute(
            text(
                "SELECT probe.deliver(:region, :node, :source, :skew, CAST(:seqs AS bigint[]), CAST(:kinds AS text[]),"
                " CAST(:checks AS text[]), CAST(:bodies AS bytea[]))"
            ),
            {
                "region": region,
                "node": f"node of {source}",
                "source": source,
                "skew": skew,
                "seqs": list(range(first, first + len(rows))),
                "kinds": [row["kind"] for row in rows],
                "checks": [row["check"] for row in rows],
                "bodies": [row["body"] for row in rows],
            },
        )

    def row(self, seen: Run | Overdue | Told | bytes, **given: Any) -> dict[str, Any]:
        if isinstance(seen, bytes):
            return {"kind": "run", "check": "checkout", "body": seen, **given}
        if isinstance(seen, tuple):
            return {"kind": "told", "check": "checkout", "body": pack(seen), **given}
        kind = "overdue" if isinstance(seen, Overdue) else "control" if seen.why is Why.CONTROL else "run"
        return {"kind": kind, "check": seen.check, "body": pack(seen), **given}

    async def hear(self, *regions: str, at: datetime | None = None) -> None:
        """These regions say that they live."""
        async with self.hub.transaction() as connection:
            for region in regions:
                await connection.execute(
                    text(
                        "INSERT INTO probe.regions (name, heard) VALUES (:name, :at)"
                        " ON CONFLICT (name) DO UPDATE SET heard = excluded.heard"
                    ),
                    {"name": region, "at": at or self.now},
                )

    async def clear(self) -> None:
        """Forget everything that was delivered and judged."""
        async with self.hub.transaction() as connection:
            for table in TABLES:
                await connection.execute(text(f"DELETE FROM probe.{table}"))
            await connection.execute(text("DELETE FROM probe.leases WHERE name = 'delivery'"))
            await connection.execute(text("ALTER TABLE probe.inbox ALTER received SET DEFAULT clock_timestamp()"))
        self.sent.clear()

    async def deaf(self) -> None:
        """From now on nobody says when something came in: evaluators find it as if it were old."""
        await self.ask("ALTER TABLE probe.inbox ALTER received SET DEFAULT '2020-01-01Z'", rows=False)

    # --- what came of it -------------------------------------------------------------------------------------------

    async def ask(self, statement: str, *, rows: bool = True, **given: Any) -> list[Any]:
        async with self.hub.transaction() as connection:
            answer = await connection.execute(text(statement), given)
            found = answer.all() if rows else ()
        return [row[0] if len(row) == 1 else tuple(row) for row in found]

    async def incidents(self) -> list[Incident]:
        return [
            from_json(Incident, body) for body in await self.ask("SELECT body FROM probe.incidents ORDER BY opened, id")
        ]

    async def told(self) -> list[str]:
        """The keys of all that was to be said, in order."""
        return await self.ask("SELECT key FROM probe.outbox ORDER BY seq")

    async def ledger(self) -> dict[tuple[str, int, int], tuple[int, int, int]]:
        rows = await self.ask("SELECT objective, span, start, good, bad, lost FROM probe.ledger ORDER BY 1, 2, 3")
        return {row[:3]: row[3:] for row in rows}

    async def runs(self) -> list[str]:
        return await self.ask("SELECT id FROM probe.runs ORDER BY id")

    async def waiting(self) -> int:
        (found,) = await self.ask("SELECT count(*) FROM probe.inbox")
        return int(found)


async def until_idle(*evaluators: Evaluator, dice: random.Random | None = None) -> None:
    """Turns, until there is nothing to judge."""
    idle = 0
    while idle < len(evaluators):
        for evaluator in evaluators if dice is None else dice.sample(evaluators, len(evaluators)):
            idle = 0 if await evaluator.turn() else idle + 1


def throw_out(database: Database) -> None:
    """Every connection is ended, whatever it does."""
    database.server.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.name}'")


@asynccontextmanager
async def fleet_in(database: Database, rules: Rules, now: datetime | None = None) -> AsyncIterator[Fleet]:
    """A fleet whose rules are in force, in a database that may have been used by another test."""
    hub = Hub(Secret(database.url()), node="test")
    try:
        await install(hub)
        fleet = Fleet(hub, rules, now=now)
        await fleet.clear()
        await fleet.arrange(rules, VERSION)
        yield fleet
    finally:
        await hub.close()


async def eventually(true: Any, within: float = 20.0) -> None:
    """Until it is so."""
    async with asyncio.timeout(within):
        while not await true():
            await asyncio.sleep(0.02)


def names(of: Iterable[Incident]) -> list[str]:
    return [incident.cause for incident in of]
