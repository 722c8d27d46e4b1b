"""What the commands that look at what is stored have in common: where it is, and how trouble is told."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

from probe.cli.document import print_document
from probe.cli.exits import Exit, stop
from probe.config.findings import has_errors
from probe.config.load import read_config
from probe.config.settings import Config
from probe.core.duration import parse_duration
from probe.core.secret import Redactor
from probe.errors import ConfigError, ProbeError
from probe.store.reader import Reader, open_reader

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call of a command: the configuration as far as it can be read, whether JSON is wanted, and when it is."""

    config: Config
    json: bool
    now: datetime

    def clean(self, value: T) -> T:
        """What was stored or answered, without any secret of the configuration."""
        return Redactor(self.config.secrets).structure(value)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """What is stored: by this node, or by the fleet that it belongs to. `StoreUnavailable` when it cannot be read.

        An agent may not read what its fleet has stored, wherever it lies: of it there is what it remembers itself.
        """
        url, fleet = self.config.database, self.config.fleet
        if url is not None and (fleet is None or fleet.judges):
            from probe.fleet.read import open_fleet

            with open_fleet(url) as reader:
                yield reader
            return
        if fleet is not None:
            typer.echo(
                f"{fleet.node} is an agent: this is what it knows itself; ask a node that judges for all", err=True
            )
        with open_reader(self.config.data) as reader:
            yield reader

    def document(self, code: int, body: dict[str, Any]) -> None:
        """Print it as JSON."""
        print_document(code, self.clean(body))


@contextmanager
def asked(path: Path, *, json: bool) -> Iterator[Asked]:
    """The frame of a command: what goes wrong inside is told as it was asked for, and ends the program with 3.

    The configuration is used as far as it can be read: who looks at night has neither the daemon's environment nor
    the time to mend it, and what is stored can be shown all the same.
    """
    reading = read_config(path, environ=os.environ)
    if reading.config is None:
        _end(ConfigError(reading.diagnostics), Exit.USAGE, json=json)
    if has_errors(reading.diagnostics):
        typer.echo(
            f"{path} has mistakes as seen from here (see `probe validate`); it is used as far as it goes", err=True
        )
    call = Asked(config=reading.config, json=json, now=datetime.now(UTC))
    try:
        yield call
    except ProbeError as error:
        _end(ProbeError(call.clean(str(error))), Exit.ERRORED, json=json)


def mistaken(message: str, *, json: bool) -> NoReturn:
    """End the program with 2: what was asked for does not exist, or is not said as it must be."""
    _end(ProbeError(message), Exit.USAGE, json=json)


def duration_of(option: str, text: str, *, json: bool) -> timedelta:
    """The duration that an option says, more than nothing; ends the program when it says none."""
    try:
        duration = parse_duration(text)
    except ValueError as error:
        mistaken(f"{option}: {error}", json=json)
    if not duration:
        mistaken(f"{option}: {text!r} is no time at all", json=json)
    return duration


def moment_of(option: str, text: str, now: datetime, *, json: bool) -> datetime:
    """The moment that an option says: so long ago (`90m`), a time of the day (`12:03:10`), or a whole date; in UTC.

    A time that is still to come today was yesterday. Ends the program when it says none.
    """
    with suppress(ValueError):
        clock = time.fromisoformat(text)
        if ":" in text and clock.tzinfo is None:
            today = datetime.combine(now.date(), clock, tzinfo=UTC)
            return today if today <= now else today - timedelta(days=1)
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        ago = parse_duration(text)
    except ValueError as error:
        mistaken(f"{option}: {error}; a time such as 12:03 or 2026-11-24T12:03:10 (UTC) will do, too", json=json)
    if not ago:
        mistaken(f"{option}: {text!r} is no time at all", json=json)
    return now - ago


def whoever() -> str:
    """The name of whoever runs the command: who became root with sudo is still themselves."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, in a container
        return f"user {os.getuid()}"


def _end(error: ProbeError, code: Exit, *, json: bool) -> NoReturn:
    if json:
        print_document(code, {"error": str(error)})
    stop(error, code)
