"""One channel: its own queue and its own task, so that one which hangs delays no other."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from probe.core.notification import Attempt, Fate, Notification
from probe.core.outbox import Bucket, Held, Pending, Send, Withdraw, again_at, backoff, next_step, without
from probe.errors import NotifyError
from probe.ports import Clock, Notifier

log = logging.getLogger(__name__)

LOOK: Final = 10.0
"""Seconds after which what is held back is looked at again: somebody may have ended the mute."""
SHORTEST_SLEEP: Final = 0.001
"""Seconds below which waiting is not worth it: a loop waits in whole milliseconds."""
LONGEST_SLEEP: Final = 60.0
"""Seconds after which the clock is looked at again: it may have jumped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What all channels share.

    `settle` takes each attempt; `held` says until when a notification is held back; `open_for` gives the latest
    notification of each incident that is open and was told on a channel; `disabled` is called once when a channel
    refuses for good.
    """

    settle: Callable[[Attempt], None]
    held: Held
    open_for: Callable[[str], Sequence[Notification]]
    disabled: Callable[[str, str], None]
    clock: Clock
    rand: random.Random


class Channel:
    """Sends what is pending, in order, again and again until it is sent, refused or given up.

    `refusal` is why the channel is disabled: what is pending stays so until `enable`.
    """

    def __init__(self, name: str, notifier: Notifier, timeout: timedelta, bucket: Bucket, office: Office) -> None:
        self.name = name
        self.notifier = notifier
        self.timeout = timeout
        self.refusal: str | None = None
        self._office = office
        self._bucket = bucket
        self._pending: list[Pending] = []
        self._news = asyncio.Event()
        self._paused = 0.0
        self._refreshed: float | None = None
        self._failing = False
        self._draining = False
        self._removed = False

    @property
    def pending(self) -> int:
        """How many notifications wait."""
        return len(self._pending)

    def add(
        self, notifications: Iterable[Notification], tries: Mapping[str, int], again: Mapping[str, datetime]
    ) -> None:
        """Take more to send; what is here already is not taken again."""
        known = {one.notification.key for one in self._pending}
        self._pending += [
            Pending(notification=n, tries=tries.get(n.key, 0), again=again.get(n.key))
            for n in notifications
            if n.key not in known
        ]
        self.wake()

    def wake(self) -> None:
        """Look again at what is to be done."""
        self._news.set()

    def enable(self) -> None:
        """Try again, at once, after the channel was disabled."""
        self.refusal = None
        self._pending = [replace(one, again=None) for one in self._pending]
        self.wake()

    def drain(self) -> None:
        """End as soon as there is nothing that can be sent now."""
        self._draining = True
        self.wake()

    def remove(self) -> None:
        """End after the present attempt, and withdraw the rest: the channel is not configured any more."""
        self._removed = True
        self.wake()

    async def run(self) -> None:
        """Send until drained or removed."""
        loop = asyncio.get_running_loop()
        while not self._removed:
            self._news.clear()
            pause = self._paused - loop.time()
            if self.refusal is not None or pause > SHORTEST_SLEEP:
                if self._draining:
                    return
                await self._sleep(None if self.refusal is not None else pause)
                continue
            refresh = await self._refresh()
            step = next_step(self._pending, self._office.clock.now(), self._office.held, self._bucket, loop.time())
            if isinstance(step, Withdraw):
                self._withdraw(step.pending, step.why)
            elif isinstance(step, Send):
                await self._send(step.pending)
            elif self._draining:
                return
            else:
                waits = (step.seconds, refresh, LOOK if step.held else None)
                await self._sleep(min((wait for wait in waits if wait is not None), default=None))
        self._withdraw(self._pending, "the channel is not configured any more")

    async def _sleep(self, seconds: float | None) -> None:
        """Until something new comes, or so long."""
        alarm = None
        if seconds is not None:
            alarm = asyncio.get_running_loop().call_later(min(seconds, LONGEST_SLEEP), self._news.set)
        try:
            await self._news.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _send(self, chosen: Sequence[Pending]) -> None:
        loop = asyncio.get_running_loop()
        at, begun = self._office.clock.now(), loop.time()
        self._bucket = self._bucket.taken(begun)
        notifications = tuple(one.notification for one in chosen)
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                if len(notifications) == 1:
                    answer = await self.notifier.send(notifications[0])
                else:
                    answer = await self.notifier.send_digest(notifications)
        except NotifyError as error:
            failure = error
        except TimeoutError:
            failure = NotifyError(f"no answer within {self.timeout.total_seconds():g} s")
        except Exception as error:  # a bug in one notifier must not silence the others
            log.exception("a notifier has a bug", extra={"channel": self.name})
            failure = NotifyError(f"{type(error).__name__} in the notifier: {error}")
        else:
            self._pending = without(self._pending, chosen)
            self._settle(chosen, Attempt(key="", at=at, fate=Fate.SENT, answer=answer, seconds=loop.time() - begun))
            self._transition(None)
            return
        self._failed(chosen, failure, Attempt(key="", at=at, fate=Fate.FAILED, seconds=loop.time() - begun))

    def _failed(self, chosen: Sequence[Pending], error: NotifyError, attempt: Attempt) -> None:
        """Put off what was not sent, or give it up; disable the channel, if it says that it will never do."""
        now, answer = self._office.clock.now(), str(error)
        wait = backoff(min(one.tries for one in chosen) + 1, self._office.rand.random(), error.retry_after)
        if error.retry_after is not None:
            self._paused = asyncio.get_running_loop().time() + wait.total_seconds()
        self._transition(answer)
        for one in chosen:
            again = None if error.permanent else again_at(one, now, wait)
            tried = replace(one, tries=one.tries + 1, again=again)
            if error.permanent or again is not None:
                self._pending = [tried if p.notification.key == one.notification.key else p for p in self._pending]
                fate = Fate.REFUSED if error.permanent else Fate.FAILED
                self._settle((one,), replace(attempt, fate=fate, answer=answer, again=again))
            else:
                self._withdraw((one,), f"tried for too long, the last answer was: {answer}", attempt)
        if error.permanent:
            self.refusal = answer
            self._office.disabled(self.name, answer)

    def _withdraw(self, gone: Sequence[Pending], why: str, attempt: Attempt | None = None) -> None:
        gone = tuple(gone)
        self._pending = without(self._pending, gone)
        for one in gone:
            extra = {"channel": self.name, "incident": one.notification.incident, "reason": one.notification.reason}
            log.warning("a notification was withdrawn: %s", why, extra=extra)
        attempt = attempt or Attempt(key="", at=self._office.clock.now(), fate=Fate.WITHDRAWN)
        self._settle(gone, replace(attempt, fate=Fate.WITHDRAWN, answer=why))

    def _settle(self, settled: Iterable[Pending], attempt: Attempt) -> None:
        for one in settled:
            self._office.settle(replace(attempt, key=one.notification.key))

    def _transition(self, failure: str | None) -> None:
        """Say in the log that the channel fails, or works again: once, not at each attempt."""
        failing = failure is not None
        if failing and not self._failing:
            log.warning("a channel fails: %s", failure, extra={"channel": self.name})
        elif self._failing and not failing:
            log.info("a channel works again", extra={"channel": self.name})
        self._failing = failing

    async def _refresh(self) -> float | None:
        """Repeat what is still so, where the channel wants that; the seconds until it is due again."""
        repeat = self.notifier.repeat
        if repeat is None or self._draining:
            return None
        loop = asyncio.get_running_loop()
        if (
            self._refreshed is not None
            and (wait := self._refreshed + repeat.total_seconds() - loop.time()) > SHORTEST_SLEEP
        ):
            return wait
        self._refreshed = loop.time()
        still = self._office.open_for(self.name)
        if still:
            try:
                async with asyncio.timeout(self.timeout.total_seconds()):
                    await self.notifier.refresh(still)
            except (NotifyError, TimeoutError) as error:
                self._transition(str(error) or "no answer to a repetition")
            except Exception:  # a bug in one notifier must not silence the others
                log.exception("a notifier has a bug", extra={"channel": self.name})
        return max(0.0, self._refreshed + repeat.total_seconds() - loop.time())
