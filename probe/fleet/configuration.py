"""What a node runs: the configuration that the fleet has published, as it was last accepted here.

It is kept on disk, so that a node that starts while it is cut off runs what it ran. One that cannot be used here (a
secret that is not in the environment, a file that is not on this machine) is refused, and the old one stays.
"""

import asyncio
import logging
import shutil
import tomllib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import tomli_w

from probe.config.accepted import ACCEPTED, CONFIG
from probe.config.publish import merged
from probe.config.settings import Config
from probe.core.rules import Rules
from probe.errors import ProbeError, StoreUnavailable
from probe.fleet.bundle import PUBLISHED, Bundle, lay_out, write
from probe.loader import LoadedChecks

log = logging.getLogger(__name__)

WAITS: Final = (1.0, 2.0, 5.0)
"""Seconds between two tries to get a first configuration; the last of them for ever after."""

Fetch = Callable[[], Awaitable[tuple[str, Bundle] | None]]
"""Gives what is to be run now, with its hash; `None`: nothing was published yet."""


class Configuration:
    """What this node runs. `local` is what its own file says; `folder` is where published ones are kept.

    `hash` is that of the one in use, "" before the first; `trouble` says why a newer one is not. `rules` are what is judged
    by, with their hash: those of the newer one even so, as far as they can be read (`glance`). A missing password keeps a
    node from probing, not from judging.
    """

    def __init__(
        self,
        local: Config,
        folder: Path,
        read: Callable[[Path], LoadedChecks],
        glance: Callable[[Path], Rules | None],
        fetch: Fetch,
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self.hash = ""
        self.trouble = ""
        self.rules: tuple[str, Rules] = ("", Rules())
        self.local = local
        self._refused = ""
        self._glance = glance
        self._folder = folder
        self._read = read
        self._fetch = fetch
        self._waits = waits

    async def first(self, own: tuple[str, Bundle] | None) -> LoadedChecks:
        """What the fleet has published; what was accepted last, when the database cannot be reached; else wait for either.

        `own` is what this node would publish itself: better than to wait. `ProbeError` when there is nothing to go on with.
        """
        tries, said = 0, ""
        while True:
            trouble = "nothing was published yet: run `probe run` or `probe fleet publish` where the fleet is judged"
            error: ProbeError | None = None
            found = None
            try:
                if (found := await self._fetch()) is not None:
                    return await self._accept(*found)
            except ProbeError as raised:
                error, trouble = raised, str(raised)
                if not isinstance(raised, StoreUnavailable) and found is not None:
                    await self._refuse(found[0], raised)
            if (loaded := await self._known()) is not None:
                log.warning("going on with what was accepted last: %s", trouble, extra={"config": self.hash})
                return loaded
            if error is not None and (not isinstance(error, StoreUnavailable) or error.lasting):
                raise error
            if error is not None and own is not None:
                log.warning("going on with what this node says itself: %s", trouble)
                return await self._accept(*own)
            if trouble != said:
                log.warning("waiting for a configuration: %s", trouble)
                said = trouble
            await asyncio.sleep(self._waits[min(tries, len(self._waits) - 1)])
            tries += 1

    async def again(self, *, asked: bool) -> LoadedChecks | None:
        """What is published now, when it is another one than that in use; `None`: there is nothing new, or it was refused.

        One that was refused is tried again when somebody `asked`. `StoreUnavailable` when the database cannot be asked.
        """
        found = await self._fetch()
        if found is None or found[0] == self.hash:
            self.trouble = self._refused = ""
            return None
        if found[0] == self._refused and not asked:
            return None
        try:
            return await self._accept(*found)
        except ProbeError as error:
            await self._refuse(found[0], error)
            return None

    async def same(self) -> LoadedChecks:
        """What is in use, read again: what this node says for itself may have changed. `ProbeError` when it cannot be used."""
        return await asyncio.to_thread(self._load, self.hash)

    async def _accept(self, hash: str, bundle: Bundle) -> LoadedChecks:
        loaded = await asyncio.to_thread(self._lay_out, hash, bundle)
        self.hash, self.trouble, self._refused, self.rules = hash, "", "", (hash, loaded.rules)
        log.info("running the published configuration", extra={"config": hash})
        return loaded

    async def _refuse(self, hash: str, error: ProbeError) -> None:
        self._refused = hash
        self.trouble = f"the configuration {hash} cannot be used here: {error}"
        log.error("%s; %s stays in use", self.trouble, self.hash or "what was accepted before")
        rules = await asyncio.to_thread(self._glance, self._folder / hash / CONFIG)
        if rules is not None:
            self.rules = (hash, rules)

    def _lay_out(self, hash: str, bundle: Bundle) -> LoadedChecks:
        """On disk, read, and noted as the one in use."""
        lay_out(bundle, self._folder / hash)
        loaded = self._load(hash)
        try:
            write(self._folder / ACCEPTED, hash)
        except OSError as error:
            raise ProbeError(f"it cannot be noted in {self._folder} what is in use: {error.strerror}") from error
        for old in self._folder.iterdir():
            if old.is_dir() and old.name not in {hash, self.hash}:
                shutil.rmtree(old, ignore_errors=True)
        return loaded

    def _load(self, hash: str) -> LoadedChecks:
        """What was published, with what this node says for itself, as it says it now. `ProbeError` when it cannot be used."""
        folder = self._folder / hash
        try:
            published = tomllib.loads((folder / PUBLISHED).read_text(encoding="utf-8"))
            write(folder / CONFIG, tomli_w.dumps(merged(published, self.local)))
        except (OSError, ValueError) as error:
            raise ProbeError(f"the configuration in {folder} cannot be read, or not be kept: {error}") from error
        return self._read(folder / CONFIG)

    async def _known(self) -> LoadedChecks | None:
        """The one that was accepted last; `None`: there is none that can be read."""

        def read() -> tuple[str, LoadedChecks] | None:
            with suppress(OSError):
                known = (self._folder / ACCEPTED).read_text(encoding="utf-8")
                return known, self._load(known)
            return None

        try:
            found = await asyncio.to_thread(read)
        except ProbeError as error:
            log.error("what was accepted last cannot be used any more: %s", error)  # noqa: TRY400  # a user's mistake
            return None
        if found is None:
            return None
        self.hash, loaded = found
        if not self._refused or not self.rules[0]:
            self.rules = (self.hash, loaded.rules)
        return loaded
