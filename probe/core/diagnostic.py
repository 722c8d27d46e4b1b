"""What is wrong with what a user wrote: where, what, and what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether it stops the program."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding about a config file or a check file.

    >>> print(Diagnostic(file="config.toml", line=31, key="target", what="there is no target 'shpo'", hint="did you mean 'shop'?"))
    config.toml:31: target: there is no target 'shpo'; did you mean 'shop'?
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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a name that does not exist: the nearest known one, else all of them; "" when there are none.

    >>> did_you_mean("shpo", ["shop", "pay"])
    "did you mean 'shop'?"
    >>> did_you_mean("zzz", ["shop", "pay"])
    'known: pay, shop'
    """
    import difflib  # 5 ms, for those who made a mistake

    names = sorted(set(known))
    near = difflib.get_close_matches(word.lower(), [name.lower() for name in names], n=1)
    if near:
        return f"did you mean {next(name for name in names if name.lower() == near[0])!r}?"
    return f"known: {', '.join(names)}" if names else ""
