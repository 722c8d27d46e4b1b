"""Logging: structlog and the standard library through the same steps, to stderr, secrets masked.

Modules take their logger with `logging.getLogger(__name__)` (no import of structlog, which is slow to load) or with
`get_logger`; both come out alike once `configure` was called, and say which run they were logged for:

    2026-01-02T03:04:05.678Z warning  browser died check=checkout run=01J… region=eu-west
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from types import ModuleType
from typing import Any, Final, TextIO

from probe.core.secret import Redactor
from probe.ports import RUNNING

LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str, json: bool, redactor: Redactor, *, stream: TextIO | None = None) -> None:
    """Send everything of `level` (one of `LEVELS`) and above to stderr (or `stream`), as key=value or as JSON lines.

    Timestamps are UTC. `redactor` masks every value, keys too, and tracebacks. May be called again: the last call
    counts. `ValueError` for an unknown level.
    """
    if level not in LEVELS:
        raise ValueError(f"{level!r} is not a level: {', '.join(LEVELS)}")
    structlog = _structlog()
    shared = [
        structlog.stdlib.add_log_level,
        _extra,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.processors.JSONRenderer(default=str) if json else _line
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _masking(redactor),
            last,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def configure_at_first_line(level: str, json: bool, redactor: Redactor) -> None:
    """As `configure`, but only when there is something to log: a command that says nothing does not import structlog."""
    root = logging.getLogger()
    root.addHandler(_AtFirstLine(level, json, redactor))
    root.setLevel(level.upper())


class _AtFirstLine(logging.Handler):
    """Configures logging when the first record comes, and hands the record on."""

    def __init__(self, level: str, json: bool, redactor: Redactor) -> None:
        super().__init__()
        self._wanted = (level, json, redactor)

    def emit(self, record: logging.LogRecord) -> None:
        """Give way to the real handler."""
        root = logging.getLogger()
        root.removeHandler(self)
        configure(*self._wanted)
        root.handlers[-1].handle(record)


def get_logger(name: str) -> Any:
    """A structlog logger: `log.warning("browser died", pid=12)`."""
    return _structlog().stdlib.get_logger(name)


def _structlog() -> ModuleType:
    """The structlog package without rich, which its console renderer imports when it is there: 0.2 s that no line of ours needs."""
    if "structlog" not in sys.modules and "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how Python is told that a module is not there
        try:
            import structlog
        finally:
            del sys.modules["rich"]
    import structlog

    return structlog


_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What a record of the standard library has anyway; anything else on it was given as `extra`."""


def _extra(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    event.update(RUNNING.get())
    event.update({key: value for key, value in vars(record).items() if key not in _OWN} if record else {})
    return event


def _masking(redactor: Redactor) -> Any:
    def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        return {redactor.text(str(key)): _masked(value, redactor) for key, value in event.items()}

    return mask


def _masked(value: Any, redactor: Redactor) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, Mapping):
        return {redactor.text(str(key)): _masked(inner, redactor) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner, redactor) for inner in value]
    return redactor.text(str(value))


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """One line for a person: time, level, what happened, then key=value; a traceback below it."""
    rest = dict(event)
    head = f"{rest.pop('timestamp', '')} {rest.pop('level', ''):<8} {_one_line(rest.pop('event', ''))}"
    traceback = rest.pop("exception", None)
    pairs = " ".join(f"{key}={_quoted(value)}" for key, value in rest.items())
    below = "".join(f"\n{_harmless(line)}" for line in str(traceback).split("\n")) if traceback else ""
    return f"{head} {pairs}".rstrip() + below


def _one_line(value: object) -> str:
    # A line break in what a server said must not look like a line of ours, nor may it command a terminal.
    return _harmless(str(value))


def _harmless(text: str) -> str:
    """A text with its signs that cannot be seen written out, as Python writes them."""
    return text if text.isprintable() else "".join(s if s.isprintable() else repr(s)[1:-1] for s in text)


def _quoted(value: object) -> str:
    text = _one_line(value)
    return repr(text) if not text or any(c in text for c in " =\"'") else text
