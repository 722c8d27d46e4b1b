"""Log lines: both libraries alike, with the run they belong to, without secrets."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from probe import log
from probe.core.secret import Redactor, Secret
from probe.ports import RUNNING

REDACTOR = Redactor([Secret("hunter2")])


@contextmanager
def working_for(**run: str) -> Iterator[None]:
    """As the runner does for the time of a run."""
    token = RUNNING.set(run)
    yield
    RUNNING.reset(token)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    import structlog

    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield io.StringIO()
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.reset_defaults()


def entries(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_plain_lines(stream: io.StringIO) -> None:
    log.configure("info", False, REDACTOR, stream=stream)
    with working_for(check="checkout", run="01J", region="eu"):
        log.get_logger("probe.a").warning("browser died", pid=12, why="no\nreason", empty="")
        logging.getLogger("probe.b").info("walked %s in %d s", "checkout", 3, extra={"step": "pay now"})
    log.get_logger("probe.a").debug("not shown")
    first, second = stream.getvalue().splitlines()
    log.get_logger("probe.a").info("it said \x1b[2J\u202e", why="\x9b\x07")
    assert stream.getvalue().splitlines()[2].endswith(r"it said \x1b[2J\u202e why=\x9b\x07")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"
    assert re.fullmatch(
        stamp + r" warning  browser died pid=12 why=no\\nreason empty='' check=checkout run=01J region=eu",
        _sorted(first),
    )
    assert re.fullmatch(
        stamp + r" info     walked checkout in 3 s check=checkout run=01J region=eu step='pay now'", _sorted(second)
    )


def _sorted(line: str) -> str:
    """The line; the order of its pairs is that in which they were bound, and no promise."""
    head, *pairs = re.split(r" (?=\w+=)", line)
    order = ["pid", "why", "empty", "check", "run", "region", "step"]
    return " ".join([head, *sorted(pairs, key=lambda pair: order.index(pair.partition("=")[0]))])


def test_json_lines(stream: io.StringIO) -> None:
    log.configure("debug", True, REDACTOR, stream=stream)
    with working_for(run="01J"):
        log.get_logger("probe.a").info("started", n=1, at=object)
        logging.getLogger("probe.b").debug("%s", "also")
    logging.getLogger("probe.b").info("outside")
    first, second, third = entries(stream)
    assert first | {"timestamp": ""} == {
        "event": "started",
        "level": "info",
        "n": 1,
        "at": "<class 'object'>",
        "run": "01J",
        "timestamp": "",
    }
    assert (second["event"], second["run"], second["level"]) == ("also", "01J", "debug")
    assert "run" not in third
    assert str(third["timestamp"]).endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_in_any_place(stream: io.StringIO, as_json: bool) -> None:
    log.configure("info", as_json, REDACTOR, stream=stream)
    logger = log.get_logger("probe.a")
    with working_for(run="hunter2"):
        logger.warning(
            "login as hunter2", url="https://a:b@c/?p=hunter2", deep={"hunter2": ["x", ("hunter2",), {"hunter2"}]}
        )
        logging.getLogger("other").warning("%s", Secret("hunter2"))
        logging.getLogger("other").warning("hunter%d", 2, extra={"given": Exception("hunter2")})
        try:
            raise ValueError("hunter2 is wrong")
        except ValueError:
            logger.exception("failed")
            logging.getLogger("other").exception("failed too")
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "a:b@" not in text
    assert text.count("ValueError: *** is wrong") == 2


def test_the_last_call_counts(stream: io.StringIO) -> None:
    other = io.StringIO()
    log.configure("info", True, Redactor(), stream=other)
    log.configure("error", True, Redactor(), stream=stream)
    logging.getLogger("probe").warning("not shown")
    log.get_logger("probe").error("shown")
    assert other.getvalue() == ""
    assert [entry["event"] for entry in entries(stream)] == ["shown"]


def test_unknown_level() -> None:
    with pytest.raises(ValueError, match=r"^'loud' is not a level: debug, info, warning, error$"):
        log.configure("loud", False, Redactor())


def test_goes_to_stderr_and_loads_no_rich() -> None:
    program = (
        "import sys; from probe import log; assert 'structlog' not in sys.modules\n"
        "from probe.core.secret import Redactor; log.configure('info', True, Redactor())\n"
        "log.get_logger('a').info('said'); print('rich' in sys.modules)\n"
        "import rich.console"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert json.loads(done.stderr)["event"] == "said"


def test_nothing_is_imported_before_there_is_something_to_say() -> None:
    """A silent command does not pay for structlog; the first line comes out masked, as if it had been there all along."""
    code = (
        "import logging, sys\nfrom probe import log\nfrom probe.core.secret import Redactor, Secret\n"
        "log.configure_at_first_line('warning', json=False, redactor=Redactor([Secret('hunter2')]))\n"
        "logging.getLogger('a').info('quiet')\nassert 'structlog' not in sys.modules\n"
        "logging.getLogger('a').warning('first hunter2')\nlogging.getLogger('a').warning('second')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert first.endswith("first ***")
    assert second.endswith("second")
