"""Where the keys of a TOML file stand."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.config.lines import KeyPath, key_lines

DOCUMENT = (
    '''\
# a comment with [brackets] and = signs
top = 1

[a.b]            # line 4
"quoted key" = """
[not.a.table]
x = 1
"""
c.d = 'it''
'''.replace("it''", "it'")
    + '''\
e = [
  "one",  # a comment, with ] inside
  { f = 2, g = { h = 3.5 } },
]
[[list]]
x = 1
[[list.inner]]
y = 1
[[list.inner]]
y = 2
[list.sub]
z = 1
[[list]]
x = """a \\""" b"""
w = 2020-01-01T00:00:00Z
"u\\u0041" = 1
'''
)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("a",), 4),
        (("a", "b"), 4),
        (("a", "b", "quoted key"), 5),
        (("a", "b", "c"), 9),
        (("a", "b", "c", "d"), 9),
        (("a", "b", "e"), 10),
        (("a", "b", "e", 0), 11),
        (("a", "b", "e", 1, "f"), 12),
        (("a", "b", "e", 1, "g", "h"), 12),
        (("list",), 14),
        (("list", 0), 14),
        (("list", 0, "x"), 15),
        (("list", 0, "inner", 0, "y"), 17),
        (("list", 0, "inner", 1), 18),
        (("list", 0, "inner", 1, "y"), 19),
        (("list", 0, "sub"), 20),
        (("list", 0, "sub", "z"), 21),
        (("list", 1), 22),
        (("list", 1, "x"), 23),
        (("list", 1, "w"), 24),
        (("list", 1, "uA"), 25),
    ],
)
def test_line(path: KeyPath, line: int) -> None:
    assert key_lines(DOCUMENT)[path] == line


def test_finds_exactly_the_keys_that_tomllib_reads() -> None:
    assert set(key_lines(DOCUMENT)) == set(_paths(tomllib.loads(DOCUMENT), ()))


def _paths(value: Any, path: KeyPath) -> list[KeyPath]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [p for key, v in items for p in _paths(v, (*path, key))]
    return [path, *inner] if path else inner


@given(st.text(alphabet=st.sampled_from(list("[]{}=,.\"'\\#\n\r \tab1-é")), max_size=80))
@settings(max_examples=300, deadline=None)
def test_never_fails_on_any_text(text: str) -> None:
    lines = key_lines(text)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@pytest.mark.parametrize("text", ["[" * 5000, "a = " + "[" * 5000, "a = " + "{b = " * 5000, '"""' * 200])
def test_never_fails_on_deep_text(text: str) -> None:
    key_lines(text)


_KEYS = st.text(alphabet="abc.\"'\\ é#=", min_size=1, max_size=4)
_VALUES = st.recursive(
    st.one_of(st.integers(-5, 5), st.booleans(), st.text(alphabet="ab\"'\\#[]{}=,\n", max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=6,
)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)} = {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_written, value)) + "\n]"
    if isinstance(value, str):
        return _quoted(value)
    return str(value).lower()


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
@settings(max_examples=150, deadline=None)
def test_finds_every_key_of_any_document(document: dict[str, Any]) -> None:
    text = "".join(f"{_quoted(key)} = {_written(value)}\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    assert set(key_lines(text)) == set(_paths(document, ()))
