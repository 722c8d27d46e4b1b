"""One connection to a fleet's database, on a host that takes writes, in seconds or not at all."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from probe.errors import StoreUnavailable
from probe.fleet.address import Address
from probe.fleet.trouble import STANDBY, unavailable

NOT_THIS_WAY: Final = "28000"
"""The code of a server that does not let us in with TLS, or not without it."""
FAREWELL: Final = 1.0
"""Seconds for taking leave of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long anything may take, in seconds."""

    connect: float = 5.0
    """For a connection to one host, name, handshakes and password included; and for a transaction to begin."""
    statement: float = 10.0
    """For one statement, in the database."""
    lock: float = 5.0
    """For one lock."""
    idle: float = 10.0
    """That a transaction may do nothing: it holds locks."""
    spare: float = 3.0
    """What an answer may take longer than its statement: when it has not come by then, the way is cut."""
    whole: float = 60.0
    """For a whole transaction."""

    @property
    def answer(self) -> float:
        """For the answer to a statement."""
        return self.statement + self.spare

    @property
    def settings(self) -> str:
        """What each transaction begins with: behind a pooler nothing that is set for a session stays with us.

        The search path keeps out what somebody else may have made in `public`.
        """
        return (
            f"SET LOCAL statement_timeout = {round(self.statement * 1000)};"
            f" SET LOCAL lock_timeout = {round(self.lock * 1000)};"
            f" SET LOCAL idle_in_transaction_session_timeout = {round(self.idle * 1000)};"
            " SET LOCAL search_path = probe, pg_catalog, pg_temp"
        )


class FleetConnection(asyncpg.Connection):  # type: ignore[misc]  # it has no types
    """A connection whose transactions begin with our limits, in one message, and are refused by a standby.

    `host` is where it leads, `settings` what a transaction begins with. `has_worked`: a transaction began on it. `is_standby`: it can only read.
    """

    host: tuple[str, int] = ("", 0)
    settings = Limits().settings
    has_worked = False
    is_standby = False

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # the base's
        """As the driver does, but for the beginning of a transaction, and an end that came to nothing."""
        if query.startswith("BEGIN"):
            mode = "" if self.is_standby or "READ ONLY" in query else " READ WRITE"
            query = f"{query.rstrip(';')}{mode}; {self.settings}"
        status: str = await super().execute(query, *args, timeout=timeout)
        if query.startswith("COMMIT") and status == "ROLLBACK":
            raise RuntimeError("an error inside the transaction was passed over: the database has rolled it back")
        return status

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the base's
        """Take leave, but not in the middle of something, and never for long: the other side may be out of reach."""
        if self.is_closed() or self.is_in_transaction():
            self.terminate()
        else:
            await super().close(timeout=FAREWELL if timeout is None else min(timeout, FAREWELL))

    async def find_out(self) -> None:
        """Set `is_standby`."""
        try:
            await self.execute("BEGIN")
        except asyncpg.PostgresError as error:
            if error.sqlstate not in STANDBY:
                raise
            self.is_standby = True
        else:
            await self.execute("ROLLBACK")


async def connect(address: Address, host: tuple[str, int], *, name: str, limits: Limits) -> FleetConnection:
    """Connect to one host of an address. `StoreUnavailable` says why not; `name` is what the database sees us as."""
    try:
        async with asyncio.timeout(limits.connect):
            tls = await asyncio.to_thread(address.tls) if not host[0].startswith("/") else None
            connection = await _open(address, host, name, limits, tls)
            try:
                await connection.find_out()
            except BaseException:
                connection.terminate()
                raise
            return connection
    except TimeoutError:
        raise StoreUnavailable(
            f"the database {address} cannot be reached: {host[0]} did not answer in {limits.connect:g} s"
        ) from None
    except Exception as error:
        told = unavailable(error, address)
        if told is None or told is error:
            raise
        raise told from error


async def _open(
    address: Address, host: tuple[str, int], name: str, limits: Limits, tls: ssl.SSLContext | None
) -> FleetConnection:
    """Open it; when TLS is only preferred and comes to nothing, without."""
    try:
        return await _open_with(tls, address, host, name, limits)
    except (OSError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        refused = isinstance(error, ConnectionError) or getattr(error, "sqlstate", None) == NOT_THIS_WAY
        if tls is None or address.sslmode != "prefer" or not refused:
            raise
    return await _open_with(None, address, host, name, limits)


async def _open_with(
    tls: ssl.SSLContext | None, address: Address, host: tuple[str, int], name: str, limits: Limits
) -> FleetConnection:
    connection: FleetConnection = await asyncpg.connect(
        host=host[0],
        port=host[1],
        user=address.user,
        password=address.password.reveal(),  # never None: then a file of passwords would be looked for, in the loop
        database=address.database,
        ssl=tls or False,
        direct_tls=False,
        target_session_attrs="any",  # a standby is found out here, and refuses to begin later
        timeout=limits.connect,
        command_timeout=limits.answer,
        statement_cache_size=0,
        connection_class=FleetConnection,
        server_settings={"application_name": name},
    )
    connection.host = host
    connection.settings = limits.settings
    return connection
