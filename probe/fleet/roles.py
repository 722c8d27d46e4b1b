"""Who may do what in a fleet's database: one role for each region's agents, which may speak for that region only."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256
from hmac import digest
from secrets import token_bytes, token_urlsafe
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from probe.core.secret import Secret
from probe.errors import ProbeError
from probe.fleet.hub import Hub
from probe.fleet.trouble import code_of

AGENTS: Final = "probe_agent"
"""The group of the roles of agents."""
EVALUATORS: Final = "probe_evaluate"
"""The group of the roles of nodes that judge."""
LONGEST: Final = 63
"""Characters of a role's name at most."""
CONNECTIONS: Final = 40
"""Connections of one agent role at most: a stolen password shall not use up the server's."""
ROUNDS: Final = 4096
REFUSED: Final = "42501"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A role of the database that speaks for a region. `exists` is false when somebody has dropped the role."""

    role: str
    region: str
    exists: bool = True


def role_of(region: str) -> str:
    """The name of the role for a region.

    >>> role_of("eu-west")
    'probe_agent_eu_west'
    """
    name = f"{AGENTS}_" + (re.sub(r"[^a-z0-9]+", "_", region.lower()).strip("_") or "region")
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}_{sha256(region.encode()).hexdigest()[:8]}"


async def add_agent(
    hub: Hub, region: str, role: str | None = None, password: Secret | None = None
) -> tuple[str, Secret | None]:
    """Make the role for the agents of a region, or give it a new password; gives its name and its password.

    A role that somebody else made keeps its password: `None`. `ProbeError` when the role speaks for another region, or
    when we may not make roles: it says what somebody who may must run, before this is done again.
    """
    role = role or role_of(region)
    _check_name(role)
    async with hub.transaction() as connection:
        known = await connection.scalar(text("SELECT region FROM probe.agents WHERE role = :role"), {"role": role})
        if known is not None and known != region:
            raise ProbeError(f"the role {role} speaks for the region {known}: name another one")
        word = await _let_in(connection, role, AGENTS, password)
        await connection.execute(
            text("INSERT INTO probe.agents (role, region) VALUES (:role, :region) ON CONFLICT (role) DO NOTHING"),
            {"role": role, "region": region},
        )
    return role, word


async def add_evaluator(hub: Hub, role: str, password: Secret | None = None) -> Secret | None:
    """Make a role for nodes that judge, or give it a new password, which is given back. Errors as of `add_agent`."""
    _check_name(role)
    async with hub.transaction() as connection:
        if await connection.scalar(text("SELECT region FROM probe.agents WHERE role = :role"), {"role": role}):
            raise ProbeError(f"the role {role} is that of a region's agents: name another one")
        return await _let_in(connection, role, EVALUATORS, password)


async def list_agents(hub: Hub) -> Sequence[Agent]:
    """All roles that speak for a region."""
    async with hub.transaction() as connection:
        found = await connection.execute(
            text(
                "SELECT role, region, EXISTS (SELECT FROM pg_roles WHERE rolname = role) AS there FROM probe.agents"
                " ORDER BY region, role"
            )
        )
        return tuple(Agent(role=row.role, region=row.region, exists=row.there) for row in found)


async def remove_agent(hub: Hub, role: str) -> tuple[str, ...]:
    """From now on a role speaks for nobody, in sessions that are open too; drop it, if we may.

    Gives back the statements that somebody with more rights must run, because we may not. `KeyError`: no such agent.
    """
    async with hub.transaction() as connection:
        gone = await connection.execute(
            text("DELETE FROM probe.agents WHERE role = :role RETURNING role"), {"role": role}
        )
        if gone.one_or_none() is None:
            raise KeyError(role)
        if not await _exists(connection, role):
            return ()
        drop = f"DROP ROLE {_quoted(role)}"
        try:
            async with connection.begin_nested():
                await connection.exec_driver_sql(drop)
        except DBAPIError as error:
            if code_of(error) not in {REFUSED, "2BP01", "55006"}:  # not allowed; it owns something; it is us
                raise
            return f"DROP OWNED BY {_quoted(role)}", drop
    return ()


async def _let_in(connection: AsyncConnection, role: str, group: str, password: Secret | None) -> Secret | None:
    """A role of a group that logs in with a password; `None`: it keeps its own, since we may not change it."""
    word = Secret(token_urlsafe(24)) if password is None else password
    found = (await connection.execute(FIND, {"role": role, "group": group})).one_or_none()
    if found is not None and (found.mighty or not found.member):
        raise ProbeError(f"there is a role {role} already that is not of {group}, or may do more: name another one")
    limit = f" CONNECTION LIMIT {CONNECTIONS}" if group == AGENTS else ""
    make = f"{'CREATE' if found is None else 'ALTER'} ROLE {_quoted(role)} LOGIN{limit} PASSWORD"
    enrol = f"GRANT {group} TO {_quoted(role)}"
    try:
        async with connection.begin_nested():
            await connection.exec_driver_sql(f"{make} '{_verifier(word.reveal())}'")
            if found is None:
                await connection.exec_driver_sql(enrol)
    except DBAPIError as error:
        if code_of(error) != REFUSED:
            raise
        if found is not None:
            return None
        raise ProbeError(
            "we may not make roles in this database. Have somebody who may run this, and do it again:\n"
            f"    {make} '...'; {enrol};"
        ) from error
    return word


FIND: Final = text(
    "SELECT pg_has_role(oid, CAST(:group AS name), 'MEMBER') AS member,"
    " rolsuper OR oid = current_user::regrole OR CAST(:group AS text) = 'probe_agent'"
    " AND pg_has_role(oid, 'probe_evaluate', 'MEMBER') AS mighty FROM pg_roles WHERE rolname = :role"
)


async def _exists(connection: AsyncConnection, role: str) -> bool:
    return bool(
        await connection.scalar(text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)"), {"role": role})
    )


def _check_name(role: str) -> None:
    if not role or len(role.encode()) > LONGEST or role.startswith("pg_") or "\0" in role:
        raise ProbeError(f"{role!r} cannot be the name of a role: up to {LONGEST} characters, and not pg_...")


def _quoted(role: str) -> str:
    return '"' + role.replace('"', '""') + '"'


def _verifier(password: str) -> str:
    """What the server keeps of a password (SCRAM-SHA-256): so it is in no statement, and in no log of statements.

    As the server would make it; of a password with characters beyond ASCII it would make something else.
    """
    if not password.isascii():
        raise ProbeError("a password may only have ASCII characters")
    salt = token_bytes(16)
    salted = pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)
    stored = sha256(digest(salted, b"Client Key", "sha256")).digest()
    server = digest(salted, b"Server Key", "sha256")
    parts = (b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ROUNDS, *parts)
