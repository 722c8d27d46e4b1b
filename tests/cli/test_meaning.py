"""What `probe validate` says a configuration means: its sums are those of the judgement itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.cli.meaning import alarm, meaning
from probe.cli.selection import select_jobs
from probe.core.check import CheckId, CheckSpec, Cron, HttpCall, Source
from probe.core.ledger import Ledger
from probe.core.rules import Objective
from probe.core.slo import BURN_RULES, burning
from probe.core.target import Region
from probe.engine.runner import Job

SHOP = '[targets.shop]\nurl = "https://shop.example"\n'
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def job(every: timedelta, cron: Cron | None = None) -> Job:
    spec = CheckSpec(
        id=CheckId("a"),
        kind="http",
        target="shop",
        every=every,
        timeout=timedelta(seconds=1),
        work=HttpCall(),
        source=Source(file="config.toml", line=1),
        cron=cron,
    )
    return Job(spec, Region(name="local"))


def objective(target: float) -> Objective:
    return Objective(name="o", checks=frozenset({CheckId("a")}), target=target)


def lines(folder: Path, text: str) -> list[str]:
    path = folder / "config.toml"
    path.write_text(SHOP + text)
    found = meaning(select_jobs(path, (), environ={}))
    return list(found[found.index("") + 1 :]) if "" in found else []


def test_an_objective_in_words(tmp_path: Path) -> None:
    text = '[slo.a]\nobjective = "99.9%"\n[[check]]\nname = "a"\nevery = "1m"\nslo = "a"\n'
    assert lines(tmp_path, text) == [
        "a: 99.9% good runs over 30d, 60 an hour: 43 may be bad",
        "  page at a burn rate of 14.4: 5 bad runs in 1h, 1 of them in 5m; if all are bad, after 4m30s (4m at the soonest)",
        "  page at a burn rate of 6: 7 bad runs in 6h, 1 of them in 30m; if all are bad, after 6m30s (6m at the soonest)",
        "  ticket at a burn rate of 1: 11 bad runs in 3d, 1 of them in 6h; if all are bad, after 10m30s (10m at the soonest)",
        "  one stray bad run never alerts: it takes 5",
    ]


def test_a_promise_of_time_and_a_lone_bad_run(tmp_path: Path) -> None:
    text = (
        '[slo.a]\nobjective = "90%"\nwindow = "week"\nlatency = { under = "3s", objective = "50%" }\n'
        '[[check]]\nname = "a"\nevery = "1h"\nslo = "a"\n'
    )
    found = lines(tmp_path, text)
    assert found[0] == "a: 90% good runs over a week, 1 an hour: 17 may be bad"
    assert found[1] == "  page at a burn rate of 14.4: never, if all runs are bad it is 10"
    assert found[4] == "  one stray bad run never alerts: it takes 6"
    assert found[6] == "a/latency: 50% good runs within 3 s over a week, 1 an hour: 84 may be bad"


def test_a_step(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    code = 'from probe import check\n@check(slo="a")\nasync def buy(t):\n    async with t.step("pay"): ...\n'
    (tmp_path / "checks" / "a.py").write_text(code)
    found = lines(tmp_path, '[slo.a]\nobjective = "99%"\nstep = "pay"\n')
    assert found[0] == 'a: 99% good passes of step "pay" over 30d, 60 an hour: 432 may be bad'


def test_an_objective_that_can_never_alert_is_a_warning(tmp_path: Path) -> None:
    text = '[slo.a]\nobjective = "50%"\n[[check]]\nname = "a"\nevery = "1d"\nslo = "a"\n'
    found = lines(tmp_path, text)
    assert found[1] == "  page at a burn rate of 14.4: never, if all runs are bad it is 2"
    assert found[3] == "  ticket at a burn rate of 1: never, at most 4 runs in 3d, and it takes 5 bad ones"
    assert found[-1] == "  warning: a never alerts: run its checks more often"


def test_without_objectives_nothing_is_promised(tmp_path: Path) -> None:
    assert lines(tmp_path, '[[check]]\nname = "a"\n') == []


def test_a_check_by_the_clock_counts_as_often_as_it_comes(tmp_path: Path) -> None:
    text = '[[check]]\nname = "a"\ncron = "*/10 9-16 * * *"\n'
    (tmp_path / "config.toml").write_text(SHOP + text)
    first = meaning(select_jobs(tmp_path / "config.toml", (), environ={}))[0]
    assert first == "1 check from 1 region: 2 runs an hour"
    daily = job(timedelta(hours=16, minutes=10), Cron(expression="*/10 9-16 * * *"))
    assert alarm(BURN_RULES[0], objective(0.99), [daily]).most_long == 7


@settings(max_examples=40, deadline=None)
@given(
    every=st.sampled_from([120, 300, 600, 1800, 3600]),
    target=st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]),
)
def test_the_sums_are_those_of_the_judgement(every: int, target: float) -> None:
    """After three good days every run is bad: it alerts after as many as was said, or never does if that was said."""
    promised = objective(target)
    jobs = [job(timedelta(seconds=every))]
    alarms = [found for rule in BURN_RULES if not (found := alarm(rule, promised, jobs)).never]
    ledger = Ledger()
    step = timedelta(seconds=every)
    for n in range(1, 3 * 86400 // every):
        ledger.add(NOW - n * step, good=1)
    needed = [max(found.bad_long, found.bad_short) for found in alarms]
    count = 0
    while burning(promised, ledger, NOW + (count - 1) * step) is None and count <= max(needed, default=60):
        ledger.add(NOW + count * step, bad=1)
        count += 1
    if needed:
        # A window holds one run more or less than the rate says, by where its ends fall.
        assert abs(count - min(needed)) <= 1
    else:
        assert burning(promised, ledger, NOW + (count - 1) * step) is None


def test_one_stray_run_never_alerts() -> None:
    promised = objective(0.999)
    assert min(alarm(rule, promised, [job(MINUTE)]).bad_long for rule in BURN_RULES) > 1
    ledger = Ledger()
    ledger.add(NOW, bad=1)
    assert burning(promised, ledger, NOW) is None
