"""Sends a test message to channels, and shows what came of it."""

import asyncio
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from probe.cli.document import print_document
from probe.cli.table import console
from probe.core.duration import format_duration
from probe.core.incident import IncidentId, Verdict
from probe.core.notification import Message, Notification, Reason
from probe.core.rules import Severity
from probe.core.secret import Redactor
from probe.errors import NotifyError, ProbeError
from probe.ports import ChannelSettings, NotifierFactory
from probe.registry import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one channel did with the test message. `answer` is what its service said, or what went wrong."""

    channel: str
    kind: str
    ok: bool
    answer: str
    seconds: float


async def try_all(channels: Iterable[ChannelSettings], redactor: Redactor) -> tuple[Trial, ...]:
    """Send to all of them at once; the answers come in their order."""
    now = datetime.now(UTC)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_try(c, redactor, now), name=f"test channel {c.name}") for c in channels]
    return tuple(task.result() for task in tasks)


async def _try(channel: ChannelSettings, redactor: Redactor, now: datetime) -> Trial:
    begun, ok = time.monotonic(), False
    try:
        factory: NotifierFactory = await asyncio.to_thread(load, "probe.notifiers", channel.kind)
        async with factory(channel, redactor) as notifier:
            begun = time.monotonic()  # the import of a library is not the service's time
            async with asyncio.timeout(channel.timeout.total_seconds()):
                answer = await notifier.send(trial_message(channel.name, now))
            ok = True
    except TimeoutError:
        answer = f"no answer within {format_duration(channel.timeout)}"
    except NotifyError as error:
        later = "it may work later" if not error.permanent else "it will not work before it is set right"
        answer = f"{error} ({later})"
    except ProbeError as error:
        answer = str(error)
    return Trial(
        channel=channel.name,
        kind=channel.kind,
        ok=ok,
        answer=redactor.text(answer),
        seconds=time.monotonic() - begun,
    )


def trial_message(channel: str, now: datetime) -> Notification:
    """A notification that says that it is a test, and from where. Each is a new one to the service."""
    host = socket.gethostname()
    return Notification(
        key=f"test:{channel}:{now:%Y%m%d-%H%M%S-%f}",
        channel=channel,
        incident=IncidentId(f"test-{now:%Y%m%d-%H%M%S}"),
        reason=Reason.TEST,
        number=1,
        created=now,
        message=Message(
            title=f"TEST: probe on {host} reaches this channel",
            body=f"Nothing is wrong. Somebody ran `probe notify test` on {host} at {now:%Y-%m-%d %H:%M:%S} UTC,\n"
            f"to see whether alerts of channel {channel!r} arrive here. They do.",
            verdict=Verdict.OK,
            severity=Severity.TICKET,
            since=now,
            cause="test",
            reproduce=f"probe notify test {channel}",
        ),
    )


def print_trials(trials: Sequence[Trial]) -> None:
    """A row for each channel, and what its service said in full."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("channel", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("answer", overflow="fold")
    for trial in trials:
        mark = Text("✓ ", "green") if trial.ok else Text("✗ ", "bold red")
        table.add_row(
            Text.assemble(mark, (trial.channel, "bold")),
            trial.kind,
            format_duration(trial.seconds),
            Text(trial.answer, "" if trial.ok else "red"),
        )
    screen = console()
    screen.print(table)
    failed = sum(not trial.ok for trial in trials)
    if failed:
        screen.print(f"\n{failed} of {len(trials)} did not take it", soft_wrap=True)


def trials_as_json(trials: Sequence[Trial], code: int) -> None:
    """The same as one document (docs/json.md)."""
    channels = [
        {"channel": t.channel, "kind": t.kind, "ok": t.ok, "answer": t.answer, "seconds": round(t.seconds, 4)}
        for t in trials
    ]
    print_document(code, {"channels": channels})
