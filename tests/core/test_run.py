"""What a run is made of, and its shape as data."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe.core.access import Access
from probe.core.check import CheckSpec, Function, HttpCall, PytestFunction, Source
from probe.core.diagnostic import Diagnostic, Severity, did_you_mean
from probe.core.encode import SCHEMA, encode_run
from probe.core.failure import Failure
from probe.core.run import (
    Artifact,
    Comparison,
    ConsoleLine,
    Control,
    Difference,
    Document,
    HostLoad,
    Observation,
    Outcome,
    PageRequest,
    Run,
    RunId,
    Step,
    StepOutcome,
    StepText,
    ThirdParty,
    Vitals,
    Why,
    finish,
)
from probe.core.target import BrowserKind, Evidence, EvidencePolicy, Target
from tests.core.builders import NOW, exchange, spec, tls


def run(observation: Observation, outcome: Outcome | None = None) -> Run:
    return finish(
        spec(),
        observation,
        id=RunId("r1"),
        region="local",
        why=Why.MANUAL,
        started=NOW,
        elapsed=timedelta(seconds=2),
        outcome=outcome,
    )


def test_a_run_takes_the_measured_duration() -> None:
    """Set-up is not the journey's time; without a measure the elapsed time counts."""
    assert run(Observation(duration=0.5)).duration == timedelta(seconds=0.5)
    assert run(Observation()).duration == timedelta(seconds=2)


def test_a_run_drops_bodies() -> None:
    """Bodies are judged, then forgotten; their size stays."""
    (kept,) = run(Observation(exchanges=(exchange(body=b"12345"),))).observation.exchanges
    assert (kept.body, kept.size) == (b"", 5)


def test_an_aborted_run() -> None:
    """A run that was ended from outside is neither passed nor failed."""
    assert run(Observation(), Outcome.ABORTED).outcome is Outcome.ABORTED


def test_a_run_on_a_starved_host() -> None:
    """The host's load is weighed before the outcome."""
    seen = run(Observation(failures=(Failure.of("slow"),), host=HostLoad(cpu=1.0)))
    assert seen.outcome is Outcome.ERRORED
    assert seen.failure is not None
    assert seen.failure.kind == "host_starved"
    assert "100% of the run waited for a processor" in seen.failure.message


@pytest.mark.parametrize(
    ("kind", "host", "took", "ends_as"),
    [
        # The latency of the demo shop on two cores with eleven jobs, and a journey that had to wait there.
        ("step_slow", HostLoad(cpu=1.0, waited=0.21), 2.89, "step_slow"),
        ("step_slow", HostLoad(cpu=1.0, waited=1.77), 2.63, "host_starved"),
        ("slow", HostLoad(cpu=0.0, waited=0.999), 3.0, "slow"),
        ("slow", HostLoad(cpu=0.0, waited=1.0), 3.0, "host_starved"),
        ("slow", HostLoad(cpu=1.0, waited=0.0), 0.0, "slow"),  # no time and no wait: nothing to explain it with
        ("slow", HostLoad(cpu=0.95), 3.0, "host_starved"),  # not known what we waited: what anything did
        ("slow", HostLoad(cpu=0.94), 3.0, "slow"),
        ("element", HostLoad(cpu=1.0, waited=3.0), 3.0, "element"),  # slow is not missing
        ("element", HostLoad(loop_lag=2.0, waited=0.0), 3.0, "host_starved"),  # unless our loop stood still
        ("slow", HostLoad(loop_lag=2.0, waited=0.0), 3.0, "host_starved"),
    ],
)
def test_what_we_waited_explains_what_is_slow(kind: str, host: HostLoad, took: float, ends_as: str) -> None:
    """That others wait for a processor says nothing of a slow shop; that we did may."""
    seen = run(Observation(failures=(Failure.of(kind),), host=host, duration=took))
    assert seen.failure is not None
    assert seen.failure.kind == ends_as


def test_a_starved_run_says_what_it_waited() -> None:
    """In seconds of the run's own, and what was seen."""
    host = HostLoad(cpu=1.0, waited=2.04)
    seen = run(Observation(failures=(Failure.of("slow", "GET / took 3 s"),), host=host, duration=3.0))
    assert seen.failure is not None
    assert seen.failure.message == (
        "this host was too busy to measure (2.0 s of 3.0 s of the run waited for a processor, the loop lagged 0.0 s); "
        "seen: GET / took 3 s"
    )


def whole_run() -> Run:
    failure = Failure.of("status", "POST /api/cart answered 500", step="add to cart", expected="201", actual="500")
    return run(
        Observation(
            failures=(failure,),
            steps=(
                Step(name="view product", outcome=StepOutcome.PASSED, start=0, duration=0.4321987, within=4),
                Step(name="add to cart", outcome=StepOutcome.FAILED, start=0.5, duration=0.1, failure=failure),
                Step(name="checkout", outcome=StepOutcome.SKIPPED),
            ),
            exchanges=(exchange(tls=tls(90, 400)), exchange()),
            vitals=(Vitals(url="https://shop.example/", ttfb=0.02, lcp=0.31, cls=0.01),),
            failed_requests=(PageRequest(method="POST", url="https://s/", status=500, error=None, third_party=False),),
            third_parties=(ThirdParty(host="cdn", requests=2, failed=0, time=0.123456, share=0.33333),),
            console=(ConsoleLine(level="error", text="boom"),),
            artifacts=(Artifact(kind="screenshot", path="/e/s.png", size=10),),
            orders=("A1",),
            undone=("cancel",),
            host=HostLoad(cpu=0.25, loop_lag=0.001, waited=0.05),
            log=("hello",),
            duration=1.5,
            trace_id="ab",
            control=Control(well=True, at=NOW, seconds=0.0312345, text="https://anchor.example answered 204"),
            documents=(
                Document(
                    url="https://shop.example/cart",
                    status=200,
                    step="add to cart",
                    redirects=("https://shop.example/basket",),
                    address="192.0.2.1:443",
                    headers=(("x-build", "118"),),
                    certificate=tls(90, 400).leaf,
                ),
                Document(url="https://shop.example/"),
            ),
            scripts=("https://shop.example/app.js",),
            texts=(StepText(step="view product", text="Coat 24.00"),),
            compared=Comparison(
                good=RunId("r0"),
                at=NOW,
                differences=(Difference(what="build", name="x-build", before="117", after="118"),),
            ),
        )
    )


def test_the_json_of_a_run_is_stable() -> None:
    """`--json` users rely on each of these names: a change here is a change of SCHEMA or an addition."""
    encoded = encode_run(whole_run())
    golden = Path(__file__).parent / "data" / "run.json"
    assert json.loads(json.dumps(encoded)) == json.loads(golden.read_text())
    assert SCHEMA == 1


def test_the_json_of_a_run_that_passed() -> None:
    """No failure is null, not a missing key."""
    encoded = encode_run(run(Observation(exchanges=(exchange(),))))
    assert encoded["failure"] is None
    assert encoded["outcome"] == "passed"
    assert encoded["http"][0]["tls"] is None


def test_which_prober_and_whether_a_browser() -> None:
    """The work decides who does it."""

    def which(work: HttpCall | Function | PytestFunction) -> tuple[str, bool]:
        made: CheckSpec = spec(work=work)
        return made.prober, made.needs_browser

    assert which(HttpCall()) == ("http", False)
    assert which(Function(file="a.py", name="f")) == ("function", False)
    assert which(Function(file="a.py", name="f", browser=BrowserKind.CHROMIUM)) == ("function", True)
    assert which(PytestFunction(file="a.py", node="test_a")) == ("playwright-pytest", True)
    assert str(Source(file="a.py", line=7)) == "a.py:7"


def test_joining_paths() -> None:
    """Paths are below the target's URL; absolute URLs stay."""
    target = Target(name="shop", url="https://shop.example:8443/eu")
    assert target.join("/cart?a=1") == "https://shop.example:8443/eu/cart?a=1"
    assert target.join("cart") == "https://shop.example:8443/eu/cart"
    assert target.join("https://pay.example/x") == "https://pay.example/x"
    assert target.host == "shop.example"
    assert Target(name="x", url="nonsense").host == ""


def test_evidence_sets() -> None:
    """Nothing is nothing, everything is everything."""
    assert {Evidence.nothing().screenshot, Evidence.nothing().trace} == {EvidencePolicy.OFF}
    assert Evidence.everything().trace is EvidencePolicy.ON
    assert Evidence.everything().har_bodies
    assert Evidence.nothing().is_nothing
    assert not Evidence.everything().is_nothing
    assert not replace(Evidence.nothing(), console=EvidencePolicy.ON_CONFIRMATION).is_nothing
    guarded = Evidence(mask=(".card",), access=Access.OPERATOR)
    assert guarded.in_full() == replace(Evidence.everything(), mask=(".card",), access=Access.OPERATOR)
    assert guarded.of_run(confirms=False).mask == (".card",)


def test_words_of_a_diagnostic() -> None:
    """Where, what, and how to mend it."""
    assert str(Diagnostic(file="a.toml", what="bad")) == "a.toml: bad"
    assert str(Diagnostic(file="a.toml", line=3, key="x.y", what="bad", hint="do so", severity=Severity.WARNING)) == (
        "a.toml:3: warning: x.y: bad; do so"
    )


def test_did_you_mean() -> None:
    """The nearest known name, else all of them."""
    assert did_you_mean("Shpo", ["Shop", "pay"]) == "did you mean 'Shop'?"
    assert did_you_mean("zzz", ["shop", "pay"]) == "known: pay, shop"
    assert did_you_mean("zzz", []) == ""
