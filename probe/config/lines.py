"""Which line each key of a TOML file stands on. tomllib reads the values but does not say where they were.

The text is expected to be valid TOML (tomllib has read it); on anything else the answer is merely useless, never an
exception.
"""

import re
import tomllib
from typing import Final, NamedTuple

KeyPath = tuple[str | int, ...]
"""Where a value is: keys, and indexes of arrays (from 0), such as `("check", 0, "expect", "status")`."""

_TOKEN: Final = re.compile(
    r"""(?P<string>\"{3}(?:\\.|[^\\])*?\"{3,5}(?!\")|'{3}.*?'{3,5}(?!')|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
      | (?P<space>[ \t\r]+|\#[^\n]*)
      | (?P<newline>\n)
      | (?P<mark>[\[\]{}=,.])
      | (?P<word>[^\s\[\]{}=,.\#"']+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_DEEPEST: Final = 100


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def key_lines(text: str) -> dict[KeyPath, int]:
    r"""The line (from 1) of every key, table header and array element.

    >>> key_lines("[a]\nb.c = 1\n[[d]]\ne = [\n  { f = 2 },\n]")[("d", 0, "e", 0, "f")]
    5
    """
    return _Scanner(text).scan()


def _tokens(text: str) -> list[_Token]:
    tokens, line = [], 1
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "other"
        if kind != "space":
            tokens.append(_Token(kind, found[0], line))
        line += found[0].count("\n")
    return [*tokens, _Token("newline", "\n", line), _Token("end", "", line)]


class _Scanner:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}
        """How many elements each array of tables has so far."""

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while (token := self._peek()).kind != "end":
            if token.text == "[":
                table = self._header(token.line)
            elif token.kind in ("word", "string"):
                self._pair(table, 0)
            self._skip_line()
        return self._lines

    def _peek(self) -> _Token:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _skip_line(self) -> None:
        while self._peek().kind not in ("newline", "end"):
            self._at += 1
        self._at += 1

    def _skip_newlines(self) -> None:
        while self._peek().kind == "newline":
            self._at += 1

    def _keys(self) -> tuple[str, ...]:
        keys = []
        while self._peek().kind in ("word", "string"):
            keys.append(_unquote(self._next()))
            if self._peek().text != ".":
                break
            self._at += 1
        return tuple(keys)

    def _header(self, line: int) -> KeyPath:
        self._at += 1
        array = self._peek().text == "["
        self._at += array
        path: KeyPath = ()
        for key in (keys := self._keys())[:-1]:
            path = self._into((*path, key), line)
        if not keys:
            return ()
        path = (*path, keys[-1])
        if not array:
            path = self._into(path, line)
            self._lines[path] = line
            return path
        index = self._counts.get(path, 0)
        self._counts[path] = index + 1
        self._lines.setdefault(path, line)
        self._lines[(*path, index)] = line
        return (*path, index)

    def _into(self, path: KeyPath, line: int) -> KeyPath:
        """The path itself, or the newest element where the path is an array of tables."""
        self._lines.setdefault(path, line)
        count = self._counts.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, table: KeyPath, depth: int) -> None:
        line = self._peek().line
        path = table
        for key in self._keys():
            path = (*path, key)
            self._lines.setdefault(path, line)
        if self._peek().text == "=":
            self._at += 1
            self._value(path, depth)

    def _value(self, path: KeyPath, depth: int) -> None:
        opening = self._peek().text
        if opening == "[" and depth < _DEEPEST:
            self._array(path, depth + 1)
        elif opening == "{" and depth < _DEEPEST:
            self._inline_table(path, depth + 1)
        else:
            while (token := self._peek()).kind not in ("newline", "end") and token.text not in ",]}":
                self._at += 1

    def _array(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip_newlines()
            token = self._peek()
            if token.kind == "end" or token.text == "]":
                break
            if token.text == ",":
                index += 1
                self._at += 1
            elif token.text == "}":
                self._at += 1
            else:
                self._lines.setdefault((*path, index), token.line)
                self._value((*path, index), depth)
        self._at += 1

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        while (token := self._peek()).kind != "end" and token.text != "}":
            if token.kind in ("word", "string"):
                self._pair(path, depth)
            else:
                self._at += 1
        self._at += 1


def _unquote(token: _Token) -> str:
    if token.kind == "word":
        return token.text
    try:
        return str(tomllib.loads(f"key = {token.text}")["key"])
    except ValueError:
        return token.text
