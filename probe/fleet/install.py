"""The schema of a fleet's database: made, brought up to date, and looked at before anything is done with it."""

import re
from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.errors import StoreUnavailable
from probe.fleet.hub import Hub

INIT: Final = "run `probe fleet init` with the URL of the database's owner"
OLDEST: Final = 140000
"""The oldest PostgreSQL that will do."""
ONE_AT_A_TIME: Final = 0x70726F6265
"""The number of the lock under which a schema is changed; it ends with the transaction."""
MIGRATION: Final = 50.0
"""Seconds for the statements of one migration."""
NUMBERED: Final = re.compile(r"(\d{4})_\w+\.sql")
GRANTS: Final = "grants.sql"
GROUPS: Final = ("probe_evaluate", "probe_agent")
"""Roles that hold rights, and nobody logs in as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was done. `version` is the schema's now; `applied` are the numbers of what was new.

    `ask` are statements that somebody with more rights must run, because we may not; then install again.
    """

    version: int
    applied: tuple[int, ...]
    ask: tuple[str, ...] = ()


@cache
def migrations() -> Sequence[tuple[int, str]]:
    """What makes the newest schema, in its order: numbers and SQL. Reads files, the first time."""
    found = [
        (int(matched[1]), file.read_text(encoding="utf-8"))
        for file in files("probe.fleet").joinpath("schema").iterdir()
        if (matched := NUMBERED.fullmatch(file.name))
    ]
    return sorted(found)


def newest() -> int:
    """The version of the schema that this probe knows."""
    return migrations()[-1][0]


async def install(hub: Hub) -> Installed:
    """Make the schema, or bring it to the newest version, and give the two group roles their rights.

    Twice does no harm, and two at the same time neither. `StoreUnavailable`, lasting, when a newer probe made what is
    there, when we may not, or when the PostgreSQL is too old.
    """
    await to_thread(migrations)
    applied = []
    while (number := await _step(hub)) is not None:
        applied.append(number)
    ask = await _grant(hub)
    return Installed(version=newest(), applied=tuple(applied), ask=ask)


async def _step(hub: Hub) -> int | None:
    """Apply the next migration, in one transaction; `None`: there is none left."""
    async with hub.transaction() as connection:
        await connection.execute(text(f"SET LOCAL statement_timeout = '{MIGRATION:g}s'"))
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ONE_AT_A_TIME})
        server: int = await connection.scalar(text("SELECT current_setting('server_version_num')::integer"))
        if server < OLDEST:
            raise StoreUnavailable(
                f"PostgreSQL {server // 10000} is too old: a fleet needs {OLDEST // 10000} or newer", lasting=True
            )
        version = await _version(connection)
        _refuse_newer(version)
        for number, statements in migrations():
            if number > version:
                if version == 0:
                    await _make_schema(connection)
                await _script(connection, statements)
                await connection.execute(
                    text("INSERT INTO probe.versions (number) VALUES (:number)"), {"number": number}
                )
                await connection.execute(text(f"COMMENT ON SCHEMA probe IS 'probe, version {number}'"))
                return number
    return None


async def _make_schema(connection: AsyncConnection) -> None:
    """The empty schema, unless an administrator has made it for us. `StoreUnavailable`, lasting, when we may not."""
    row = (
        await connection.execute(
            text(
                "SELECT current_user AS us, to_regnamespace('probe') IS NULL AS missing,"
                " has_database_privilege(current_database(), 'CREATE') AS may"
            )
        )
    ).one()
    if row.missing and not row.may:
        raise StoreUnavailable(
            f"{row.us} may not make a schema in this database. Have somebody who may run this, and do it again:"
            f" CREATE SCHEMA probe AUTHORIZATION {row.us}",
            lasting=True,
        )
    if row.missing:
        await connection.execute(text("CREATE SCHEMA probe"))


async def _version(connection: AsyncConnection) -> int:
    """What version the schema has; 0: none. `StoreUnavailable`, lasting, when it is not one of ours."""
    if await connection.scalar(text("SELECT to_regclass('probe.versions') IS NOT NULL")):
        return await connection.scalar(text("SELECT max(number) FROM probe.versions")) or 0
    strangers = await connection.scalar(
        text("SELECT string_agg(relname, ', ') FROM pg_class WHERE relnamespace = to_regnamespace('probe')::oid")
    )
    if strangers:
        raise StoreUnavailable(
            f"the database has a schema `probe` that is not ours (in it: {strangers[:200]}): use another database",
            lasting=True,
        )
    return 0


def _refuse_newer(version: int) -> None:
    if version > newest():
        raise StoreUnavailable(
            f"the database was made by a newer probe (schema {version}, this one knows up to {newest()}): install that"
            " version of probe here",
            lasting=True,
        )


async def _grant(hub: Hub) -> tuple[str, ...]:
    """Make the group roles and give them their rights. What we may not do is given back, for somebody who may."""
    grants = await to_thread(files("probe.fleet").joinpath("schema", GRANTS).read_text, encoding="utf-8")
    async with hub.transaction() as connection:
        await connection.execute(text(f"SET LOCAL statement_timeout = '{MIGRATION:g}s'"))
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ONE_AT_A_TIME})
        found = set(await connection.scalars(text("SELECT rolname FROM pg_roles WHERE rolname LIKE 'probe%'")))
        missing = tuple(f"CREATE ROLE {role} NOLOGIN" for role in GROUPS if role not in found)
        may = await connection.scalar(
            text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
        )
        if missing and not may:
            return missing
        for statement in missing:
            await connection.execute(text(statement))
        await _script(connection, grants)
    return ()


async def _script(connection: AsyncConnection, statements: str) -> None:
    """Several statements at once, as they are written."""
    raw = await connection.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.execute(statements, timeout=MIGRATION)


async def check_schema(hub: Hub, *, evaluates: bool) -> None:
    """Look whether a node can work with the database. `StoreUnavailable`, lasting, says what must be done.

    An evaluating node needs the schema that it knows; an agent, which only knows four functions, one that has them.
    """
    await to_thread(migrations)
    async with hub.transaction() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT obj_description(oid, 'pg_namespace') AS comment, has_schema_privilege(oid, 'USAGE') AS usable"
                    " FROM pg_namespace WHERE nspname = 'probe'"
                )
            )
        ).one_or_none()
        matched = re.search(r"version (\d+)", (row.comment if row is not None else "") or "")
        if row is None or matched is None:
            raise StoreUnavailable(f"the database {hub.address} has no schema of probe's: {INIT}", lasting=True)
        version = int(matched[1])
        if version < newest():
            raise StoreUnavailable(
                f"the database {hub.address} has an old schema ({version}, this probe needs {newest()}): {INIT}",
                lasting=True,
            )
        if evaluates:
            _refuse_newer(version)
        needed = EVALUATES if evaluates else AGENT
        if not row.usable or not await connection.scalar(text(needed)):
            what = "judge" if evaluates else "speak for a region"
            raise StoreUnavailable(
                f"the database {hub.address} does not let {hub.address.user} {what}: ask its owner for a role"
                " (`probe fleet init`)",
                lasting=True,
            )


AGENT: Final = (
    "SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc AS p"
    " JOIN pg_namespace AS n ON n.oid = pronamespace"
    " WHERE nspname = 'probe' AND proname IN ('sync', 'deliver', 'bundle', 'keep_evidence')"
)
EVALUATES: Final = "SELECT has_table_privilege('probe.inbox', 'DELETE') AND has_table_privilege('probe.runs', 'INSERT')"
