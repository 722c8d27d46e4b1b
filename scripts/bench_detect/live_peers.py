"""What the rules of other tools would have said on runs that our daemon made: they are given all our checks, and what each asserts."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from probe.backtest.interchange import LostLine, MetaLine, RunLine
from probe.backtest.noise import DAY, Noise
from probe.backtest.read import RecordingReader
from probe.backtest.recording import Recording
from probe.backtest.sample import Sample, Setting
from probe.backtest.world import SimulatedWorld
from scripts.bench_detect.history import History
from scripts.bench_detect.peers import Rule

QUIET = 6 * 3600.0
"""Seconds of good runs that are put before what was recorded: the longest window of any rule. Else burn rates would see a check that never was well."""


class Past:
    """The runs of one check as they were recorded, after hours in which all was well."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        was = recording.setting
        self.setting = Setting(
            check=was.check,
            regions=was.regions,
            every=was.every,
            timeout=was.timeout,
            steps=was.steps,
            length=QUIET + was.length,
            start=was.start - QUIET,
        )
        known = [run for run in recording.scheduled() if run.outcome in ("passed", "failed")]
        self._recorded = [run._replace(at=run.at + QUIET) for run in known]

    @property
    def samples(self) -> list[Sample]:
        """The runs of the schedule that say something about the shop, in the order in which they ended."""
        every, regions = self.setting.every, self.setting.regions
        turns = int(QUIET / every)
        before = [
            Sample((turn + number / len(regions)) * every, region, "passed", 0.1)
            for turn in range(turns)
            for number, region in enumerate(regions)
        ]
        return [*before, *self._recorded]

    def extra(self, at: float, region: str) -> Sample:
        """What a retry begun now returned: the extra run of ours that was made then, or else the next run of the schedule.

        It is taken as begun at once, in the rule's favour. After the last run: as the last one.
        """
        found = self._recording.extra(at - QUIET, region)
        if found is None:
            found = [run for run in self._recorded if run.region == region][-1]
        return found._replace(at=at)


def pasts(path: Path) -> list[Past]:
    """The checks in a file of `probe export runs`.

    Extra runs of journeys that stopped before the order and passed are left out: no other tool makes such.
    """
    reader = RecordingReader()
    decode = msgspec.json.Decoder(MetaLine | RunLine | LostLine).decode
    for line in path.read_bytes().splitlines():
        row = decode(line)
        if isinstance(row, RunLine) and row.via == "confirm" and row.ok and reader.metas[row.check].steps:
            continue
        reader.take(row)
    return [Past(recording) for recording in reader.recordings() if recording.runs]


def soonest(rule: Rule, checks: Iterable[Past], began: float, ended: float) -> float | None:
    """Seconds from `began` to the first alert of a rule on any check until `ended` (both since 1970); `None`: there is none.

    Zero when it had an alert open already.
    """
    found = []
    for past in checks:
        begin, end = began - past.setting.start, ended - past.setting.start
        open_before = set[str]()
        for alert in rule.alerts(History(world=past, samples=past.samples)):
            if alert.at < begin:
                (open_before.add if alert.what == "open" else open_before.discard)(alert.key)
            elif alert.what == "open" and alert.at <= end:
                found.append(alert.at - begin)
        if open_before:
            found.append(0.0)
    return min(found, default=None)


STRAY, DAYS = 0.005, 30
"""The noise that false alarms are counted at: the share of runs that fail by themselves, each for itself."""


def false_alarms(rule: Rule) -> int:
    """How often a rule alerts in 30 days of one check that is well, at 30 s from three regions, where runs fail by chance."""
    setting = Setting(check="well", regions=("a", "b", "c"), every=30.0, timeout=10.0, length=DAYS * DAY)
    noise = Noise(failure_rate=STRAY, flicker_share=0.0, bursts=0.0)
    world = SimulatedWorld(setting, seed="live", noise=noise, drawn=())
    alerts = rule.alerts(History(world=world, samples=list(world.scheduled())))
    return sum(alert.what == "open" for alert in alerts)
