"""Builds what runs checks, from a loaded configuration: for the one-shot command, and for the daemon."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from probe import __version__
from probe.config.settings import Config
from probe.core.failure import Failure
from probe.core.secret import Redactor
from probe.engine.capacity import browser_capacity
from probe.engine.runner import Plan, Runner, open_runner
from probe.errors import ProbeError, ProberUnavailable
from probe.ports import Prober, ProberSettings
from probe.registry import load


@asynccontextmanager
async def compose(
    config: Config, evidence: Path | None, *, keep_evidence: Callable[[], bool] = lambda: True
) -> AsyncIterator[Runner]:
    """A runner for `config`, keeping evidence below `evidence`; `None`: nowhere. `keep_evidence` is asked for each run.

    Probers, browsers and temporary files are gone when the context ends.
    """
    # A short path: Chromium's socket below it may not exceed 107 bytes.
    scratch = Path(await asyncio.to_thread(mkdtemp, prefix="probe-"))
    settings = ProberSettings(browser=config.browser, scratch=scratch, secrets=config.secrets)

    @asynccontextmanager
    async def open_prober(name: str) -> AsyncIterator[Prober]:
        try:
            factory = await asyncio.to_thread(load, "probe.probers", name)  # an import takes its time
        except ProbeError as error:
            raise ProberUnavailable(Failure.of("internal", str(error))) from error
        async with factory(settings) as prober:
            yield prober

    try:
        plan = Plan(
            targets={**config.targets, **config.control_targets},
            redactor=Redactor(config.secrets),
            user_agent=config.user_agent or f"probe/{__version__}",
            marker_header=config.marker_header,
            evidence=evidence,
            keep_evidence=keep_evidence,
            network=config.http_concurrency,
            browser=browser_capacity(config.browser.workers),
        )
        async with open_runner(plan, open_prober) as runner:
            yield runner
    finally:
        await asyncio.to_thread(rmtree, scratch, ignore_errors=True)
