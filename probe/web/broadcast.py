"""What is said to all pages that are open: one task looks while anybody listens, and what changed is encoded once for all.

A page that does not keep up is let go: it comes again and gets everything. Messages: `all` (everything there is to show),
`some` (what changed), `beat` (nothing did; we are here), `trouble` (nothing can be read now), `bye` (the session has ended,
or we stop).
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from probe.errors import StoreUnavailable
from probe.view.documents import Cell, Overview
from probe.web import glance
from probe.web.cells import cell_html, cells_of, is_large

log = logging.getLogger(__name__)

EVERY: Final = 2.0
"""Seconds between two looks."""
BEAT: Final = 15.0
"""Seconds after which something is said, even if it is only that we are here."""
MOST: Final = 200
"""Pages that may listen."""
WAITING: Final = 32
"""Messages that may wait for a page."""

Message = bytes | None
MakeOverview = Callable[[], Awaitable[Overview]]


class Full(Exception):  # noqa: N818  # an answer, named as one
    """As many listen as may."""


class Broadcast:
    """Tells all who listen what changed. `run` does the work; `close` ends it for everybody at once."""

    def __init__(self, make: MakeOverview, *, every: float = EVERY, beat: float = BEAT) -> None:
        self._make, self._every, self._beat = make, every, beat
        self._listeners: set[asyncio.Queue[Message]] = set()
        self._wanted = asyncio.Event()
        self._shown: _Shown | None = None
        self._all: bytes | None = None
        self._said = 0.0
        self.closed = False

    @property
    def listeners(self) -> int:
        """How many pages listen."""
        return len(self._listeners)

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Message]]:
        """What is said from now on, everything first; `None`: it is over. `Full` when too many listen already."""
        if len(self._listeners) >= MOST:
            raise Full
        queue: asyncio.Queue[Message] = asyncio.Queue(WAITING)
        if self.closed:
            queue.put_nowait(None)
        elif self._all is not None:
            queue.put_nowait(self._all)
        self._listeners.add(queue)
        self._wanted.set()
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
            if not self._listeners:
                self._wanted.clear()
                self._shown = self._all = None  # what is old by then must not be shown

    def close(self) -> None:
        """Let everybody go."""
        self.closed = True
        self._say(encode("bye", {"why": "stop"}))
        for queue in tuple(self._listeners):
            _let_go(queue)

    async def run(self) -> None:
        """Look, and tell what changed, for as long as it is not cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            try:
                overview = await self._make()
                before = self._shown
                shown, everything, changed = await asyncio.to_thread(_told, before, overview)
                if self._listeners and before is self._shown:  # the last one may have left meanwhile
                    self._tell(shown, everything, changed)
            except StoreUnavailable as error:
                self._said = loop.time()
                self._say(encode("trouble", {"why": str(error)}))
            except Exception:  # a bug in a page must not end the daemon
                log.exception("the overview could not be made")
            if loop.time() - self._said >= self._beat and self._shown is not None:
                self._said = loop.time()
                self._say(encode("beat", {"now": self._shown.now, "alive": self._shown.alive}))
            await asyncio.sleep(self._every)

    def _tell(self, shown: "_Shown", everything: bytes, changed: bytes | None) -> None:
        first = self._shown is None
        self._shown, self._all = shown, everything
        if first:
            self._say(everything)
        elif changed is not None:
            self._say(changed)
        else:
            return
        self._said = asyncio.get_running_loop().time()

    def _say(self, message: bytes) -> None:
        for queue in tuple(self._listeners):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                _let_go(queue)
                self._listeners.discard(queue)


class _Shown:
    """An overview as it was sent: its pieces, to be compared with the next one."""

    def __init__(self, overview: Overview, before: "_Shown | None") -> None:
        self.now, self.alive = overview["now"], overview["health"]["alive"]
        self._large = is_large(overview)
        self._cells = {check: tuple(cells) for check, cells in cells_of(overview)}
        self._keys = {check: tuple(map(_key, cells)) for check, cells in self._cells.items()}
        self._verdicts = {c["check"]: c["verdict"] for t in overview["targets"] for c in t["checks"]}
        self._pieces = {
            "layout": glance.layout(overview),
            "order": glance.order(overview),
            "parts": glance.parts(overview),
            "targets": glance.targets(overview),
        }
        known = before if before is not None and before._large is self._large else None
        self._written = {check: self._write(check, keys, known) for check, keys in self._keys.items()}

    def _write(self, check: str, keys: tuple[object, ...], before: "_Shown | None") -> tuple[str, ...]:
        """The cells of a check; those that are as they were need not be written again."""
        old = () if before is None else before._keys.get(check, ())
        was = () if before is None else before._written.get(check, ())
        return tuple(
            was[i] if i < len(old) and old[i] == key else str(cell_html(cell, large=self._large, ages=False))
            for i, (key, cell) in enumerate(zip(keys, self._cells[check], strict=True))
        )

    def everything(self) -> dict[str, Any]:
        cells = {check: dict(enumerate(written)) for check, written in self._written.items()}
        return {"now": self.now, "alive": self.alive, **self._pieces, "verdicts": self._verdicts, "cells": cells}

    def since(self, before: "_Shown") -> dict[str, Any]:
        """What is otherwise than before."""
        changed: dict[str, Any] = {}
        for name in ("layout", "order"):
            if self._pieces[name] != before._pieces[name]:
                changed[name] = self._pieces[name]
        for name in ("parts", "targets"):
            if found := _changed(self._pieces[name], before._pieces[name]):
                changed[name] = found
        if found := _changed(self._verdicts, before._verdicts):
            changed["verdicts"] = found
        cells: dict[str, dict[int, str]] = {}
        for check, keys in self._keys.items():
            old = before._keys.get(check, ())
            if keys != old and len(keys) == len(old):
                cells[check] = {i: self._written[check][i] for i, key in enumerate(keys) if key != old[i]}
        return changed | ({"cells": cells} if cells else {})


def _told(before: "_Shown | None", overview: Overview) -> tuple[_Shown, bytes, bytes | None]:
    """An overview as it is sent to who comes, and to who was there already (`None`: nothing has changed). For a thread."""
    shown = _Shown(overview, before)
    changed = {} if before is None else shown.since(before)
    some = encode("some", {"now": shown.now, "alive": shown.alive, **changed}) if changed else None
    return shown, encode("all", shown.everything()), some


def _key(cell: Cell | None) -> tuple[object, ...] | None:
    return None if cell is None else (cell["state"], cell["bars"], cell["heights"], cell["at"], cell["run"])


def _changed(now: Any, before: Any) -> dict[str, Any]:
    return {name: value for name, value in now.items() if before.get(name) != value}


def encode(event: str, data: dict[str, Any]) -> bytes:
    """A message as it goes over the wire: JSON has no line breaks of its own."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _let_go(queue: asyncio.Queue[Message]) -> None:
    """The end, even where no message fits in any more."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
    queue.put_nowait(None)
