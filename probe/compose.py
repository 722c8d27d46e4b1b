"""The composition root of the one-shot command: builds everything once, from a loaded configuration."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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
async def compose(config: Config, evidence: Path | None) -> AsyncIterator[Runner]:
    """A runner for `config`, keeping evidence below `evidence`; `None`: nowhere.

    Probers, browsers and temporary files are gone when the context ends.
    """
    # A short path: Chromium's socket below it may not exceed 107 bytes.
    with TemporaryDirectory(prefix="probe-", ignore_cleanup_errors=True) as scratch:
        settings = ProberSettings(browser=config.browser, scratch=Path(scratch), secrets=config.secrets)

        def open_prober(name: str) -> AbstractAsyncContextManager[Prober]:
            try:
                factory = load("probe.probers", name)
            except ProbeError as error:
                raise ProberUnavailable(Failure.of("internal", str(error))) from error
            prober: AbstractAsyncContextManager[Prober] = factory(settings)
            return prober

        plan = Plan(
            targets=config.targets,
            redactor=Redactor(config.secrets),
            user_agent=config.user_agent or f"probe/{__version__}",
            marker_header=config.marker_header,
            evidence=evidence,
            network=config.http_concurrency,
            browser=browser_capacity(config.browser.workers),
        )
        async with open_runner(plan, open_prober) as runner:
            yield runner
