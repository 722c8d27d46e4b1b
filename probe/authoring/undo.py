"""Clean-up that runs however the run ended: `t.undo(...)`."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from probe.authoring.steps import Book

UNDO_LIMIT: Final = 5.0
"""Seconds that all clean-up functions of a run have together."""


@dataclass(slots=True)
class Undo:
    """The clean-up functions of one run, run last first."""

    book: Book
    planned: list[tuple[str, Callable[[], Any]]] = field(default_factory=list)

    def add(self, session: object, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Register a function; one that needs exactly one argument and is given none gets `session`.

        `TypeError` when it cannot be called like this, at once rather than when it is too late.
        """
        name = getattr(function, "__name__", None) or type(function).__name__
        try:
            signature = inspect.signature(function)
        except ValueError:  # some functions written in C tell nothing
            call = partial(function, *args, **kwargs)
        else:
            if not args and not kwargs and _needs_one(signature):
                args = (session,)
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"t.undo({name}, ...): {error}") from None
            call = partial(function, *args, **kwargs)
        self.planned.append((name, call))
        self.book.planned(name)

    async def run(self) -> None:
        """Run them all within `UNDO_LIMIT`. One that fails is a line in the log, and never changes the outcome."""
        try:
            async with asyncio.timeout(UNDO_LIMIT):
                while self.planned:
                    name, call = self.planned.pop()
                    await self._run_one(name, call)
        except TimeoutError:
            left = f"; not begun: {', '.join(n for n, _ in reversed(self.planned))}" if self.planned else ""
            self.book.note(f"undo did not end within {UNDO_LIMIT:.0f} s and was given up{left}")
            self.planned.clear()

    async def _run_one(self, name: str, call: Callable[[], Any]) -> None:
        try:
            result = call()
            if isinstance(result, Awaitable):
                await result
        except Exception as error:  # noqa: BLE001  # the user's clean-up: whatever it raises, the others must still run
            self.book.note(f"undo {name} failed: {type(error).__name__}: {error}")
        else:
            self.book.undo_ran(name)


def _needs_one(signature: inspect.Signature) -> bool:
    required = [
        p
        for p in signature.parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    return len(required) == 1 and required[0].kind is not inspect.Parameter.KEYWORD_ONLY
