"""Where the runs come from that are judged again: a file of JSON lines, or the daemon's memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import typer

from probe.backtest.interchange import LostLine, MetaLine, RunLine, encode, run_line
from probe.backtest.read import RecordingReader, read_recordings
from probe.backtest.recording import Recording
from probe.backtest.rules import meta_of
from probe.backtest.score import Truth, truths_of
from probe.cli.stored import Asked, mistaken
from probe.config.rules import rules_of
from probe.core.check import CheckSpec
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.duration import format_duration
from probe.core.rules import Rules
from probe.errors import ConfigError
from probe.loader import load, load_checks
from probe.store.reader import Reader
from probe.store.recorded import extents, recorded

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Runs to judge again. `truths` are the incidents that were recorded beside them; `None`: none can be known."""

    recordings: tuple[Recording, ...]
    truths: tuple[Truth, ...] | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def start(self) -> float:
        """When they begin, in seconds since 1970."""
        return self.recordings[0].setting.start if self.recordings else 0.0


def from_file(path: Path, checks: Sequence[str], progress: Progress) -> Source:
    """The runs of a file. `ConfigError` says what is wrong with it."""
    found = read_recordings(path, progress=progress)
    names = [recording.setting.check for recording in found]
    _all_known(checks, names, str(path))
    return Source(recordings=tuple(r for r in found if not checks or r.setting.check in checks))


def from_store(call: Asked, rules: Rules, since: datetime, checks: Sequence[str], progress: Progress) -> Source:
    """The runs that the daemon has made. `StoreUnavailable` when they cannot be read."""
    reader = RecordingReader()
    with call.reader() as store:
        for line in _lines(call, store, rules, {}, since, checks, progress):
            reader.take(line)
        incidents = call.clean(store.incidents(limit=10_000))
    recordings = reader.recordings()
    if not recordings:
        return Source(recordings=())
    setting = recordings[0].setting
    length = max(recording.setting.length for recording in recordings)
    names = {recording.setting.check for recording in recordings}
    truths = truths_of((i for i in incidents if not i.members or names & set(i.members)), setting.start, length)
    return Source(recordings=recordings, truths=truths)


def export_runs(call: Asked, file: BinaryIO, since: datetime, checks: Sequence[str], progress: Progress) -> int:
    """Write stored runs as they are read; gives how many. `OSError` when they cannot be written."""
    rules, specs = lenient_rules(call)
    count = 0
    with call.reader() as store:
        for line in _lines(call, store, rules, specs, since, checks, progress):
            file.write(encode(line) + b"\n")
            count += not isinstance(line, MetaLine)
    return count


def lenient_rules(call: Asked) -> tuple[Rules, dict[str, CheckSpec]]:
    """What is watched, as far as it can be read here: nothing, with a word about it, when the checks cannot be loaded."""
    try:
        specs = load_checks(call.config)
    except ConfigError:
        typer.echo("the checks cannot be loaded here (see `probe validate`): their shape is guessed", err=True)
        return Rules(), {}
    return rules_of(call.config, specs)[0], {spec.id: spec for spec in specs}


def strict_rules(path: Path) -> Rules:
    """The rules of a configuration. `ConfigError` with everything that is wrong with it."""
    return load(path, environ=os.environ).rules


def _lines(
    call: Asked,
    store: Reader,
    rules: Rules,
    specs: dict[str, CheckSpec],
    since: datetime,
    checks: Sequence[str],
    progress: Progress,
) -> Iterator[MetaLine | RunLine | LostLine]:
    """A line for each check, then one for each run, without secrets."""
    spans = extents(store, since=since)
    kept = call.now - call.config.store.keep_runs
    if any(span.first < kept for span in spans):
        # Of what is older only the runs that did not pass are left: judged alone they are one long outage.
        lasting = format_duration(call.config.store.keep_runs)
        typer.echo(f"runs that passed are kept for {lasting} (store.keep_runs): older ones are left out", err=True)
        spans = extents(store, since=kept)
    names = dict.fromkeys(span.check for span in spans)
    for name in checks:
        if name not in names:
            hint = did_you_mean(name, names) or "nor of any other since then"
            mistaken(f"no run of a check {name!r} is stored; {hint}", json=call.json)
    chosen = dict.fromkeys(name for name in names if not checks or name in checks)
    begin = min((span.first for span in spans if span.check in chosen), default=since)
    for name in chosen:
        ours = [span for span in spans if span.check == name]
        yield meta_of(
            name,
            [span.region for span in ours],
            rules,
            spec=specs.get(name),
            every=min((span.every for span in ours if span.every), default=None),
            start=begin.timestamp(),
            end=call.now.timestamp(),
        )
    whole = (call.now - begin).total_seconds() or 1.0
    for number, run in enumerate(recorded(store, since=begin)):
        if not number % 500:
            progress((run.started - begin).total_seconds() / whole)
        line = run_line(run)
        if line is not None and (line.via == "control" or run.check in chosen):
            if line.message is not None:
                line.message = call.clean(line.message)
            yield line


def _all_known(names: Iterable[str], known: Sequence[str], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            tuple(
                Diagnostic(file=where, what=f"there is no check {name!r} in it", hint=did_you_mean(name, known))
                for name in unknown
            )
        )
