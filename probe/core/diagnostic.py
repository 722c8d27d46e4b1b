"""What is wrong with what a user wrote: where, what, and what would be right."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether it stops the program."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding about a config file or a check file.

    >>> print(Diagnostic(file="config.toml", line=31, key="slo.checkout.objective", what="101% is not below 100%",
    ...                  hint="write for example \\"99.9%\\""))
    config.toml:31: slo.checkout.objective: 101% is not below 100%; write for example "99.9%"
    """

    file: str
    what: str
    line: int | None = None
    key: str = ""
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        word = "" if self.severity is Severity.ERROR else "warning: "
        key = f"{self.key}: " if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}: {word}{key}{self.what}{hint}"
