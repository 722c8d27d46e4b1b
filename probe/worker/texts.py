"""What a page says at the end of a step: its visible text, asked for without anybody waiting for it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from probe.core.run import StepText
from probe.core.secret import MASK, Redactor

if TYPE_CHECKING:
    from playwright.async_api import CDPSession

LONGEST: Final = 4000
"""Characters of a step's text that are kept, white space collapsed."""
RAW: Final = 4 * LONGEST
"""Characters that are asked for: with its white space, and a secret that is cut in two can still be told."""
MOST_STEPS: Final = 100
AT_WORK: Final = 200
"""Milliseconds after which a page that still reads is to stop."""

# `innerText` would lay out the whole page, however large: this looks at no more than it takes.
_READ: Final = """([most, masked, mask]) => {
  if (!document.body) return '';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const parts = [];
  let covered = null, length = 0;
  for (let node, looks = 0; length < most && looks < 4000 && (node = walk.nextNode()); looks++) {
    const parent = node.parentElement, text = node.data.trim();
    if (!text || !parent || !parent.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    let cover = null;
    for (const selector of masked) cover = cover || parent.closest(selector);
    if (cover && cover === covered) continue;
    covered = cover;
    parts.push(cover ? mask : text);
    length += text.length;
  }
  return parts.join('\\n').slice(0, most);
}"""


@dataclass(slots=True)
class Texts:
    """The texts of one run's steps. `group` is the run's own; `mask` are CSS selectors of what is left out."""

    group: asyncio.TaskGroup
    redactor: Redactor
    mask: tuple[str, ...] = ()
    _said: dict[str, str] = field(default_factory=dict)
    _asked: list[asyncio.Task[None]] = field(default_factory=list)

    async def ask(self, session: "CDPSession", step: str) -> None:
        """Ask for what the page says now. Waits until the question is on its way, not for the answer."""
        if len(self._asked) < MOST_STEPS:
            self._said[step] = ""  # in the order of the steps, whichever answer comes first
            self._asked.append(self.group.create_task(self._read(session, step), name=f"text of {step}"))
            await asyncio.sleep(0)

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """Ours, which nobody waits for: a check that stands still does not stand still for them."""
        return frozenset(self._asked)

    async def collect(self, limit: float) -> tuple[StepText, ...]:
        """What has come by now, or comes within `limit` seconds; what does not is given up."""
        if waiting := [task for task in self._asked if not task.done()]:
            _, late = await asyncio.wait(waiting, timeout=limit)
            for task in late:
                task.cancel()
        return tuple(StepText(step=step, text=text) for step, text in self._said.items() if text)

    async def _read(self, session: "CDPSession", step: str) -> None:
        from playwright.async_api import Error

        # Not `page.evaluate`: Playwright would first run a library of its own in every page that a step ends on.
        expression = f"({_READ})({json.dumps([RAW, self.mask, MASK])})"
        asked = {"expression": expression, "returnByValue": True, "timeout": AT_WORK}
        try:
            answer = await session.send("Runtime.evaluate", asked)
        except Error:  # the page went away
            return
        said = answer.get("result", {}).get("value")  # none, where a selector to be masked is none
        if isinstance(said, str):
            self._said[step] = shortened(said, self.redactor.text)


def shortened(said: str, clean: Callable[[str], str]) -> str:
    """A text as it is kept: without secrets, white space collapsed, cut.

    >>> shortened("  one   two ", str)
    'one two'
    """
    return " ".join(clean(said[:RAW]).split())[:LONGEST]
