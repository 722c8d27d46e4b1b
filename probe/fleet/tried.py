"""What an agent's role cannot do, tried: with a role of its own, over a real connection, and undone."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Final

import asyncpg

from probe.errors import ProbeError, StoreUnavailable
from probe.fleet.address import Address
from probe.fleet.connect import FleetConnection, Limits, connect
from probe.fleet.hub import Hub
from probe.fleet.roles import REFUSED, add_agent, remove_agent

DONE: Final = "it was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Something that was tried as an agent: `answer` is the database's, `well` whether it is the right one."""

    what: str
    answer: str
    well: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    what: str
    statement: str
    allowed: bool = False


ATTEMPTS: Final = (
    _Attempt(
        what="report for its own region",
        statement="SELECT * FROM probe.sync('{own}', '{own}', '{own}', 'agent', '', '', now(), 0, 0, NULL)",
        allowed=True,
    ),
    _Attempt(
        what="deliver a run of its own region",
        statement="SELECT probe.deliver('{own}', '{own}', '{own}', 0, '{{1}}', '{{run}}', '{{trial}}', ARRAY['\\x00'::bytea])",
        allowed=True,
    ),
    _Attempt(
        what="deliver a run of another region",
        statement="SELECT probe.deliver('{other}', '{own}', '{own}', 0, '{{1}}', '{{run}}', '{{trial}}', ARRAY['\\x00'::bytea])",
    ),
    _Attempt(
        what="report for another region",
        statement="SELECT * FROM probe.sync('{other}', '{own}', '{own}', 'agent', '', '', now(), 0, 0, NULL)",
    ),
    _Attempt(what="read the configuration of another region", statement="SELECT probe.bundle('{other}', 'any')"),
    _Attempt(
        what="keep evidence for another region",
        statement="SELECT probe.keep_evidence('{other}', 'any', 'any', '\\x00'::bytea)",
    ),
    *(
        _Attempt(what=f"read {what}", statement=f"SELECT FROM probe.{table} LIMIT 1")
        for what, table in (
            ("runs", "runs"),
            ("what runs saw", "details"),
            ("what judgement remembers", "state"),
            ("notifications", "outbox"),
            ("configurations", "configs"),
            ("the configurations of regions", "bundles"),
            ("runs that wait", "inbox"),
            ("evidence", "evidence"),
            ("who speaks for whom", "agents"),
        )
    ),
    _Attempt(what="change checks", statement="UPDATE probe.checks SET shard = 'trial' WHERE false"),
    _Attempt(what="forge a run", statement="INSERT INTO probe.runs (seq) VALUES (NULL)"),
    _Attempt(
        what="speak for another region by decree", statement="INSERT INTO probe.agents VALUES (session_user, '{other}')"
    ),
    _Attempt(what="drop partitions", statement="SELECT probe.arrange_partitions('runs', 0, '1 h', '1 h')"),
    _Attempt(what="make a table among ours", statement="CREATE TABLE probe.trial ()"),
    _Attempt(what="become a node that judges", statement="SET ROLE probe_evaluate"),
)


async def tried_grants(hub: Hub) -> Sequence[Tried]:
    """Try everything that an agent must not be able to do, and what it must, as a role that is made for it and dropped.

    Nothing of it stays. `ProbeError` and `StoreUnavailable` say why it could not be tried.
    """
    own = f"trial-{token_hex(4)}"
    async with _visitor(hub, own) as connection:
        return [await _attempt(connection, attempt, own) for attempt in ATTEMPTS]


@asynccontextmanager
async def _visitor(hub: Hub, region: str) -> AsyncIterator[FleetConnection]:
    """A connection of an agent of a region that nobody knows."""
    role, password = await add_agent(hub, region)
    assert password is not None, "the role is new"
    try:
        address = replace(hub.address, user=role, password=password)
        connection = await _connect(hub, address)
        try:
            yield connection
        finally:
            connection.terminate()
    finally:
        await remove_agent(hub, role)


async def _connect(hub: Hub, address: Address) -> FleetConnection:
    trouble: StoreUnavailable | None = None
    for host in address.hosts:
        try:
            connection = await connect(address, host, name=f"probe {hub.node} trial", limits=Limits())
        except StoreUnavailable as error:
            trouble = error
            continue
        if not connection.is_standby:
            return connection
        connection.terminate()
    if trouble is not None:
        raise StoreUnavailable(
            f"the schema is there, but a new role could not log in to try what an agent could do: {trouble}."
            " Where that is a pooler, which does not know it, run this with the address of the database itself"
        ) from trouble
    raise ProbeError("no host of the database takes writes")


async def _attempt(connection: FleetConnection, attempt: _Attempt, own: str) -> Tried:
    """Try one thing, in a transaction that comes to nothing."""
    statement = attempt.statement.format(own=own, other="another region")
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return Tried(what=attempt.what, answer=str(error), well=not attempt.allowed and error.sqlstate == REFUSED)
    else:
        return Tried(what=attempt.what, answer=DONE, well=attempt.allowed)
    finally:
        with suppress(asyncpg.InterfaceError):
            await transaction.rollback()
