"""What is taken out by its name alone, and other parts of what a journey keeps."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

from probe.authoring.events import Paused
from probe.authoring.findings import Findings
from probe.authoring.steps import Book
from probe.core.failure import Failure
from probe.core.run import Step, StepOutcome
from probe.core.secret import Redactor, Secret
from probe.worker.between import failing_step
from probe.worker.cleaning import cleaned, cleaned_body, cleaned_lines
from probe.worker.documents import telling_headers
from probe.worker.partial import MOST_PAUSED, Partial
from probe.worker.reference import TAKEN, attach, is_due, name_of
from probe.worker.texts import LONGEST, shortened
from tests.core.builders import spec


def test_the_supervisor_waits_for_pictures_and_no_longer() -> None:
    """Whatever a worker says: its user's code could say it, too."""
    partial = Partial(spec=spec(), trace_id="x")
    partial.hear(Paused(1.0))
    assert partial.paused == 0.0, "nothing has begun"
    partial.begun = 100.0
    for seconds in (1.5, -3.0, float("nan"), 1e9):
        partial.hear(Paused(seconds))
    assert (partial.begun, partial.paused) == (100.0 + MOST_PAUSED, MOST_PAUSED)


def test_which_picture_belongs_to_a_step(tmp_path: Path) -> None:
    folder, kept = tmp_path / "reference", tmp_path / "run"
    assert attach(folder, 1, "Pay", kept) is None
    folder.mkdir()
    kept.mkdir()
    for number, step in enumerate(("Pay", "Add to cart", "Pay", "öß"), 1):
        (folder / name_of(number, step)).write_text(f"{number}")
    assert (folder / "4-step.jpg").exists()
    for number, step, found in ((3, "Pay", "3"), (1, "Add to cart", "2"), (7, "Pay", None), (1, "gone", None)):
        (kept / "reference.jpg").unlink(missing_ok=True)
        artifact = attach(folder, number, step, kept)
        assert (None if artifact is None else Path(artifact.path).read_text()) == found
    assert is_due(folder, timedelta(hours=1)), "it does not say when they were taken"
    (folder / TAKEN).touch()
    assert not is_due(folder, timedelta(hours=1))
    ahead = time.time() + 3600
    os.utime(folder / TAKEN, (ahead, ahead))
    assert is_due(folder, timedelta(hours=1)), "a clock that was wrong does not keep them for ever"


def test_the_step_that_failed() -> None:
    book = Book(explain=lambda *_: (), findings=Findings())
    assert failing_step(book) is None
    book.failures = [Failure.of("element", step="pay")]
    assert failing_step(book) is None, "a step that did not come to its end"
    book.steps = [Step(name=name, outcome=StepOutcome.PASSED) for name in ("view", "pay")]
    assert failing_step(book) == (2, "pay")


def test_fields_in_snapshots_and_pages() -> None:
    field = ["INPUT", {"TYPE": "password", "__playwright_value_": "x1", "value": "x2", "id": "a"}, "child"]
    assert cleaned([["FORM", {}, field]]) == [
        ["FORM", {}, ["INPUT", {"TYPE": "password", "__playwright_value_": "***", "value": "***", "id": "a"}, "child"]]
    ]
    for attributes in ({"name": "csrf_token"}, {"id": "Password"}, {"autocomplete": "section-a cc-number"}):
        assert cleaned(["input", {**attributes, "value": "x"}])[1]["value"] == "***"
    plain = ["INPUT", {"name": "q", "value": "coat"}]
    assert cleaned(plain) == plain
    assert cleaned(["INPUT", "text"]) == ["INPUT", "text"]
    html = b"<p><input type='password' name=a value='a b'> <INPUT value=coat name=q><input name=csrf_token value=abc>"
    assert cleaned_body("x.html", html) == (
        b'<p><input type=\'password\' name=a value="***"> <INPUT value=coat name=q><input name=csrf_token value="***">'
    )
    assert cleaned_body("x.png", html) == html


def test_what_was_typed_into_a_secret_field() -> None:
    events = [
        {"type": "before", "callId": "1", "params": {"selector": 'internal:label="New password"i', "value": "abc"}},
        {"type": "log", "callId": "1", "message": '  fill("abc")'},
        {"type": "before", "callId": "2", "params": {"selector": "#name", "value": "abc"}},
        {"type": "log", "callId": "2", "message": '  fill("abc")'},
        {"type": "before", "callId": "3", "params": {"expression": "/*probe*/ 1"}},
        {"type": "after", "callId": "3", "result": "seen"},
    ]
    lines = [json.loads(line) for line in cleaned_lines("\n".join(map(json.dumps, events)).encode()).splitlines()]
    assert [line.get("message", line.get("params", {}).get("value")) for line in lines] == [
        "***",
        '  fill("***")',
        "abc",
        '  fill("abc")',
    ]


def test_which_headers_tell_something() -> None:
    given = {"via": "a", "x-deploy-id": "b", "x-version": "v-hunter2", "x-api-key-version": "c", "date": "d"}
    clean = Redactor([Secret("hunter2")]).text
    assert telling_headers(given, clean) == (("via", "a"), ("x-deploy-id", "b"), ("x-version", "v-***"))


def test_a_secret_that_would_be_cut_in_two_is_taken_out_first() -> None:
    said = "a" * (LONGEST - 3) + "hunter2" + "b" * 99
    assert shortened(said, Redactor([Secret("hunter2")]).text) == "a" * (LONGEST - 3) + "***"
