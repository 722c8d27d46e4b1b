"""One reading of the configuration and the runner made of it: in use until the next one, and until its last run ended."""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from probe.compose import compose
from probe.config.settings import Config
from probe.core.access import Access
from probe.core.fault import Drill
from probe.core.rules import Rules
from probe.core.run import Run, Slot, Why
from probe.core.secret import Redactor
from probe.engine.runner import SILENT, Job, Runner, Watch, jobs_of
from probe.errors import ProbeError
from probe.loader import LoadedChecks


class Generation:
    """What the daemon works with between two reloads. `unscheduled` are the control checks."""

    def __init__(self, loaded: LoadedChecks, runner: Runner, hash: str) -> None:
        self.config: Config = loaded.config
        self.rules: Rules = loaded.rules
        self.hash = hash
        self.redactor = Redactor(loaded.config.secrets)
        self.checks = {spec.id: spec for spec in loaded.checks}
        self.restricted = frozenset(spec.id for spec in loaded.checks if spec.evidence.access is Access.OPERATOR)
        self.jobs = jobs_of(loaded.checks, loaded.config.regions)
        self.unscheduled = tuple(
            Job(spec, region)
            for region in loaded.config.regions
            if (spec := loaded.config.controls.get(region.name)) is not None
        )
        self._runner = runner
        self._running = 0
        self._retired = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def control(self, region: str) -> Job | None:
        """The control job of a region; `None`: it has none."""
        return next((job for job in self.unscheduled if job.region.name == region), None)

    async def run(
        self,
        job: Job,
        why: Why,
        *,
        slot: Slot | None = None,
        due: float | None = None,
        watch: Watch = SILENT,
        drill: Drill | None = None,
    ) -> Run:
        """Make one run of it, as `Runner.run` does."""
        self._running += 1
        self._idle.clear()
        try:
            return await self._runner.run(job, why, slot=slot, due=due, watch=watch, drill=drill)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    def retire(self) -> None:
        """No run of it begins any more: what it holds is let go when the last has ended."""
        self._retired.set()

    async def ended(self) -> None:
        """Wait until it was retired, and its last run has ended."""
        await self._retired.wait()
        await self._idle.wait()


async def keep(loaded: LoadedChecks, keep_evidence: Callable[[], bool], ready: "asyncio.Future[Generation]") -> None:
    """Make a generation, hand it over by `ready`, and hold its browsers and connections until it has ended.

    `ready` gets a `ProbeError` when there is no room for it here (a full disk); who does not wait any more gets nothing.
    """
    try:
        async with compose(loaded.config, loaded.config.evidence_dir, keep_evidence=keep_evidence) as runner:
            generation = Generation(loaded, runner, await asyncio.to_thread(hash_of, loaded))
            if not ready.done():
                ready.set_result(generation)
                await generation.ended()
    except OSError as error:
        if ready.done():
            raise
        ready.set_exception(ProbeError(f"what the configuration needs cannot be made here: {error}"))


def hash_of(loaded: LoadedChecks) -> str:
    """A short hash of all files that a configuration was read from: of two nodes with the same one, both run the same."""
    files = {str(loaded.config.path), *(check.source.file for check in loaded.checks)}
    whole = sha256()
    for file in sorted(files):
        path = Path(file)
        whole.update(path.read_bytes() if path.exists() else b"")
    return whole.hexdigest()[:12]
