"""What happened: one execution of a check."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from probe.core.check import CheckId, CheckSpec
from probe.core.exchange import Certificate, Exchange
from probe.core.failure import Failure
from probe.core.fault import DrillNotes

RunId = NewType("RunId", str)


class Outcome(StrEnum):
    """How a run ended. Only `PASSED` and `FAILED` say something about the target."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    MISSED = "missed"
    ABORTED = "aborted"


class StepOutcome(StrEnum):
    """How a step ended; `SKIPPED`: an earlier one failed, or the run was ended before it for its side effects."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"


class Why(StrEnum):
    """What a run was made for."""

    SCHEDULED = "scheduled"
    CONFIRM = "confirm"
    CONTROL = "control"
    DRILL = "drill"
    MANUAL = "manual"

    @property
    def spares(self) -> bool:
        """Whether such a run ends before side effects: it comes on top of what the user has planned."""
        return self in (Why.CONFIRM, Why.DRILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One named stage of a journey. Times are seconds; `start` counts from the start of the journey."""

    name: str
    outcome: StepOutcome
    start: float | None = None
    duration: float | None = None
    within: float | None = None
    soft: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Web vitals of one page load: seconds, but for `cls`, which has no unit. `None`: not seen.

    Sources: https://web.dev/articles/vitals (definitions), measured in the page by PerformanceObserver.
    `inp` needs an input on the page.
    """

    url: str
    ttfb: float | None = None
    fcp: float | None = None
    lcp: float | None = None
    cls: float | None = None
    inp: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """A request of the page that failed (no answer, or status 400 and above)."""

    method: str
    url: str
    status: int | None
    error: str | None
    third_party: bool
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdParty:
    """What one foreign host did during the run. `share` is its part of all request time, 0 to 1; `time` is seconds."""

    host: str
    requests: int
    failed: int
    time: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleLine:
    """One line of the browser's console, or an uncaught error of the page (`level = "error"`)."""

    level: str
    text: str
    url: str = ""
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file of evidence: `kind` is screenshot, trace, har, console or log."""

    kind: str
    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoad:
    """How contended our own host was during the run.

    `cpu` is the share of the run (0 to 1) in which something on this host waited for a processor (Linux PSI), or,
    where there is no PSI, the share of processor time that others used or stole. `loop_lag` is the longest delay in
    seconds of the loop that measured. `waited` is the seconds that we ourselves waited for a processor: the thread that
    measured, or, where a worker did, the process of it or of its browser that waited most. `None`: not known.
    """

    cpu: float = 0.0
    loop_lag: float = 0.0
    waited: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control sample, taken in the same second as a run failed: whether what needs nothing of its target worked.

    `at` is when it was begun, `seconds` how long it took, `text` what was seen, in words: `https://anchor.example
    answered 204`. It is the proof that our own network worked, or that it did not.
    """

    well: bool
    at: datetime
    seconds: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A page that the browser went to, as the last answer on the way to it came: what can be compared with another run.

    `headers` are those that tell one state of a shop from another (core/changes.py); `redirects` the addresses that led to
    it; `address` the peer's IP address and port. `certificate` is what the browser says of it: without a fingerprint.
    """

    url: str
    status: int | None = None
    step: str | None = None
    redirects: tuple[str, ...] = ()
    address: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepText:
    """What a page said at the end of a step: its visible text, or the beginning of it."""

    step: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is otherwise than in the last good run.

    `what` is `build`, `header`, `address`, `dns`, `certificate`, `redirect`, `script`, `third_party`, `status`, `text`, `size` or
    `timing`; `name` says of what (a header's name, a host, a step). `None`: it was, or is, not there.
    """

    what: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A failed run beside the last good one of its check in its region, which began at `at`. Most telling first."""

    good: RunId
    at: datetime
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a prober saw: everything about a run that only the prober knows."""

    failures: tuple[Failure, ...] = ()
    steps: tuple[Step, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    vitals: tuple[Vitals, ...] = ()
    failed_requests: tuple[PageRequest, ...] = ()
    third_parties: tuple[ThirdParty, ...] = ()
    console: tuple[ConsoleLine, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    orders: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    """Names of the clean-up functions that ran to their end."""
    host: HostLoad = field(default_factory=HostLoad)
    log: tuple[str, ...] = ()
    duration: float | None = None
    """Seconds of the measured part; `None`: the runner's own measure, with set-up, counts."""
    trace_id: str | None = None
    stopped_before: str | None = None
    """The step before which it was ended, for its side effects: nothing was seen of it. `None`: it went to its end."""
    drill: DrillNotes | None = None
    """What a run of a drill noted for it; of other runs nothing."""
    control: Control | None = None
    """The control sample that was taken as it failed; `None`: it did not, or its region has none."""
    documents: tuple[Document, ...] = ()
    scripts: tuple[str, ...] = ()
    """Addresses of the scripts that its pages loaded, without queries."""
    texts: tuple[StepText, ...] = ()
    compared: Comparison | None = None
    """How it differs from the last good run; `None`: it did not fail, or there was none to compare it with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place in the schedule of a check in a region. Every slot ends in exactly one run.

    `number` goes up by one from slot to slot and is never given twice, whatever clocks do; `due` is when. Slots that
    pass one after the other without anything being done share one `missed` run: it stands for `count` slots, of which
    `number` and `due` are the first. So do, where a full disk made it necessary, slots whose runs all passed.
    """

    number: int
    due: datetime
    count: int = 1

    @property
    def last(self) -> int:
        """The number of the last slot that it stands for."""
        return self.number + self.count - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a check from one region: definition, what happened, and why not."""

    id: RunId
    check: CheckId
    kind: str
    target: str
    region: str
    why: Why
    outcome: Outcome
    started: datetime
    duration: timedelta
    observation: Observation
    slot: Slot | None = None
    """Its place in the schedule; `None`: it was made for another reason than the schedule."""
    lag: float = 0.0
    """Seconds from when it was due to when it had its place among those that run at a time."""
    maintenance: str | None = None
    """The maintenance window that it fell into: it counts for no objective."""

    @property
    def ended(self) -> datetime:
        """When it was over."""
        return self.started + self.duration

    @property
    def failure(self) -> Failure | None:
        """The failure that decided the outcome: the first of the layer that counts."""
        return deciding_failure(self.observation.failures)


def deciding_failure(failures: tuple[Failure, ...]) -> Failure | None:
    """The failure that names the reason: our own trouble first, then the first hard failure, then the first soft one."""
    ranked = sorted(failures, key=lambda f: (not f.ours, f.soft))
    return ranked[0] if ranked else None


def outcome_of(failures: tuple[Failure, ...]) -> Outcome:
    """The outcome that failures make: any trouble of our own makes a run `errored`, whatever else was seen."""
    decider = deciding_failure(failures)
    if decider is None:
        return Outcome.PASSED
    return Outcome.ERRORED if decider.ours else Outcome.FAILED


STARVED_WAIT = 1 / 3
"""Share of a run that we waited for a processor, from which a slow result may be our own.

On two cores with nine jobs at a time: journeys of a shop that is well, 0.42 to 1.1; with answers 2.5 s late, at most 0.1.
"""
STARVED_CPU = 0.95
"""The same where that is not known: the share in which anything on this host waited for one."""
STARVED_LAG = 2.0
"""Seconds of loop lag from which anything that waits is our own."""

SLOW_KINDS = frozenset({"slow", "step_slow"})
"""Kinds that say only that something took long."""
WAITING_KINDS = SLOW_KINDS | {
    "deadline",
    "no_response",
    "slow_body",
    "connect_timeout",
    "tls_timeout",
    "dns_timeout",
    "element",
    "page_unresponsive",
    "third_party_slow",
}
"""Kinds that say that something did not come in time: a host that stood still brings them about."""


def explain_by_host(failures: tuple[Failure, ...], host: HostLoad, *, took: float) -> tuple[Failure, ...]:
    """The failures of a run that took so many seconds, with those that our own starved host explains as `host_starved`.

    A host on which we wait makes things slow; only one that stood still (loop lag) makes them not come at all. That
    others wait on it says nothing. So an outage is not hidden by a busy host.
    """
    if not failures:
        return failures
    explained = WAITING_KINDS if host.loop_lag >= STARVED_LAG else SLOW_KINDS if _starved(host, took) else frozenset()
    waited = f"{host.cpu:.0%}" if host.waited is None else f"{host.waited:.1f} s of {took:.1f} s"
    reason = f"{waited} of the run waited for a processor, the loop lagged {host.loop_lag:.1f} s"
    return tuple(
        Failure.of(
            "host_starved",
            f"this host was too busy to measure ({reason}); seen: {f.message}",
            step=f.step,
            url=f.url,
            soft=f.soft,
        )
        if f.kind in explained
        else f
        for f in failures
    )


def _starved(host: HostLoad, took: float) -> bool:
    """Whether the wait for a processor is enough to have made a run slow."""
    if host.waited is None:
        return host.cpu >= STARVED_CPU
    return host.waited > 0 and host.waited >= STARVED_WAIT * took


def finish(
    spec: CheckSpec,
    observation: Observation,
    *,
    id: RunId,
    region: str,
    why: Why,
    started: datetime,
    elapsed: timedelta,
    outcome: Outcome | None = None,
    slot: Slot | None = None,
    lag: float = 0.0,
) -> Run:
    """The run that an observation makes. `outcome` is given for a run that did not come to an end by itself."""
    seconds = elapsed.total_seconds() if observation.duration is None else observation.duration
    failures = explain_by_host(observation.failures, observation.host, took=seconds)
    return Run(
        id=id,
        check=spec.id,
        kind=spec.kind,
        target=spec.target,
        region=region,
        why=why,
        outcome=outcome or outcome_of(failures),
        started=started,
        duration=elapsed if observation.duration is None else timedelta(seconds=seconds),
        observation=replace(
            observation,
            failures=failures,
            # Judged already, and nobody shows them: a body would only be memory held and a secret to look for.
            exchanges=tuple(replace(e, body=b"") for e in observation.exchanges),
        ),
        slot=slot,
        lag=lag,
    )
