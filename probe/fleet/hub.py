"""The way to a fleet's database: short transactions with limits, and one sort of error for all that goes wrong there."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from weakref import WeakSet

import asyncpg
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.address import parse_address
from probe.fleet.connect import FleetConnection, Limits, connect
from probe.fleet.trouble import LOST, STANDBY, answered, code_of, unavailable

log = logging.getLogger(__name__)
CONNECTIONS: Final = 8
"""Connections at most, besides one for each `listen`."""
ROLLBACK: Final = 2.0
"""Seconds for a rollback; a connection that needs longer is thrown away."""
RENEW: Final = (1.0, 15.0)
"""Seconds until a lost connection for notifications is made again: the first time, and at most."""
ANSWERS: Final = 5.0
"""Seconds in which a connection for notifications must answer."""
ALIVE: Final = 30.0
"""Seconds between two looks whether it still answers."""
UNSURE: Final = (DBAPIError, InvalidRequestError, OSError, *LOST)
"""After these errors nobody knows what state a connection is in. (A timeout is an `OSError`, too.)"""


class Hub:
    """A fleet's database, for one event loop. It connects when it is first used; `close` it at the end.

    `node` is the name under which the database knows us. `StoreUnavailable`, lasting, for a URL that cannot be used.
    """

    def __init__(self, url: Secret, *, node: str, limits: Limits | None = None) -> None:
        self.address = parse_address(url)
        self.node = node
        self._limits = limits or Limits()
        self._hosts = list(self.address.hosts)
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            connect_args={
                "async_creator_fn": self._connect,
                # With a pooler in transaction mode, a statement that has a name is not there the next time.
                "prepared_statement_cache_size": 0,
                "prepared_statement_name_func": str,  # ""
            },
            hide_parameters=True,
            pool_size=CONNECTIONS,  # made when they are needed
            max_overflow=0,
            pool_timeout=self._limits.connect,
            pool_use_lifo=True,
            execution_options={"schema_translate_map": {None: "probe"}},
        )
        self._open: WeakSet[FleetConnection] = WeakSet()

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction, which is committed at the end, and came to nothing when anything was raised in it.

        With `snapshot` it reads only, all of it as of one moment, and a standby will do. Do nothing in it but speak to
        the database: it holds locks, and is ended when it does nothing for ten seconds. `StoreUnavailable` for all
        that is the database's or the network's fault; when the commit was not answered, it may have been made.
        """
        connection, driver = await self._begin(snapshot=snapshot)
        try:
            async with asyncio.timeout(self._limits.whole) as limit:
                yield connection
            async with asyncio.timeout(self._limits.answer) as limit:
                await connection.commit()
        except BaseException as error:
            await _undo(connection, driver, error)
            if isinstance(error, TimeoutError) and limit.expired():
                raise self._silent() from error
            told = self._told(error)
            if told is None or told is error:
                raise
            raise told from error
        finally:
            await _let_go(connection, driver)

    @asynccontextmanager
    async def listen(self, *channels: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when something was notified, and when it may have been: whenever we begin to listen.

        Only a hint: behind a pooler in transaction mode nothing is ever heard. A connection of its own, made again
        when it is lost, which is never an error. Whoever waits for the event clears it.
        """
        heard = asyncio.Event()
        raised: Exception | None = None
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(channels, heard), name="listen to the database")
            try:
                yield heard
            except Exception as error:  # noqa: BLE001  # raised below: the group would wrap it
                raised = error
            finally:
                listening.cancel()
        if raised is not None:
            raise raised

    async def close(self) -> None:
        """Let go of all connections, in seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ROLLBACK):
                for connection in list(self._open):
                    with suppress(*LOST, OSError):
                        await connection.close(timeout=ROLLBACK)
        for connection in list(self._open):
            connection.terminate()
        await self._engine.dispose()

    async def _begin(self, *, snapshot: bool) -> tuple[AsyncConnection, FleetConnection]:
        """A connection on which a transaction has begun. One that waited in the pool may be dead: then the next."""
        while True:
            connection, driver = await self._check_out(snapshot=snapshot)
            try:
                if driver.is_standby and not snapshot:
                    raise self._standby()
                async with asyncio.timeout(self._limits.connect):
                    await connection.begin()
                    raw: Any = (await connection.get_raw_connection()).dbapi_connection
                    # Without it, SQLAlchemy begins at the first statement: in the midst of somebody's work.
                    await raw._start_transaction()
            except BaseException as error:
                driver.terminate()
                await _let_go(connection, driver)
                if isinstance(error, TimeoutError):
                    told: StoreUnavailable | None = self._silent()
                else:
                    told = self._standby() if code_of(error) in STANDBY else self._told(error)
                if told is None or told is error:
                    raise
                if told.lasting or not driver.has_worked:
                    raise told from error
            else:
                driver.has_worked = True
                return connection, driver

    async def _check_out(self, *, snapshot: bool) -> tuple[AsyncConnection, FleetConnection]:
        """A connection of the pool, or a new one."""
        try:
            async with asyncio.timeout(self._limits.connect * (len(self._hosts) + 2)):
                connection = await self._engine.connect()
                if snapshot:
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                return connection, await _driver(connection)
        except Exception as error:
            told = self._silent() if isinstance(error, TimeoutError) else self._told(error)
            if told is None or told is error:
                raise
            raise told from error

    async def _connect(self, **_: object) -> FleetConnection:
        """A new connection, to the first host that takes writes, else to one that can be read."""
        readable: FleetConnection | None = None
        trouble: StoreUnavailable | None = None
        for host in list(self._hosts):
            try:
                connection = await connect(self.address, host, name=f"probe {self.node}"[:63], limits=self._limits)
            except StoreUnavailable as error:
                trouble = error
            except BaseException:
                if readable is not None:
                    readable.terminate()
                raise
            else:
                self._open.add(connection)
                if not connection.is_standby:
                    if readable is not None:
                        readable.terminate()
                    self._hosts.sort(key=lambda other: other != host)  # the next time at first
                    return connection
                if readable is None:
                    readable = connection
                else:
                    connection.terminate()
        if readable is None:
            assert trouble is not None, "an address has a host"
            raise trouble
        return readable

    async def _listen(self, channels: Sequence[str], heard: asyncio.Event) -> None:
        """Listen for ever, on one connection after the other."""
        loop = asyncio.get_running_loop()
        pause = RENEW[0]
        while True:
            began = loop.time()
            try:
                connection = await self._connect()
                try:
                    await _hear(connection, channels, heard)
                finally:
                    connection.terminate()
            except (StoreUnavailable, OSError, asyncpg.PostgresError, *LOST) as error:
                log.debug("not listening: %s", error)
            pause = RENEW[0] if loop.time() - began > ALIVE else min(2 * pause, RENEW[1])
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # not a secret

    def _silent(self) -> StoreUnavailable:
        return StoreUnavailable(f"the database {self.address} did not answer in time")

    def _standby(self) -> StoreUnavailable:
        return StoreUnavailable(f"the database {self.address} takes no writes: it is a standby")

    def _told(self, error: BaseException) -> StoreUnavailable | None:
        """What to raise for an error; `None`: itself, it is a bug or the end."""
        return unavailable(error, self.address)


async def _hear(connection: FleetConnection, channels: Sequence[str], heard: asyncio.Event) -> None:
    """Set `heard` at each notification, until the connection ends or does not answer any more."""
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    async with connection.transaction():  # a pooler might take another server for the second half of a statement
        for channel in channels:
            await connection.add_listener(channel, lambda *_: heard.set())
    heard.set()  # something may have been missed
    while not connection.is_closed() and not ended.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(ALIVE):
                await ended.wait()
        if not ended.is_set():
            await connection.execute("SELECT 1", timeout=ANSWERS)


async def _driver(connection: AsyncConnection) -> FleetConnection:
    found = (await connection.get_raw_connection()).driver_connection
    assert isinstance(found, FleetConnection)
    return found


async def _undo(connection: AsyncConnection, driver: FleetConnection, error: BaseException) -> None:
    """Roll back; the connection is cut when it is not sure to be clean: then the database rolls back by itself."""
    if isinstance(error, Exception) and (answered(error) or not isinstance(error, UNSURE)) and not driver.is_closed():
        with suppress(Exception):
            async with asyncio.timeout(ROLLBACK):
                await connection.rollback()
                return
    driver.terminate()


async def _let_go(connection: AsyncConnection, driver: FleetConnection) -> None:
    """Back into the pool with it, or away."""
    if driver.is_standby:
        driver.terminate()  # so that the next one looks for a host that takes writes
    if driver.is_closed() and not connection.closed and not connection.invalidated:
        await connection.invalidate()
    await connection.close()
