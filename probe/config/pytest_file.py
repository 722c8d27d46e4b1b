"""The test functions of a pytest file, read from its source: it is not imported here."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFunction:
    """One test function: `node` is pytest's node id inside the file."""

    __test__ = False  # for pytest, which would collect the class

    node: str
    line: int
    doc: str = ""


class Unreadable(Exception):  # noqa: N818  # says what the file is
    """The file cannot be read, or is not Python."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def tests_in(file: Path) -> tuple[TestFunction, ...]:
    """`test_*` functions and methods of `Test*` classes, in the order of the file. `Unreadable` when there is no reading it."""
    try:
        source = file.read_bytes()
        return tuple(_tests(ast.parse(source, str(file)).body, ""))
    except OSError as error:
        raise Unreadable(reason=f"cannot read it: {error.strerror}") from None
    except SyntaxError as error:
        raise Unreadable(reason=f"{error.msg}", line=error.lineno) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(reason=str(error) or "it is too deeply nested") from None


def _tests(body: list[ast.stmt], prefix: str) -> Iterator[TestFunction]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test"):
                doc = (ast.get_docstring(statement) or "").partition("\n")[0]
                yield TestFunction(node=f"{prefix}{name}", line=statement.lineno, doc=doc)
            case ast.ClassDef(name=name) if name.startswith("Test"):
                yield from _tests(statement.body, f"{prefix}{name}::")
            case _:
                pass
