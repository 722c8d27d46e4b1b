"""What a person reads."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from probe.cli.live import Board
from probe.cli.table import print_reason, print_results, results_table, summary
from probe.core.check import CheckId
from probe.core.exchange import Phases
from probe.core.failure import Failure
from probe.core.run import Artifact, Observation, PageRequest, Run, RunId, Step, StepOutcome, Vitals, Why, finish
from probe.core.target import Region
from probe.engine.runner import Job
from tests.core.builders import NOW, exchange, spec

STATUS = Failure.of(
    "status", "POST /api/cart answered 500", step="add to cart", expected="201", actual="500", url="https://s/api/cart"
)


def run(check: str, observation: Observation) -> Run:
    return finish(
        spec(id=CheckId(check)),
        observation,
        id=RunId("r"),
        region="local",
        why=Why.MANUAL,
        started=NOW,
        elapsed=timedelta(seconds=1.5),
    )


FAILED = run(
    "checkout",
    Observation(
        failures=(STATUS, Failure.of("element", "heading 'Your cart' not found", step="add to cart")),
        steps=(
            Step(name="view product", outcome=StepOutcome.PASSED, duration=0.41, within=2),
            Step(name="add to cart", outcome=StepOutcome.FAILED, duration=3.2, failure=STATUS),
            Step(name="checkout", outcome=StepOutcome.SKIPPED),
        ),
        failed_requests=(
            PageRequest(method="POST", url="https://s/api/cart", status=500, error=None, third_party=False),
        ),
        artifacts=(Artifact(kind="screenshot", path="/e/shot.png", size=9),),
    ),
)
ERRORED = run("broken", Observation(failures=(Failure.of("check_bug", "NameError in shop.py:7"),), log=("printed",)))
API = run("api", Observation(exchanges=(exchange(phases=Phases(connect=0.002, ttfb=0.3)),)))
PAGE = run("page", Observation(vitals=(Vitals(url="https://s/", lcp=0.31), Vitals(url="https://s/2", lcp=None))))


def shown(*things: object) -> str:
    console = Console(file=io.StringIO(), width=160, no_color=True)
    for thing in things:
        console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table_names_step_layer_and_reason() -> None:
    """One row a run, one a step; the failing step stands out, what was not reached is said."""
    text = shown(results_table([FAILED, API, PAGE]))
    assert "✗ checkout" in text
    assert "✗ add to cart" in text
    assert "http: POST /api/cart answered 500" in text
    assert "not reached" in text
    assert "within 2 s" in text
    assert "200 · connect 2 ms · ttfb 300 ms" in text.replace("2.0 ms", "2 ms")
    assert "slowest LCP 310 ms" in text


@pytest.mark.parametrize(
    "words",
    ['✗ checkout from local failed at step "add to cart"', "layer", "http", "201", "500", "https://s/api/cart",
     "content: heading 'Your cart' not found", "POST https://s/api/cart 500", "/e/shot.png"],
)  # fmt: skip
def test_reason_says_all(words: str) -> None:
    """Step, layer, expected and actual, what else was seen, and where the proof is."""
    console = Console(file=io.StringIO(), width=160, no_color=True)
    print_reason(console, FAILED)
    assert isinstance(console.file, io.StringIO)
    assert words in console.file.getvalue()


def test_our_own_trouble_is_said_to_be_ours() -> None:
    """Nobody shall call the shop for it."""
    console = Console(file=io.StringIO(), width=160, no_color=True)
    print_reason(console, ERRORED)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "probe's own trouble" in text
    assert "printed" in text


def test_markup_in_what_was_seen_is_text() -> None:
    """A page cannot colour or break the terminal's table."""
    nasty = run("x", Observation(failures=(Failure.of("body", "[red]boom[/red] [/nope]"),)))
    assert "[red]boom[/red] [/nope]" in shown(results_table([nasty]))


def test_what_was_seen_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """No sign that moves a cursor, sets a title, or turns a line around, wherever it stands."""
    evil = "boom \x1b]0;owned\x07\x1b[2J\x9b31m \u202egnp.exe\ud800"
    nasty = run("x", Observation(log=(evil,), failures=(Failure.of("body", evil, expected=evil, actual=evil),)))
    print_results([nasty], 1.0)
    said = capsys.readouterr().out
    assert said.count("boom �]0;owned") >= 2
    assert [sign for sign in said if not sign.isprintable() and sign != "\n"] == []


def test_summary() -> None:
    """How many ended how."""
    assert (
        shown(summary([FAILED, ERRORED, API, PAGE], 4.21)).strip() == "4 runs: 2 passed, 1 failed, 1 errored in 4.21 s"
    )
    assert shown(summary([API], 0.5)).strip() == "1 run: 1 passed in 500 ms"


def test_the_board_follows_the_jobs() -> None:
    """Waiting, running, ended; counted when it repeats."""
    job = Job(spec(id=CheckId("checkout")), Region(name="local"))
    board = Board([job], repeats=True)
    assert "waiting" in shown(board)
    board.started(job)
    assert "running" in shown(board)
    board.ended(job, FAILED)
    board.started(job)
    board.ended(job, PAGE)
    text = shown(board)
    assert "passed" in text
    assert [word for word in text.splitlines()[1].split() if word.isdigit()][:2] == ["2", "1"]
    assert board.runs == (PAGE,)
