"""What is wrong with what a user wrote, collected with its file, line and key; never with a secret."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from probe.config.lines import KeyPath
from probe.core.diagnostic import Diagnostic, Severity
from probe.core.secret import MASK, Redactor, Secret

LONGEST: Final = 80
"""Characters of a value that a diagnostic quotes."""


class Findings:
    """Collects diagnostics of one file.

    `lines` tells the line of a key path; a path that is not in it has the line of its nearest parent. `labels` names
    paths in other words than their own, such as `check.home-page` for `("check", 0)`. `tainted` are paths whose value
    holds something from outside the file: such a value is never quoted. What stands at `unusable` paths was complained
    about before it was judged; nothing more is said about it.
    """

    def __init__(
        self, file: str, lines: Mapping[KeyPath, int] | None = None, labels: Mapping[KeyPath, str] | None = None
    ) -> None:
        self.file = file
        self.lines: Mapping[KeyPath, int] = lines or {}
        self.labels: dict[KeyPath, str] = dict(labels or {})
        self.tainted: set[KeyPath] = set()
        self.unusable: set[KeyPath] = set()
        self._found: list[Diagnostic] = []

    def error(self, path: KeyPath, what: str, hint: str = "", *, line: int | None = None) -> None:
        """Note that the value at `path` is wrong."""
        if path not in self.unusable:
            self.add(self._diagnostic(path, what, hint, line, Severity.ERROR))

    def warning(self, path: KeyPath, what: str, hint: str = "", *, line: int | None = None) -> None:
        """Note that the value at `path` is odd, but can be used."""
        self.add(self._diagnostic(path, what, hint, line, Severity.WARNING))

    def add(self, *diagnostics: Diagnostic) -> None:
        """Take over diagnostics made elsewhere. A second one of the same words is dropped."""
        self._found.extend(d for d in dict.fromkeys(diagnostics) if d not in self._found)

    def _diagnostic(self, path: KeyPath, what: str, hint: str, line: int | None, severity: Severity) -> Diagnostic:
        return Diagnostic(
            file=self.file,
            line=self.line(path) if line is None else line,
            key=self.key(path),
            what=what,
            hint=hint,
            severity=severity,
        )

    @property
    def count(self) -> int:
        """How many there are so far."""
        return len(self._found)

    def line(self, path: KeyPath) -> int | None:
        """The line of a key path, or of its nearest parent that is known."""
        for end in range(len(path), -1, -1):
            if (line := self.lines.get(path[:end])) is not None:
                return line
        return None

    def key(self, path: KeyPath) -> str:
        """The path as people write it: `targets.shop.url`, `check.home-page.expect.status`."""
        for end in range(len(path), -1, -1):
            if (label := self.labels.get(path[:end])) is not None:
                break
        else:
            label = ""
        for part in path[end:]:
            label = f"{label}[{part}]" if isinstance(part, int) else f"{label}.{part}" if label else part
        return label

    def may_show(self, path: KeyPath) -> bool:
        """Whether the value at `path` was written in the file as it is."""
        return not any(t[: len(path)] == path or path[: len(t)] == t for t in self.tainted)

    def show(self, path: KeyPath, value: Any) -> str:
        """`value` as a message may quote it."""
        if not self.may_show(path):
            return f"'{MASK}'"
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def result(self, secrets: Iterable[Secret] = ()) -> tuple[Diagnostic, ...]:
        """Everything found, in the order of the file's lines, with every secret masked."""
        ordered = sorted(self._found, key=lambda d: (d.file != self.file, d.file, d.line or 0))
        return redacted(ordered, secrets)


def redacted(diagnostics: Iterable[Diagnostic], secrets: Iterable[Secret]) -> tuple[Diagnostic, ...]:
    """The diagnostics with every secret masked in what they say."""
    redactor = Redactor(secrets)
    return tuple(
        Diagnostic(
            file=d.file,
            line=d.line,
            key=d.key,
            what=redactor.text(d.what),
            hint=redactor.text(d.hint),
            severity=d.severity,
        )
        for d in diagnostics
    )


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them stops the program."""
    return any(d.severity is Severity.ERROR for d in diagnostics)
