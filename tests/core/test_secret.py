"""Secrets and their removal."""

import base64
import html
import json
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, quote_plus

import markupsafe
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from probe.core.run import Outcome
from probe.core.secret import MASK, Redactor, Secret, encodings, url_secrets, without_credentials

AWKWARD = 'hun"ter2 s&cret+é/\\'


def test_a_secret_does_not_show_itself() -> None:
    """Neither str, repr nor a format shows the value."""
    secret = Secret("hunter22")
    assert "hunter22" not in f"{secret} {secret!r} {secret!s:>30} {[secret]}"
    assert secret.reveal() == "hunter22"


def test_secrets_compare_by_value() -> None:
    """Two secrets of one value are one key."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": json.dumps,
    "json with unicode": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "url path": quote,
    "url query": quote_plus,
    "url component": lambda s: quote(s, safe=""),
    "url component, small hex": lambda s: re.sub("%..", lambda found: found[0].lower(), quote(s, safe="")),
    "html": html.escape,
    "html of a template": lambda s: str(markupsafe.escape(s)),
    "csv": lambda s: s.replace('"', '""'),
    "python": repr,
    "a header, read as Latin-1": lambda s: s.encode().decode("latin-1"),
    "a header in JSON": lambda s: json.dumps(s.encode().decode("latin-1"), ensure_ascii=False),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "basic auth": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "base64 at 2": lambda s: base64.b64encode(f"a:{s}:b".encode()).decode(),
    "base64url at 3": lambda s: base64.urlsafe_b64encode(f"ab:{s}:b".encode()).decode(),
}


@pytest.mark.parametrize("hide", ENCODERS.values(), ids=ENCODERS)
def test_found_in_every_encoding(hide: Callable[[str], str]) -> None:
    """However an output writes a secret, it is found; what is around it stays."""
    redactor = Redactor([Secret(AWKWARD)])
    written = f"before {hide(AWKWARD)} after"
    masked = redactor.text(written)
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert MASK in masked
    assert "cret" not in masked
    assert redactor.data(written.encode()) == masked.encode()


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=30),
    st.binary(max_size=20),
    st.binary(max_size=20),
)
def test_no_raw_form_survives(secret: str, before: bytes, after: bytes) -> None:
    """Whatever the secret and whatever stands around it: its bytes are gone."""
    assume("*" not in secret)
    masked = Redactor([Secret(secret)]).data(before + secret.encode() + after)
    assert MASK.encode() in masked
    assert all(secret.encode() not in part for part in masked.split(MASK.encode()))


def test_the_longest_first() -> None:
    """A secret that contains another is masked whole."""
    assert Redactor([Secret("pass"), Secret("password1")]).text("x password1 y") == f"x {MASK} y"


def test_short_values_are_left_alone() -> None:
    """Masking each "a" would ruin the output and hide nothing."""
    assert Redactor([Secret("a"), Secret("abc")]).text("abacus") == "abacus"
    assert encodings("a") == frozenset()


def test_credentials_of_any_url() -> None:
    """User and password of a URL are masked without being known."""
    redactor = Redactor()
    assert redactor.text("GET https://ada:pw@shop.example/x@y") == f"GET https://{MASK}@shop.example/x@y"
    assert redactor.data(b"socks5://t0ken@egress:1080 a@b.c") == b"socks5://" + MASK.encode() + b"@egress:1080 a@b.c"
    assert redactor.text("mail a@b.c about http://shop/") == "mail a@b.c about http://shop/"


@dataclass(frozen=True, slots=True)
class _Leaf:
    text: str
    when: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Tree:
    leaves: tuple[_Leaf, ...]
    table: dict[str, list[str | int | None]]
    raw: bytes


class _Pair(NamedTuple):
    text: str
    table: dict[str, int]


def test_halves_of_characters() -> None:
    """A script of a shop can make them, and nothing could print or send them."""
    redactor = Redactor([Secret("hunter22")])
    assert redactor.text("a \ud800 ü hunter22") == f"a ? ü {MASK}"
    whole = "ü 😀"
    assert redactor.text(whole) is whole


def test_whole_structures() -> None:
    """Everything inside a structure is masked; what is clean stays the same object."""
    now = datetime.now(UTC)
    clean = _Leaf("nothing", now, Outcome.PASSED)
    tree = _Tree(
        (_Leaf("has hunter22", now, Outcome.FAILED), clean), {"k hunter22": ["hunter22", 1, None]}, b"hunter22"
    )
    masked = Redactor([Secret("hunter22")]).structure(tree)
    assert "hunter22" not in repr(masked)
    assert masked.leaves[0] == _Leaf(f"has {MASK}", now, Outcome.FAILED)
    assert masked.leaves[1] is clean
    assert masked.table == {f"k {MASK}": [MASK, 1, None]}
    assert Redactor([Secret("elsewhere")]).structure(clean) is clean
    assert Redactor().structure(_Leaf) is _Leaf
    pair = _Pair("a hunter22", {"b": 1})
    assert Redactor([Secret("hunter22")]).structure(pair) == _Pair(f"a {MASK}", {"b": 1})
    assert type(Redactor().structure(pair)) is _Pair


def test_url_secrets() -> None:
    """The password of a URL, as written and decoded."""
    assert [s.reveal() for s in url_secrets("http://u:p%40ss@h/")] == ["p%40ss", "p@ss"]
    assert [s.reveal() for s in url_secrets("http://u:pass@h/")] == ["pass"]
    assert url_secrets("http://h/") == ()
    assert without_credentials("http://u:p@h:1/x?y#z") == "http://h:1/x?y#z"


def test_a_secret_may_travel_to_a_worker() -> None:
    """Pickling keeps the value (a worker needs it) and its repr stays silent."""
    copy = pickle.loads(pickle.dumps(Secret("hunter22")))
    assert copy.reveal() == "hunter22"
    assert "hunter22" not in repr(copy)
