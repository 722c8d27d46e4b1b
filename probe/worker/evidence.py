"""Evidence: written into the worker's scratch folder, redacted there, and only then moved to where it is kept."""

import asyncio
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from probe.core.run import Artifact, ConsoleLine
from probe.core.secret import Redactor
from probe.core.target import Evidence, EvidencePolicy
from probe.worker.cleaning import cleaned, cleaned_body, cleaned_lines
from probe.worker.har import har_of
from probe.worker.observer import Observer
from probe.worker.reference import attach
from probe.worker.screenshot import take_screenshot

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

SCREENSHOT_LIMIT: Final = 1.5
TRACE_LIMIT: Final = 10.0


@dataclass(slots=True)
class Collector:
    """The evidence of one run. `scratch` is the run's own folder; `kept` where artifacts go, `None`: nowhere."""

    policy: Evidence
    scratch: Path
    kept: Path | None
    redactor: Redactor
    note: Callable[[str], None]
    artifacts: list[Artifact] = field(default_factory=list)
    _tracing: bool = False
    _pictured: bool = False

    def wants(self, policy: EvidencePolicy, *, failed: bool) -> bool:
        """Whether a piece of evidence with this policy is kept of a run that ended like this."""
        if self.kept is None or policy is EvidencePolicy.OFF:
            return False
        return failed or policy is EvidencePolicy.ON

    def context_options(self) -> dict[str, Any]:
        """What a new browser context needs to know for it: only bodies are worth the price of Playwright's own HAR."""
        if self.kept is None or self.policy.har is EvidencePolicy.OFF or not self.policy.har_bodies:
            return {}
        return {"record_har_path": str(self.scratch / "full.har"), "record_har_content": "embed"}

    async def begin(self, context: "BrowserContext") -> None:
        """Start what must record from the beginning."""
        if self.kept is not None and self.policy.trace is not EvidencePolicy.OFF:
            # The film strip shows pixels that nobody can redact: none of it where there is something to hide. What is
            # masked in pictures would be in the snapshots of the page, too.
            mask = self.policy.mask
            await context.tracing.start(
                screenshots=not self.redactor.values and not mask, snapshots=not mask, sources=False
            )
            self._tracing = True

    async def picture(self, page: "Page", *, failed: bool, limit: float = SCREENSHOT_LIMIT) -> None:
        """Take the screenshot, once: at the moment of failure, before anything is cancelled or undone."""
        if self._pictured or not self.wants(self.policy.screenshot, failed=failed):
            return
        self._pictured = True
        path = self.scratch / "screenshot.png"
        why = await take_screenshot(page, path, self.redactor, limit, self.policy.mask)
        if why is None:
            await self._keep("screenshot", path)
        else:
            self.note(f"no screenshot: {why}")

    async def refer(self, folder: Path | None, number: int, step: str) -> None:
        """Lay beside the screenshot, if there is one, how the step looked when all was well: the run's `number`th."""
        if folder is None or self.kept is None or not any(a.kind == "screenshot" for a in self.artifacts):
            return
        try:
            found = await asyncio.to_thread(attach, folder, number, step, self.kept)
        except OSError as error:
            self.note(f"the reference picture could not be kept: {_short(error)}")
            return
        if found is not None:
            self.artifacts.append(found)

    async def end_trace(self, context: "BrowserContext", *, failed: bool) -> None:
        """End the trace, and keep it redacted when the policy says so."""
        from playwright.async_api import Error

        if not self._tracing:
            return
        self._tracing = False
        wanted = self.wants(self.policy.trace, failed=failed)
        raw = self.scratch / "raw-trace.zip"
        try:
            async with asyncio.timeout(TRACE_LIMIT):
                await (context.tracing.stop(path=raw) if wanted else context.tracing.stop())
        except (Error, TimeoutError, OSError) as error:
            self.note(f"no trace: {_short(error)}")
            return
        if wanted:
            await asyncio.to_thread(redact_zip, raw, self.scratch / "trace.zip", self.redactor)
            await self._keep("trace", self.scratch / "trace.zip")

    async def write_har(self, observer: Observer, *, failed: bool) -> None:
        """Write the HAR: Playwright's when bodies were asked for and it was closed properly, else our own."""
        if not self.wants(self.policy.har, failed=failed):
            return
        await asyncio.to_thread(self._har, observer)
        await self._keep("har", self.scratch / "network.har")

    def _har(self, observer: Observer) -> None:
        full = self.scratch / "full.har"
        try:
            har = json.loads(full.read_bytes())
        except (OSError, ValueError):
            har = har_of(list(observer.requests.values()), time.monotonic())
        text = json.dumps(cleaned(har), ensure_ascii=False, separators=(",", ":"))
        (self.scratch / "network.har").write_bytes(self.redactor.data(_whole(text)))

    async def write_console(self, lines: tuple[ConsoleLine, ...], *, failed: bool) -> None:
        """Write the console's lines, when there are any."""
        if not lines or not self.wants(self.policy.console, failed=failed):
            return
        path = self.scratch / "console.log"
        text = "".join(f"[{line.step or '-'}] {line.level}: {line.text} ({line.url})\n" for line in lines)
        await asyncio.to_thread(path.write_bytes, self.redactor.data(_whole(text)))
        await self._keep("console", path)

    async def _keep(self, kind: str, path: Path) -> None:
        assert self.kept is not None, "wants() is asked first"
        try:
            self.artifacts.append(await asyncio.to_thread(_move, kind, path, self.kept))
        except OSError as error:
            self.note(f"the {kind} could not be kept: {_short(error)}")


def _move(kind: str, path: Path, folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / path.name
    part = folder / f".{path.name}.part"
    shutil.move(path, part)
    part.replace(kept)
    return Artifact(kind=kind, path=str(kept), size=kept.stat().st_size)


def redact_zip(source: Path, target: Path, redactor: Redactor) -> None:
    """Copy a trace with every secret taken out of every entry, and what is told by its name (worker/cleaning.py)."""
    with zipfile.ZipFile(source) as raw, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as clean:
        for entry in raw.infolist():
            data = raw.read(entry)
            if entry.filename.endswith((".trace", ".network", ".stacks")):
                data = cleaned_lines(data)
            else:
                data = cleaned_body(entry.filename, data)
            clean.writestr(entry.filename, redactor.data(data))
    source.unlink()


def _whole(text: str) -> bytes:
    """A text as bytes: half a character, which a script of a page can make, becomes a question mark."""
    return text.encode("utf-8", "replace")


def _short(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return text or ("not in time" if isinstance(error, TimeoutError) else type(error).__name__)
