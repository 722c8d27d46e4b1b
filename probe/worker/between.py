"""What is looked at between two steps of a journey. Nothing of it counts as the journey's time.

The text of the page is asked for, and nobody waits for the answer. Where new reference pictures are due, the page is
held still for one: for as long as that takes the clock of the run stands still (`Book.pause`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from probe.authoring.steps import Book
from probe.core.check import CheckSpec
from probe.core.run import Step, StepOutcome, StepText, deciding_failure
from probe.core.target import EvidencePolicy
from probe.ports import RunContext
from probe.worker.pages import Pages
from probe.worker.reference import Reference, is_due
from probe.worker.texts import Texts

PATIENT: Final = 0.3
"""Seconds that a text which was asked for may still take when the run is over."""
LATE: Final = 0.1


@dataclass(slots=True)
class Between:
    """Looks at the pages of one run when its steps end."""

    pages: Pages
    book: Book
    texts: Texts
    pause: Callable[[float], None]
    """Told how long the clock of the run is to have stood still, in seconds."""
    reference: Reference | None = None
    """What takes new pictures, where they are due."""
    looking: bool = False
    """Whether the clock of the run stands still just now."""

    async def ended(self, step: Step) -> None:
        """A step has ended, and its time was taken."""
        page = self.pages.front
        if page is None:
            return
        session = self.pages.session_of(page)
        if session is not None:
            await self.texts.ask(session, step.name)
        if self.reference is not None and step.outcome is StepOutcome.PASSED:
            self.looking = True
            try:
                self.pause(await self.reference.take(page, len(self.book.steps), step.name))
            finally:
                self.looking = False

    async def settle(self, *, passed: bool) -> tuple[StepText, ...]:
        """The texts of the steps, once the last has ended; the pictures of a whole run that passed are kept.

        Past the deadline there is no time to wait for what has not come.
        """
        texts = await self.texts.collect(LATE if self.book.stopped else PATIENT)
        if self.reference is not None and passed and self.book.stopped_before is None:
            await self.reference.keep()
        return texts


async def due_reference(
    spec: CheckSpec, run: RunContext, scratch: Path, note: Callable[[str], None]
) -> Reference | None:
    """What takes new pictures of how the steps look; `None`: they are not due, or this run cannot show it."""
    folder, kept = run.reference_dir, spec.evidence
    if folder is None or kept.reference is None or kept.screenshot is EvidencePolicy.OFF:
        return None
    if run.drill is not None or run.spares or not await asyncio.to_thread(is_due, folder, kept.reference):
        return None
    return Reference(folder, scratch, run.redactor, note, kept.mask)


async def lay_beside(pages: Pages, book: Book) -> None:
    """Lay beside the picture of a failure how its step looks when all is well."""
    at = failing_step(book)
    if at is not None:
        await pages.collector.refer(pages.run.reference_dir, *at)


def failing_step(book: Book) -> tuple[int, str] | None:
    """Number (from 1) and name of the step that decided that the run failed; `None`: it failed in none."""
    failure = deciding_failure(tuple(book.failures))
    names = [step.name for step in book.steps]
    if failure is None or failure.step not in names:
        return None
    return names.index(failure.step) + 1, failure.step
