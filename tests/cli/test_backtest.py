"""`probe backtest` and `probe export runs`, as a user types them, against a database that the real store wrote."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from probe.backtest.read import read_recordings
from probe.cli import app, progress
from tests.backtest.lines import META, schedule, write
from tests.cli.stored_runs import BAD, CONFIG, TOKEN, fill

STRICTER = CONFIG.replace('objective = "99%"', 'objective = "99.9%"')


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """A folder with a configuration and what the daemon has stored, and when that begins."""
    folder = tmp_path_factory.mktemp("day")
    return folder, fill(folder)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.delenv("PROBE_CONFIG", raising=False)

    def call(folder: Path, *arguments: str) -> Result:
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def opened(document: dict[str, Any], number: int = 0) -> list[dict[str, Any]]:
    return [alert for alert in document["replays"][number]["alerts"] if alert["event"] == "open"]


def test_stored_runs_are_judged_again(cli: Any, day: tuple[Path, datetime]) -> None:
    """What would have been told when; against the incidents on record; and what it would have cost."""
    folder, begin = day
    result = cli(folder, "backtest")
    assert result.exit_code == 0, result.stderr
    since = begin + timedelta(minutes=BAD[0])
    assert "checkout: 1431 runs of the schedule from 3 regions, every 1m; " in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if " opened " in line and " page " in line]
    assert since <= datetime.fromisoformat(f"{line[:19]}+00:00") < since + timedelta(minutes=2)
    assert 'DOWN: shop.example, checkout fails at step "buy"' in line
    assert "1 incident, 1 page in 0.33" in result.stdout
    assert "0 pages for nothing" in result.stdout
    assert "times to detect are an approximation: for " in result.stdout
    assert TOKEN not in result.stdout


def test_as_json(cli: Any, day: tuple[Path, datetime]) -> None:
    """The same facts, in the documented shape."""
    folder, begin = day
    document = json.loads(cli(folder, "backtest", "--json").stdout)
    (replay,) = document["replays"]
    assert (document["exit"], replay["config"], replay["pages"]) == (0, "config.toml", 1)
    assert [(check["check"], check["runs"]) for check in document["checks"]] == [("cart", 1431), ("checkout", 1431)]
    assert document["start"] == begin.timestamp()
    assert replay["runs"]["scheduled"] == 2862
    assert replay["runs"]["confirm"] > 0
    kind = replay["score"]["kinds"]["down"]
    assert (kind["count"], kind["missed"], kind["pages"]) == (1, 0, 1)
    assert replay["score"]["outages"][0]["start"] == begin.timestamp() + 60 * BAD[0]
    (alert,) = [alert for alert in opened(document) if alert["page"]]
    assert alert["t"] == begin.timestamp() + 60 * BAD[0] + replay["score"]["outages"][0]["delay"]
    assert alert["checks"] == ["checkout"]


def test_what_is_exported_is_judged_the_same(cli: Any, day: tuple[Path, datetime], tmp_path: Path) -> None:
    """Through a file, by the same configuration: the same alerts, with no secret in them."""
    folder, begin = day
    file = tmp_path / "runs.jsonl"
    exported = cli(folder, "export", "runs", "--output", str(file))
    assert (exported.exit_code, exported.stdout) == (0, "")
    assert exported.stderr == f"2866 runs written to {file}\n"  # the drill is none of them
    assert TOKEN not in file.read_text()
    cart, checkout = read_recordings(file)
    assert checkout.setting.objective == 0.99
    assert checkout.setting.start == begin.timestamp()
    assert checkout.has_control("eu")
    assert not cart.has_extras
    direct = json.loads(cli(folder, "backtest", "--json").stdout)
    through = json.loads(cli(folder, "backtest", str(file), "--config", "config.toml", "--json").stdout)
    assert through["replays"][0]["alerts"] == direct["replays"][0]["alerts"]
    assert through["replays"][0]["runs"] == direct["replays"][0]["runs"]
    assert through["replays"][0]["score"] is None


def test_export_to_standard_output_of_one_check(cli: Any, day: tuple[Path, datetime]) -> None:
    """Only its runs, and the control runs, which are everybody's; `--since` leaves older ones out."""
    folder, _ = day
    lines = [json.loads(line) for line in cli(folder, "export", "runs", "--check", "cart").stdout.splitlines()]
    assert {line["check"] for line in lines} == {"cart", "control:eu"}
    assert [line["slots"] for line in lines if line["type"] == "lost"] == [10]
    assert len(lines) == 1 + 1431 + 1
    young = cli(folder, "export", "runs", "--check", "cart", "--since", "1h").stdout.splitlines()
    assert 170 < len(young) < 182


def test_without_a_configuration(cli: Any, tmp_path: Path) -> None:
    """A file of others alone: rules for its one check; times from its own beginning; which pages are right is not known."""
    file = write(tmp_path / "runs.jsonl", [META, *schedule(240, bad=(7200, 8400))])
    result = cli(tmp_path, "backtest", str(file))
    assert result.exit_code == 0, result.stderr
    assert "day 0 02:0" in result.stdout
    assert "DOWN: checkout" in result.stdout
    assert "not known: name the outages there were (--truth FILE)" in result.stdout


def test_against_the_truth_and_for_others(cli: Any, tmp_path: Path) -> None:
    """Outages that are given are what alerts are held against; `--alerts` writes what others can score."""
    file = write(tmp_path / "runs.jsonl", [META, *schedule(240, bad=(7200, 8400))])
    truth = write(
        tmp_path / "truth.jsonl",
        [
            {
                "v": 1,
                "type": "truth",
                "check": "checkout",
                "kind": "total",
                "start": 7200,
                "end": 8400,
                "expect": "page",
            },
            {
                "v": 1,
                "type": "truth",
                "check": "checkout",
                "kind": "latency",
                "start": 100,
                "end": 400,
                "expect": "page",
            },
        ],
    )
    result = cli(tmp_path, "backtest", str(file), "--truth", str(truth), "--alerts", "alerts.jsonl")
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line}
    assert rows["latency"][1:5] == ["1", "1", "never", "never"]
    assert rows["total"][1:3] == ["1", "0"]
    alerts = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [alert["event"] for alert in alerts if alert["severity"] == "page"] == ["open", "resolve"]
    assert 7200 < alerts[0]["t"] < 7320
    assert alerts[0]["check"] == "checkout"


def test_two_configurations_beside_each_other(cli: Any, day: tuple[Path, datetime], tmp_path: Path) -> None:
    """What one tells and the other does not, or not at the same time; the same twice is said to be."""
    folder, _ = day
    (tmp_path / "old.toml").write_text(CONFIG)
    (tmp_path / "new.toml").write_text(CONFIG.replace('name = "checkout"', 'name = "checkout"\nregions = ["us"]'))
    file = tmp_path / "runs.jsonl"
    assert cli(folder, "export", "runs", "-o", str(file)).exit_code == 0
    same = cli(tmp_path, "backtest", str(file), "--compare", "old.toml", "old.toml")
    assert "both tell the same incidents, at the same times" in same.stdout
    shown = cli(tmp_path, "backtest", str(file), "--compare", "old.toml", "new.toml")
    assert shown.exit_code == 0, shown.stderr
    assert "old.toml" in shown.stdout
    assert "note: 'checkout' is not watched from eu, ap by the configuration" in shown.stdout
    assert "later by new.toml" in shown.stdout or "only old.toml" in shown.stdout
    document = json.loads(cli(tmp_path, "backtest", str(file), "--compare", "old.toml", "new.toml", "--json").stdout)
    assert [replay["config"] for replay in document["replays"]] == ["old.toml", "new.toml"]
    assert document["differences"]


def test_stored_runs_by_two_configurations(cli: Any, day: tuple[Path, datetime]) -> None:
    """The data are those of the new one."""
    folder, _ = day
    (folder / "old.toml").write_text(CONFIG.replace('data = "data"', 'data = "elsewhere"'))
    (folder / "new.toml").write_text(STRICTER)
    result = cli(folder, "backtest", "--compare", "old.toml", "new.toml", "--check", "checkout")
    assert result.exit_code == 0, result.stderr
    assert "cart" not in result.stdout
    assert "pages for nothing" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("backtest", "nowhere.jsonl"), 2, "nowhere.jsonl: cannot read it"),
        (("backtest", "--check", "chekout"), 2, "no run of a check 'chekout' is stored; did you mean 'checkout'?"),
        (("backtest", "--since", "soon"), 2, "--since: 'soon' is not a duration"),
        (("backtest", "--since", "1s"), 2, "no run is stored of the last 1s"),
        (("backtest", "--truth", "nowhere.jsonl"), 2, "nowhere.jsonl: cannot read it"),
        (("backtest", "--compare", "config.toml", "nowhere.toml"), 2, "nowhere.toml: cannot read it"),
        (("backtest", "--alerts", "no/such/folder"), 3, "no/such/folder cannot be written: No such file or directory"),
        (("backtest", "bad.jsonl"), 2, "bad.jsonl:2: the meta line of 'checkout' names no region 'xx'"),
        (("backtest", "bad.jsonl", "-c", "config.toml", "--compare", "a", "b"), 2, "leave one"),
        (("backtest", "other.jsonl", "--check", "chekout"), 2, "there is no check 'chekout' in it"),
        (("backtest", "other.jsonl", "-c", "config.toml"), 2, "config.toml watches none of the checks of these runs"),
        (("export", "runs", "--check", "nope"), 2, "no run of a check 'nope' is stored; known: cart, checkout"),
        (("export", "runs", "-o", "no/such/folder"), 3, "no/such/folder cannot be written"),
    ],
)  # fmt: skip
def test_mistakes(cli: Any, day: tuple[Path, datetime], arguments: tuple[str, ...], code: int, said: str) -> None:
    """Each with what is wrong, and the exit code of the house; as JSON where that was asked for."""
    folder, _ = day
    write(folder / "bad.jsonl", [META, {**schedule(1)[0], "region": "xx"}])
    write(folder / "other.jsonl", [{**META, "check": "theirs"}])
    result = cli(folder, *arguments)
    assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
    if arguments[0] == "backtest":
        document = json.loads(cli(folder, *arguments, "--json").stdout)
        assert (document["exit"], said in document["error"]) == (code, True)


def test_nothing_was_stored_yet(cli: Any, tmp_path: Path) -> None:
    """Before the first `probe run`: 3, and what to do."""
    (tmp_path / "config.toml").write_text(CONFIG)
    for arguments in (("backtest",), ("export", "runs")):
        result = cli(tmp_path, *arguments)
        assert (result.exit_code, "start `probe run`" in result.stderr) == (3, True)


def test_what_is_kept_of_bad_days_alone_is_left_out(cli: Any, day: tuple[Path, datetime], tmp_path: Path) -> None:
    """Runs that did not pass outlive those that did: judged alone they would be one long outage."""
    folder, _ = day
    more = f'[store]\nkeep_details = "1h"\nkeep_runs = "2h"\n{CONFIG}'.replace(
        'data = "data"', f'data = "{folder}/data"'
    )
    (tmp_path / "config.toml").write_text(more)
    result = cli(tmp_path, "backtest", "--check", "checkout")
    assert result.exit_code == 0, result.stderr
    assert "runs that passed are kept for 2h (store.keep_runs): older ones are left out" in result.stderr
    assert "0 incidents, 0 pages in 0.08" in result.stdout


def test_without_the_checks_their_shape_is_guessed(cli: Any, day: tuple[Path, datetime], tmp_path: Path) -> None:
    """A configuration that cannot be loaded here does not keep anybody from looking."""
    folder, _ = day
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    (tmp_path / "config.toml").write_text(f'[probe]\ndata = "{folder}/data"\nchecks = ["broken.py"]\n')
    result = cli(tmp_path, "export", "runs")
    assert result.exit_code == 0
    assert "their shape is guessed" in result.stderr
    meta = json.loads(result.stdout.splitlines()[1])
    assert (meta["check"], meta["interval_s"], sorted(meta["regions"])) == ("checkout", 60.0, ["ap", "eu", "us"])


def test_progress_is_told_after_a_while(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error: nothing in the first seconds, then a line now and then in a pipe."""
    clock = iter([0.0, 1.0, 2.5, 3.0, 13.0])
    monkeypatch.setattr("probe.cli.progress.time.monotonic", lambda: next(clock))
    with progress.telling("reading") as told:
        for share in (0.1, 0.2, 0.3, 1.4):
            told(share)
    assert capsys.readouterr().err == "reading: 20%\nreading: 100%\n"
