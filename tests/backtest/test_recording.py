"""A recording answers for runs that were never made."""

from pathlib import Path

from tests.backtest.lines import META, recording, run, schedule


def test_runs_come_in_the_order_in_which_they_ended(tmp_path: Path) -> None:
    """Whatever the order of the lines is."""
    found = recording(tmp_path, run(60), run(0, dur_s=90), run(20, "us"))
    assert [(s.at, s.region) for s in found.scheduled()] == [(20, "us"), (60, "eu"), (0, "eu")]
    assert found.runs == 3


def test_an_extra_run_is_the_first_recorded_one_soon_after(tmp_path: Path) -> None:
    """Within 15 seconds, of that region, made to confirm or to be looked up."""
    found = recording(
        tmp_path,
        run(0),
        run(5, ok=False, via="latent"),
        run(18, "eu", via="confirm"),
        run(6, "us", via="latent"),
        run(2, via="latent-control", ok=False),
    )
    got = [found.extra(at, "eu") for at in (0, 5, 6, 18)]
    assert [(s.at, s.outcome) if s else None for s in got] == [
        (5, "failed"),
        (5, "failed"),
        (18, "passed"),
        (18, "passed"),
    ]
    assert (found.asked, found.stood_in) == (4, 0)
    control = found.control(0, "eu")
    assert control is not None
    assert (control.outcome, control.kind) == ("failed", "status")
    assert found.control(4, "eu") == control  # asked for a moment later than it was then
    assert (found.control(4.1, "eu"), found.control(0, "us")) == (None, None)
    assert (found.has_control("eu"), found.has_control("us")) == (True, False)


def test_the_next_run_of_the_schedule_stands_in(tmp_path: Path) -> None:
    """Never one that was judged already: it would confirm itself. Beyond two intervals the region is silent."""
    found = recording(tmp_path, *schedule(4, bad=(60, 70)), run(1000, "eu"))
    stood = found.extra(61.0, "eu")  # asked by the failed run at 60, which ended now
    assert stood is not None
    assert (stood.at, stood.outcome) == (120, "passed")
    running = found.extra(60.5, "eu")
    assert running is not None
    assert (running.at, running.outcome, running.kind) == (60, "failed", "status")
    other = found.extra(61.0, "us")
    assert other is not None
    assert other.at == 80
    assert found.extra(200.0, "eu") is None
    assert found.extra(5000.0, "eu") is None
    assert (found.asked, found.stood_in) == (5, 3)


def test_what_says_nothing_does_not_stand_in(tmp_path: Path) -> None:
    """A slot in which nothing was run is passed over."""
    lost = {"type": "lost", "t": 60, "check": "checkout", "region": "eu", "outcome": "missed", "slots": 1}
    found = recording(tmp_path, run(0), lost, run(100))
    stood = found.extra(30.0, "eu")
    assert stood is not None
    assert stood.at == 100


def test_without_a_beginning_it_is_the_first_run(tmp_path: Path) -> None:
    """Times are since then; the end is that of the last run, or what the meta line says, if that is later."""
    meta = {name: value for name, value in META.items() if name not in ("start", "end")}
    found = recording(tmp_path, run(1_700_000_060), run(1_700_000_000, "us"), meta=meta)
    assert (found.setting.start, found.setting.length) == (1_700_000_000, 61.0)
    assert [s.at for s in found.scheduled()] == [0, 60]
    assert recording(tmp_path, run(0)).setting.length == 3600


def test_steps_of_passed_runs_are_kept(tmp_path: Path) -> None:
    """Also where some runs have none, or others."""
    steps = [None, {"product": 0.5, "cart": 0.25}, None, {"cart": 0.5}, {"late": 1.0}]
    lines = [run(60.0 * number, **({} if one is None else {"steps": one})) for number, one in enumerate(steps)]  # type: ignore[arg-type]  # a test's shorthand
    found = recording(tmp_path, *lines)
    assert [sample.steps for sample in found.scheduled()] == steps
    stood = found.extra(30.0, "eu")
    assert stood is not None
    assert stood.steps == steps[1]
