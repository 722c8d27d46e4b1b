"""One run of a user's function, from an open browser to an observation. In the worker, or in a test of the user's."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from probe.authoring.events import Event, Ordered, Tell
from probe.authoring.findings import Findings
from probe.authoring.http import HttpClient
from probe.authoring.session import CheckContext, JourneyContext
from probe.authoring.steps import Book
from probe.authoring.undo import UNDO_LIMIT, Undo
from probe.core.check import WHOLE_RUN, CheckSpec, Function
from probe.core.duration import format_duration
from probe.core.exchange import Exchange
from probe.core.explain import Party, party_of
from probe.core.failure import Failure
from probe.core.run import HostLoad, Observation, Step, StepText, Why, deciding_failure
from probe.core.target import Evidence
from probe.drill.planter import Planter
from probe.ports import RunContext
from probe.worker.awaited import Awaiting, On, awaited
from probe.worker.between import Between, due_reference, lay_beside
from probe.worker.causes import Causes, Origin
from probe.worker.cleaning import OURS
from probe.worker.evidence import Collector
from probe.worker.launch import OpenBrowser, answers
from probe.worker.names import why_not_resolved
from probe.worker.observer import Observer, Report
from probe.worker.pages import Pages
from probe.worker.queued import QueueMeter
from probe.worker.texts import Texts

PING: Final = 0.8
"""Seconds that browser and page have to answer when the deadline has struck."""
CANCEL: Final = 0.4
"""Seconds that a cancelled check has to end."""

_WAITED: Final = frozenset({"element", "page_load", "deadline", "page_error"})
HTTP_MARGIN: Final = 0.05
"""Seconds before the run's deadline at which a request gives up: it can say what it waited for."""

Body = Callable[[Any], Coroutine[Any, Any, object]]
Phases = Callable[[str], None]


@dataclass(slots=True)
class Execution:
    """One run. `tell`, `report` and `phase` hear of it while it goes on."""

    body: Body
    spec: CheckSpec
    context: RunContext
    scratch: Path
    tell: Tell
    report: Report
    phase: Phases
    browser: OpenBrowser | None = None
    retire: str = ""
    """Why the process should not be used for another run."""
    _task: asyncio.Task[None] | None = None
    _stopping: bool = False
    _ended: float = 0.0
    _waited: float | None = None
    _book: Book = field(init=False)
    _causes: Causes = field(init=False)
    _evidence: Evidence = field(init=False)
    _undo: Undo = field(init=False)
    _queue: QueueMeter = field(init=False)
    _planter: Planter | None = None
    _pages: Pages | None = None
    _http: "RunClient | None" = None
    _between: Between | None = None
    _texts: tuple[StepText, ...] = ()

    def __post_init__(self) -> None:
        work = self.spec.work
        assert isinstance(work, Function), "other work has its own prober"
        findings = Findings()
        self._evidence = self.spec.evidence.of_run(confirms=self.context.why is Why.CONFIRM)
        self._causes = Causes(origin=Origin(file=work.file, root=work.root))
        self._book = Book(
            explain=self._explain,
            findings=findings,
            tell=self._tell,
            entered=self._set_timeouts,
            ended=self._look,
            stop_before=self.spec.side_effects if self.context.spares else None,
        )
        self._undo = Undo(self._book)
        self._queue = QueueMeter(below=self.browser is not None)
        if self.context.drill is not None:
            target = self.context.target
            self._planter = Planter(
                drill=self.context.drill,
                step=lambda: self._book.current,
                own=lambda url: party_of(url, target) is Party.OWN,
            )

    async def run(self) -> Observation:
        """Prepare, run, clean up, and say what was seen.

        Raises `ProberUnavailable` or Playwright's errors when there could be no page; nothing of the user's.
        """
        async with AsyncExitStack() as stack:
            self.phase("prepare")
            if self.browser is not None:
                self._pages = Pages(
                    self.browser, self.spec, self.context, self._collector(), self._observer(), self._planter
                )
                await self._pages.open(stack)
                self._causes.observer = self._pages.observer
                self._causes.tls = self._pages.tls
                self._causes.egress = self._pages.egress
            self._http = http = await stack.enter_async_context(self._client())
            http.planter = self._planter
            session = self._session(http)
            tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
            if self.browser is None:
                http.prepare()
            reference = (
                None
                if self._pages is None
                else await due_reference(self.spec, self.context, self.scratch, self._book.note)
            )
            self.phase("journey")
            self._queue.start()
            self._book.start()
            self._set_timeouts()
            async with asyncio.TaskGroup() as group:
                if self._pages is not None and (reference is not None or not self._evidence.is_nothing):
                    texts = Texts(group, self.context.redactor, self._evidence.mask)
                    self._between = Between(self._pages, self._book, texts, self._pause, reference)
                self._task = group.create_task(self._guarded(session), name=f"check {self.spec.id}")
                await self._until_deadline(self._task, tasks)
                await self._clean_up()
                if self._between is not None:
                    self._texts = await self._between.settle(passed=not self._failed)
            self._end_leaks(tasks, threads)
            if self._pages is not None:
                await self._pages.close(failed=self._failed)
                if self._failed:
                    await lay_beside(self._pages, self._book)
                if self._pages.stuck:
                    self.retire = self.retire or "its browser did not close a page"
        return self._observation()

    def stop(self) -> None:
        """Cancel the run from outside: it still cleans up, and its observation tells how far it came."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()

    @property
    def origin(self) -> Origin:
        """Where the check's own code is."""
        return self._causes.origin

    @property
    def _failed(self) -> bool:
        return bool(self._book.failures) or self._stopping

    @property
    def _exchanges(self) -> tuple[Exchange, ...]:
        return () if self._http is None else tuple(self._http.exchanges)

    @property
    def _timeout(self) -> float:
        return self.spec.timeout.total_seconds()

    def _tell(self, event: Event) -> None:
        if self._planter is not None and isinstance(event, Ordered) and self._planter.ordered is None:
            self._planter.ordered = self._book.current or WHOLE_RUN
        self.tell(event)

    def _client(self) -> "RunClient":
        deadline = asyncio.get_running_loop().time() + self._timeout - HTTP_MARGIN
        run = self.context
        return RunClient(run.target, run.region, run.marks, self._book.findings, deadline=deadline)

    def _session(self, http: HttpClient) -> CheckContext:
        rest: dict[str, Any] = {
            "target": self.context.target,
            "region": self.context.region,
            "run": self.context.run,
            "params": self.spec.params,
            "http": http,
            "findings": self._book.findings,
            "book": self._book,
            "undo": self._undo,
        }
        return CheckContext(**rest) if self._pages is None else JourneyContext(page=self._pages.page, **rest)

    def _observer(self) -> Observer:
        return Observer(
            target=self.context.target,
            step=lambda: self._book.current,
            report=self.report,
            clean=self.context.redactor.text,
            lean=self._evidence.is_nothing,
        )

    def _collector(self) -> Collector:
        return Collector(
            policy=self._evidence,
            scratch=self.scratch,
            kept=self.context.evidence_dir,
            redactor=self.context.redactor,
            note=self._book.note,
        )

    async def _look(self, step: Step) -> None:
        if self._between is not None:
            await self._between.ended(step)

    def _pause(self, seconds: float) -> None:
        self._book.pause(seconds)
        if self._http is not None:
            self._http.pause(seconds)

    def _explain(self, error: BaseException, step: str | None, since: float) -> tuple[Failure, ...]:
        if self.browser is not None:
            self._causes.browser_alive = self.browser.alive
        return self._causes.explain(error, step, since)

    def _set_timeouts(self) -> None:
        if self._pages is not None:
            self._pages.set_timeouts(self._book.started + self._timeout - time.monotonic())

    async def _guarded(self, session: CheckContext) -> None:
        """The user's function, with everything it may raise turned into the book's failures."""
        book = self._book
        try:
            await self.body(session)
            book.fail(book.findings.take())
        except asyncio.CancelledError as cancelled:
            if book.stopped or self._stopping:
                # A step that the cancellation met has noted the reason already.
                book.fail(f for f in (*book.findings.take(), *book.stopped) if not _noted(f, book))
            else:
                book.settle(cancelled)
        except BaseException as error:  # noqa: BLE001  # also SystemExit: whatever the user's code raises ends its run only
            book.settle(error)
        finally:
            self._note_end()

    def _note_end(self) -> None:
        """The measured part is over: what comes now is ours."""
        self._ended = time.monotonic()
        self._waited = self._queue.longest()

    async def _until_deadline(self, task: asyncio.Task[None], before: set[asyncio.Task[Any]]) -> None:
        while not task.done():
            left = self._book.started + self._timeout - time.monotonic()
            if left <= 0 and (self._between is None or not self._between.looking):
                break
            await asyncio.wait({task}, timeout=max(left, 0.02))  # meanwhile the clock may have stood still
        if not task.done():
            self._note_end()
            ours = frozenset() if self._between is None else self._between.texts.tasks
            await self._overdue(task, awaited(task, asyncio.all_tasks() - before - ours, self._causes.origin))
        elif self._failed:
            if not task.cancelled():
                await self._ask_again()
            await self._picture()

    async def _overdue(self, task: asyncio.Task[None], waits: Awaiting) -> None:
        self._book.stopped = await self._judge(waits)
        if not any(f.kind in ("page_unresponsive", "page_crashed") for f in self._book.stopped):
            await self._picture(limit=0.6)
        self.retire = "a run went past its deadline"
        for _ in range(4):
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL / 4)
            if task.done():
                return
        self._book.fail(f for f in self._book.stopped if not _noted(f, self._book))
        self._book.note("the check's code went on after it was cancelled")

    async def _judge(self, waits: Awaiting) -> tuple[Failure, ...]:
        """What the deadline means, by what was awaited and by who still answers."""
        limit, step = format_duration(self._timeout), self._book.current
        at = f" at {waits.line}" if waits.line else ""
        if waits.on is On.OWN:
            words = f"the check's own code did not end within {limit}: it waits for {waits.words}{at}"
            return (Failure.of("check_blocked", words, step=step),)
        if waits.on is On.HTTP or self._pages is None or self.browser is None:
            return (
                Failure.of("deadline", f"the run did not end within {limit}: no answer over HTTP yet{at}", step=step),
            )
        if self._pages.observer.crashed:
            return (Failure.of("page_crashed", step=step),)
        dead = await self._dead(f"{waits.words}{at}", step)
        if dead is not None:
            return (dead,)
        words = f"the run did not end within {limit}: it waits for {waits.words}{at}"
        return self._pages.explain(Failure.of("deadline", words, step=step), self._book.started, step)

    async def _dead(self, waits: str, step: str | None) -> Failure | None:
        """What is wrong when browser or page no longer answer; `None` when both do."""
        if self._pages is None or self.browser is None:
            return None
        if self._pages.observer.crashed:
            return Failure.of("page_crashed", f"the page crashed ({waits})", step=step)
        async with asyncio.TaskGroup() as group:
            browser = group.create_task(self.browser.ping(PING), name="ping browser")
            page = group.create_task(answers(self._pages.page.evaluate(OURS + "1"), PING), name="ping page")
        if not browser.result():
            self._pages.stuck = True
            return Failure.of("browser_unresponsive" if self.browser.alive else "browser_died", step=step)
        if not page.result() and not self._pages.page.is_closed():
            words = f"the page does not respond: its script never yields ({waits})"
            return Failure.of("page_unresponsive", words, step=step)
        return None

    async def _ask_again(self) -> None:
        """Something in the page did not come in time: was it the page, or does nobody answer there at all?"""
        decider = deciding_failure(tuple(self._book.failures))
        reason: Failure | None = None
        if decider is not None and decider.kind in _WAITED:
            reason = await self._dead(decider.message, decider.step)
        elif (
            decider is not None
            and decider.kind == "name_not_found"
            and self._pages is not None
            and self._pages.egress is None
        ):
            reason = await why_not_resolved(decider)
        if decider is not None and reason is not None:
            self._book.amend(decider, reason)

    async def _picture(self, limit: float | None = None) -> None:
        if self._pages is not None and self.browser is not None and self.browser.alive and not self._pages.stuck:
            await self._pages.picture(failed=self._failed or bool(self._book.stopped), limit=limit)

    async def _clean_up(self) -> None:
        if self._planter is not None:
            self._planter.undoing = True
        if self._undo.planned:
            self.phase("undo")
            if self._http is not None:
                self._http.extend(UNDO_LIMIT)
            await self._undo.run()
        self.phase("close")

    def _end_leaks(self, tasks: set[asyncio.Task[Any]], threads: set[threading.Thread]) -> None:
        """Cancel tasks that the check has left running; a thread cannot be ended, so its process must go."""
        left = [t for t in asyncio.all_tasks() - tasks if not t.done() and not _is_machinery(t)]
        for task in left:
            task.cancel()
        if left:
            self._book.note(
                f"the check left {len(left)} task(s) running: {', '.join(sorted(t.get_name() for t in left))}"
            )
        alive = [t for t in threading.enumerate() if t not in threads and not t.name.startswith(_OUR_THREADS)]
        if alive:
            self._book.note(
                f"the check left {len(alive)} thread(s) running: {', '.join(sorted(t.name for t in alive))}"
            )
            self.retire = self.retire or "a check left a thread running"

    def _observation(self) -> Observation:
        book, pages = self._book, self._pages
        return Observation(
            failures=tuple(book.failures),
            steps=book.close(self.spec.steps),
            exchanges=self._exchanges,
            vitals=() if pages is None else tuple(pages.observer.vitals.values()),
            failed_requests=() if pages is None else tuple(pages.observer.failed),
            third_parties=() if pages is None else pages.observer.third_parties(),
            console=() if pages is None else tuple(pages.observer.console),
            artifacts=() if pages is None else tuple(pages.collector.artifacts),
            orders=tuple(book.orders),
            undone=tuple(book.undone),
            host=HostLoad(waited=self._waited),
            log=tuple(book.log),
            duration=self._ended - book.started,
            trace_id=self.context.marks.trace_id,
            stopped_before=book.stopped_before,
            drill=None if self._planter is None else self._planter.notes(),
            documents=() if pages is None else pages.documents,
            scripts=() if pages is None else pages.scripts,
            texts=self._texts,
        )


class RunClient(HttpClient):
    """The HTTP client of a run, whose clean-up may go on after the deadline."""

    def extend(self, more: float) -> None:
        """Let requests last until `more` seconds from now."""
        self._deadline = max(self._deadline, asyncio.get_running_loop().time() + more)

    def pause(self, seconds: float) -> None:
        """Put the deadline off by as long as the run's clock stood still."""
        self._deadline += seconds


_OUR_THREADS: Final = ("asyncio_", "waitpid-", "ThreadPoolExecutor", "probe")


def _is_machinery(task: asyncio.Task[Any]) -> bool:
    """Whether a task is Playwright's, aiohttp's or ours (the egress), which end by themselves, and not the check's."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and any(place in code.co_filename for place in _MACHINERY)


_MACHINERY: Final = (
    "/playwright/_impl/",
    "/site-packages/aiohttp/",
    f"{Path(__file__).parents[1] / 'net'}/",
    f"{Path(__file__).parent}/planted.py",
)


def _noted(failure: Failure, book: Book) -> bool:
    return any(f.kind == failure.kind and f.message == failure.message for f in book.failures)
