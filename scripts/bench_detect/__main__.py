"""Measure our judgement against the tuned rules of other tools, mix by mix, and write the tables."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import Pool
from pathlib import Path

from probe.backtest.sample import Sample
from probe.backtest.world import SimulatedWorld
from scripts.bench_detect.catalogue import DEFAULTS, LIMITS, tuned, with_latency
from scripts.bench_detect.history import History
from scripts.bench_detect.mixes import MIXES, Mix
from scripts.bench_detect.ours import OURS, judge
from scripts.bench_detect.score import Score, score, summarise
from scripts.bench_detect.table import Measured, section

MIX = {mix.name: mix for mix in MIXES}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One world of a mix, for every rule."""

    mix: str
    part: str
    number: int
    seed: int
    scale: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """The scores of all rules on one world; what ours asked for, as shares of the schedule."""

    job: Job
    scores: dict[str, Score]
    confirms: float
    controls: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench_detect", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=0.4, help="share of the days at full scale (default %(default)s)"
    )
    parser.add_argument("--mix", nargs="*", choices=list(MIX), default=list(MIX), metavar="MIX", help=", ".join(MIX))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the tables there as well")
    options = parser.parse_args()
    begun = time.monotonic()
    text = [head(options.scale, options.seed)]
    print(text[0], flush=True)
    # Worlds are counted in full before the first is begun, so that the progress knows where it is.
    total = sum(len(list(MIX[name].jobs())) for name in options.mix)
    done = 0
    with Pool(os.cpu_count()) as pool:
        for name in options.mix:
            mix = MIX[name]
            jobs = [
                Job(mix=name, part=part, number=number, seed=options.seed, scale=options.scale)
                for part, number in mix.jobs()
            ]
            results = []
            for result in pool.imap_unordered(run, jobs):
                results.append(result)
                done += 1
                spent = time.monotonic() - begun
                print(
                    f"\r{name}: {done} of {total} worlds, {spent:.0f} s, about {spent / done * (total - done):.0f} s more ",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
            text.append(section(mix, measured(results)))
            print(f"\r{'':70}\r", end="", file=sys.stderr)
            print("\n" + text[-1], flush=True)
    if options.out:
        options.out.write_text("\n\n".join(text) + "\n", encoding="utf-8")
        print(f"wrote {options.out} in {time.monotonic() - begun:.0f} s", file=sys.stderr)


def run(job: Job) -> Result:
    """All rules on one world."""
    mix = MIX[job.mix]
    world = mix.world(job.part, job.number, job.seed, job.scale)
    samples = list(world.scheduled())
    ours = judge(world)
    scores = {OURS: score(world, ours.alerts), **dict(_peers(world, samples, mix))}
    return Result(job=job, scores=scores, confirms=ours.confirms, controls=ours.controls)


def _peers(world: SimulatedWorld, samples: Sequence[Sample], mix: Mix) -> Iterator[tuple[str, Score]]:
    history = History(world=world, samples=samples)
    for rule in (*DEFAULTS, *tuned()):
        yield rule.name, score(world, rule.alerts(history))
    for limit in LIMITS:
        strict = History(world=world, samples=samples, limit=limit * mix.median)
        for rule in with_latency():
            yield f"{rule.name}, slower than {limit:g} medians is bad", score(world, rule.alerts(strict))


def measured(results: list[Result]) -> Measured:
    """The scores of a mix, by rule."""
    quiet = [result for result in results if result.job.part == "quiet"]
    outages = [result for result in results if result.job.part != "quiet"]
    return Measured(
        summaries={
            name: summarise([r.scores[name] for r in quiet], [r.scores[name] for r in outages])
            for name in results[0].scores
        },
        confirms=sum(r.confirms for r in quiet) / max(1, len(quiet)),
        controls=sum(r.controls for r in quiet) / max(1, len(quiet)),
        confirms_in_outages=sum(r.confirms for r in outages) / max(1, len(outages)),
    )


def head(scale: float, seed: int) -> str:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return (
        f"Written by `python -m scripts.bench_detect --scale {scale:g} --seed {seed}` on {datetime.now(UTC):%Y-%m-%d} "
        f"at {commit.stdout.strip() or 'an unknown commit'}."
    )


if __name__ == "__main__":
    main()
