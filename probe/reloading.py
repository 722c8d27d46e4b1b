"""When the configuration is read again: at a signal, when somebody asks, when the fleet has a new one. One at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from probe.core.diagnostic import Diagnostic
from probe.errors import ConfigError, ProbeError
from probe.loader import LoadedChecks
from probe.ports import Clock

log = logging.getLogger("probe")


class Source(Protocol):
    """Where the configuration comes from."""

    async def again(self, *, asked: bool) -> LoadedChecks | None:
        """Read it again, because somebody asked for it or else because there may be a new one; `None`: there is none.

        `ProbeError` says why it cannot be used: then the old one stays.
        """
        ...


class FromFile:
    """The configuration of a daemon that stands alone: the file that it was started with."""

    def __init__(self, path: Path, read: Callable[[Path], LoadedChecks]) -> None:
        self._path, self._read = path, read

    async def again(self, *, asked: bool) -> LoadedChecks | None:  # noqa: ARG002  # the port's shape: it is only read when asked
        """Read it again."""
        return await asyncio.to_thread(self._read, self._path)


class Reloads:
    """Reads a source again, and has what is new taken over (`take`, which gives its warnings). To be made inside the loop.

    `manners` is entered around one that somebody asked for. `at` and `error` are of the last of these.
    """

    def __init__(
        self,
        source: Source,
        take: Callable[[LoadedChecks], Awaitable[tuple[Diagnostic, ...]]],
        manners: Callable[[], AbstractContextManager[None]],
        clock: Clock,
    ) -> None:
        self.at: datetime | None = None
        self.error = ""
        self._source = source
        self._take = take
        self._manners = manners
        self._clock = clock
        self._news = asyncio.Event()
        self._asked = False
        self._said = ""
        self._askers: list[asyncio.Future[tuple[Diagnostic, ...]]] = []

    def ask(self) -> None:
        """Read it again: somebody asked for it."""
        self._asked = True
        self._news.set()

    def follow(self) -> None:
        """See whether there is a new one."""
        self._news.set()

    async def answer(self) -> tuple[Diagnostic, ...]:
        """Read it again, and say what is wrong with it. It goes on when whoever asked does not wait for it any more."""
        asker: asyncio.Future[tuple[Diagnostic, ...]] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        self.ask()
        return await asker

    async def run(self, stop: asyncio.Event) -> None:
        """Do it, until `stop`; one that has begun then ends: half of one would leave something open."""
        while True:
            await self._news.wait()
            self._news.clear()
            if stop.is_set():
                return
            askers, self._askers = self._askers, []
            asked, self._asked = self._asked, False
            found = await self._reload() if asked else await self._see()
            for asker in askers:
                if not asker.done():
                    asker.set_result(found)

    async def _see(self) -> tuple[Diagnostic, ...]:
        try:
            loaded = await self._source.again(asked=False)
            self._said = ""
            return () if loaded is None else await self._take(loaded)
        except ProbeError as error:
            if str(error) != self._said:  # it is asked again and again
                log.warning("the configuration stays as it is: %s", error)
            self._said = str(error)
            return ()
        except Exception:  # a bug here must not end the daemon, which goes on by what it has
            log.exception("the configuration stays as it is")
            return ()

    async def _reload(self) -> tuple[Diagnostic, ...]:
        with self._manners():
            try:
                loaded = await self._source.again(asked=True)
                found = () if loaded is None else await self._take(loaded)
            except ProbeError as error:
                self.error = str(error)
                log.error("the new configuration cannot be used, the old one stays: %s", error)  # noqa: TRY400  # a user's mistake
                return (
                    error.diagnostics
                    if isinstance(error, ConfigError)
                    else (Diagnostic(file="configuration", what=str(error)),)
                )
            except Exception as error:  # a bug here must not end the daemon, which goes on by what it has
                self.error = f"{type(error).__name__}: {error}"
                log.exception("the new configuration cannot be used, the old one stays")
                return (Diagnostic(file="configuration", what=self.error),)
            else:
                self.error = ""
                return found
            finally:
                self.at = self._clock.now()
