"""Reads JSON lines of runs and of outages; what is wrong with a line is said with its number, and how to mend it."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from probe.backtest.interchange import CLASSES, LostLine, MetaLine, NoiseLine, RunLine, TruthLine
from probe.backtest.recording import Recording, Scheduled
from probe.backtest.sample import Recorded, Sample, Setting
from probe.backtest.score import Truth
from probe.core.diagnostic import Diagnostic, did_you_mean
from probe.core.failure import KINDS
from probe.core.run import Outcome
from probe.errors import ConfigError

MANY: Final = 20
"""Bad lines after which reading ends: the rest is likely the same mistake."""
EXTRAS: Final = ("confirm", "retry", "latent")
CONTROLS: Final = ("control", "latent-control")
LOST: Final = (Outcome.ERRORED, Outcome.MISSED, Outcome.ABORTED)
_SHAPES: Final = 'as docs/backtest.md shows: {"v":1,"type":"run","t":…,"check":…,"region":…,"ok":…,"dur_s":…}'

Line = MetaLine | RunLine | LostLine


class _Wrong(ValueError):  # noqa: N818  # reads as what is the matter with a line
    """A line that cannot be meant, and what would be right."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


def read_recordings(path: Path, *, progress: Callable[[float], None] | None = None) -> tuple[Recording, ...]:
    """The worlds of a file of runs, one for each check. `ConfigError` says every line that is wrong.

    `progress` is told how much of the file is read, from 0 to 1.
    """
    reader = RecordingReader()
    decode = msgspec.json.Decoder(Line).decode
    _each_line(path, lambda line: reader.take(decode(line)), progress)
    if not reader.metas:
        raise ConfigError((_no_meta(path),))
    return reader.recordings()


def read_truth(path: Path, start: float) -> tuple[Truth, ...]:
    """The outages of a file; noise is left out. `start` is when the world begins. `ConfigError` as above."""
    found: list[Truth] = []
    decode = msgspec.json.Decoder(TruthLine | NoiseLine).decode

    def take(text: bytes) -> None:
        line = decode(text)
        if isinstance(line, NoiseLine):
            return
        if line.end < line.start:
            raise _Wrong(f"the outage ends ({line.end:g}) before it starts ({line.start:g})", "exchange them")
        if line.expect not in ("page", "ticket"):
            raise _Wrong(f'"expect" is {line.expect!r}', '"page" or "ticket"')
        found.append(
            Truth(
                kind=line.kind,
                start=line.start - start,
                end=line.end - start,
                checks=() if line.check is None else (line.check,),
                page=line.expect == "page",
            )
        )

    _each_line(path, take, None)
    return tuple(sorted(found, key=attrgetter("start")))


class RecordingReader:
    """Takes lines in, in any order after their metas, and makes worlds of them."""

    def __init__(self) -> None:
        self.metas: dict[str, MetaLine] = {}
        self._check = ""
        self._places: dict[str, int] = {}
        self._runs = Scheduled()
        self._all: dict[str, Scheduled] = {}
        self._extras: dict[tuple[str, str], list[Sample]] = {}
        self._controls: dict[str, list[Sample]] = {}
        self._first: float | None = None

    def take(self, row: Line) -> None:
        """Take one line in; `ValueError` when it cannot be meant."""
        if type(row) is RunLine:
            if row.via == "sched":
                if row.check != self._check:
                    self._turn_to(row.check)
                region = self._places.get(row.region)
                if region is None:
                    raise self._no_region(row.region)
                if row.ok and row.maintenance is None:
                    self._runs.add_passed(row.t, row.dur_s, region, row.steps)
                else:
                    self._runs.add(_sample(row), region)
            else:
                self._extra(_sample(row), row)
        elif type(row) is MetaLine:
            self._meta(row)
        elif type(row) is LostLine:
            self._lost(row)

    def recordings(self) -> tuple[Recording, ...]:
        """The worlds. All begin at the same time."""
        firsts = [min(runs.at) for runs in self._all.values() if runs.at]
        starts = [meta.start for meta in self.metas.values() if meta.start is not None]
        start = min(starts or firsts or [0.0])
        for samples in (*self._extras.values(), *self._controls.values()):
            samples[:] = sorted((_moved(sample, start) for sample in samples), key=attrgetter("at"))
        return tuple(self._recording(meta, start) for meta in self.metas.values())

    def _recording(self, meta: MetaLine, start: float) -> Recording:
        runs = self._all[meta.check]
        if start:
            runs.at = array("d", (at - start for at in runs.at))
            runs.whole = {index: _moved(sample, start) for index, sample in runs.whole.items()}
        last = max(map(float.__add__, runs.at, runs.seconds), default=0.0)
        setting = Setting(
            check=meta.check,
            regions=meta.regions,
            every=meta.interval_s,
            timeout=meta.timeout_s,
            steps=meta.steps,
            length=max(last, (start if meta.end is None else meta.end) - start),
            objective=meta.slo,
            start=start,
        )
        extras = {region: found for (check, region), found in self._extras.items() if check == meta.check}
        return Recording(setting, runs, extras, self._controls)

    def _turn_to(self, check: str) -> None:
        meta = self.metas.get(check)
        if meta is None:
            raise _Wrong(
                f"no meta line before it names the check {check!r}",
                did_you_mean(check, self.metas) or 'begin the file with {"v":1,"type":"meta","check":…}',
            )
        self._check = check
        self._runs = self._all[check]
        self._places = {region: index for index, region in enumerate(meta.regions)}

    def _no_region(self, region: str) -> _Wrong:
        return _Wrong(
            f"the meta line of {self._check!r} names no region {region!r}",
            f"{did_you_mean(region, self._places)}, or add it to its regions",
        )

    def _meta(self, row: MetaLine) -> None:
        if row.check in self.metas:
            raise _Wrong(f"a second meta line for the check {row.check!r}", "leave one")
        if not row.regions or len(row.regions) != len(set(row.regions)) or len(row.regions) > 255:
            raise _Wrong("its regions are none, more than 255, or one comes twice", 'such as "regions":["eu","us"]')
        if row.slo is not None and not 0 < row.slo < 1:
            raise _Wrong(f'"slo" is {row.slo:g}', "write the share of good runs, such as 0.999")
        self.metas[row.check] = row
        self._all[row.check] = Scheduled()

    def _extra(self, sample: Sample, row: RunLine | LostLine) -> None:
        if row.via in CONTROLS:
            self._controls.setdefault(row.region, []).append(sample)
        elif row.via in EXTRAS:
            if row.check != self._check:
                self._turn_to(row.check)
            if row.region not in self._places:
                raise self._no_region(row.region)
            self._extras.setdefault((row.check, row.region), []).append(sample)
        else:
            raise _Wrong(f'"via" is {row.via!r}', did_you_mean(row.via, ("sched", *EXTRAS, *CONTROLS)))

    def _lost(self, row: LostLine) -> None:
        if row.outcome not in LOST:
            raise _Wrong(f'"outcome" is {row.outcome!r}', did_you_mean(row.outcome, LOST))
        known = Recorded(id=row.id, slot=row.slot, slots=row.slots, message=row.message, maintenance=row.maintenance)
        kind = None if row.failure is None else _kind(row.failure)
        sample = Sample(row.t, row.region, row.outcome, row.dur_s, None, kind, None, known)
        if row.via != "sched":
            self._extra(sample, row)
            return
        if row.check != self._check:
            self._turn_to(row.check)
        if row.region not in self._places:
            raise self._no_region(row.region)
        self._runs.add(sample, self._places[row.region])


def _sample(row: RunLine) -> Sample:
    known = Recorded(
        id=row.id,
        slot=row.slot,
        message=row.message,
        maintenance=row.maintenance,
        stopped_before=row.stopped_before,
    )
    if row.ok:
        return Sample(row.t, row.region, "passed", row.dur_s, None, None, row.steps, known)
    name = row.failure or row.class_
    if name is None and row.via not in CONTROLS:
        raise _Wrong("a failed run without a class", f'say why it failed: "class":"…", {did_you_mean("", CLASSES)}')
    kind = "refused" if name is None else _kind(name)
    return Sample(row.t, row.region, "failed", row.dur_s, row.step, kind, row.steps, known)


def _kind(name: str) -> str:
    kind = CLASSES.get(name, name)
    if kind not in KINDS:
        raise _Wrong(f"there is no failure class {name!r}", did_you_mean(name, (*CLASSES, *KINDS)))
    return kind


def _moved(sample: Sample, start: float) -> Sample:
    return sample._replace(at=sample.at - start) if start else sample


def _each_line(path: Path, take: Callable[[bytes], None], progress: Callable[[float], None] | None) -> None:
    """Give every line to `take`, and collect what it raises."""
    found: list[Diagnostic] = []
    try:
        with path.open("rb") as file:
            lines: Iterable[bytes] = file if progress is None else _told(file, path.stat().st_size or 1, progress)
            for number, line in enumerate(lines, 1):
                try:
                    take(line)
                except (msgspec.MsgspecError, ValueError) as error:
                    if not line.strip():
                        continue
                    found.append(_diagnostic(path, number, error))
                    if len(found) == MANY:
                        break
    except OSError as error:
        what = f"cannot read it: {error.strerror or error}"
        raise ConfigError((Diagnostic(file=str(path), what=what, hint="name a file of JSON lines"),)) from error
    if found:
        if len(found) == MANY:
            found[-1] = replace(found[-1], hint=f"{found[-1].hint}; nothing after this line was looked at".lstrip("; "))
        raise ConfigError(tuple(found))


def _told(lines: Iterable[bytes], size: int, progress: Callable[[float], None]) -> Iterator[bytes]:
    done = 0
    for number, line in enumerate(lines):
        done += len(line)
        if not number % 10_000:
            progress(done / size)
        yield line


def _diagnostic(path: Path, number: int, error: Exception) -> Diagnostic:
    if isinstance(error, _Wrong):
        return Diagnostic(file=str(path), line=number, what=str(error), hint=error.hint)
    if isinstance(error, msgspec.ValidationError):
        return Diagnostic(file=str(path), line=number, what=str(error), hint=_SHAPES)
    return Diagnostic(
        file=str(path), line=number, what=f"it is not JSON: {error}", hint="write one object on each line"
    )


def _no_meta(path: Path) -> Diagnostic:
    return Diagnostic(
        file=str(path), what="it holds no meta line", hint='begin with {"v":1,"type":"meta","check":…,"interval_s":…}'
    )
