"""Values whose field says that nobody is to read them."""

import json

import pytest

from probe.core.sensitive import is_sensitive, without_sensitive


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Password",
        "user[password]",
        "new-passwd",
        "csrf_token",
        "X-Api-Key",
        "sid",
        "PHPSESSID",
        "session_id",
        "cvc",
        "Authorization",
    ],
)
def test_names_that_are_sensitive(name: str) -> None:
    assert is_sensitive(name)
    assert without_sensitive(f"/a?{name}=s3cret&b=1") == f"/a?{name}=***&b=1"
    assert json.loads(without_sensitive(json.dumps({name: 's3"cr\\et', "b": "1"}))) == {name: "***", "b": "1"}


@pytest.mark.parametrize("name", ["user", "side", "pinned", "color", "authors", "q", "build"])
def test_names_that_are_not(name: str) -> None:
    assert not is_sensitive(name)
    for text in (f"/a?{name}=value", json.dumps({name: "value"})):
        assert without_sensitive(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token=abc&x=1", "token=***&x=1"),
        ('{"token" : "abc"}', '{"token" : "***"}'),
        ("{access_token: 'abc', a: 'b'}", "{access_token: '***', a: 'b'}"),
        ('<meta data-csrf-token="abc" content="x">', '<meta data-csrf-token="***" content="x">'),
        (r'"{\"password\":\"abc\",\"a\":1}"', r'"{\"password\":\"***\",\"a\":1}"'),
        ("#id_token=a.b.c&state=1", "#id_token=***&state=1"),
    ],
)
def test_where_a_value_stands(text: str, shown: str) -> None:
    assert without_sensitive(text) == shown


def test_what_has_no_such_name_is_left_alone() -> None:
    for text in ("", "a token of thanks", "no pairs", '{"tokens": 3}', '"password": ""', "?pinned=a&side=b", "sid"):
        assert without_sensitive(text) == text
