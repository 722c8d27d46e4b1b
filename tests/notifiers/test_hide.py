"""No part of a channel's address is shown, wherever a library or a server repeats it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.secret import Redactor, Secret
from probe.notifiers.hide import hiding, origin
from probe.notifiers.text import one_line


@pytest.mark.parametrize(
    ("url", "shown", "said", "masked"),
    [
        (
            "https://hooks.example/services/T0CANARY/x",
            "https://hooks.example",
            "hooks.example: no route /services/T0CANARY/x",
            "hooks.example: no route /***/***/x",
        ),
        (
            "http://ada:pw%21abc@h.example:9093",
            "http://h.example:9093",
            "pw!abc pw%21abc h.example:9093",
            "*** *** h.example:9093",
        ),
        (
            "slack://T1AAA/B2BBB/cccc",
            "slack://T...A/B...B/c...c",
            "/services/T1AAA/B2BBB/cccc",
            "/services/***/***/***",
        ),
        ("json://h.example/a?+K=v4lue", "json://h.example/a?%2BK=v4lue", "a h.example", "a h.example"),
        ("http://[::/T0CANARY", "http://[::", "[:: /T0CANARY", "[:: /***"),
    ],
)
def test_parts(url: str, shown: str, said: str, masked: str) -> None:
    """Tokens are masked, alone and in another order; the host and words that are shown anyway are not."""
    assert hiding(Redactor(), url, shown).text(said) == masked


def test_what_was_known_before_is_known_still() -> None:
    """The redactor's own secrets, and the key."""
    hide = hiding(Redactor([Secret("hunter22")]), "http://h.example", "http://h.example", Secret("the-key-1"))
    assert hide.text("hunter22 the-key-1 h.example") == "*** *** h.example"


@settings(max_examples=30)
@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N")), min_size=8), st.text(), st.text())
def test_long_parts_never_come_through(token: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    hide = hiding(Redactor(), f"https://h.example/a/{token}?b=1", "https://h.example")
    assert token not in hide.text(f"{before} {token} {after}").replace("***", "\0")


def test_origin() -> None:
    """Scheme, host and port; nothing else."""
    assert origin("https://ada:p@ss@am.example:9093/x?y") == "https://am.example:9093"


def test_one_line() -> None:
    """No control characters, no line breaks, not too long."""
    assert one_line("a\r\n  b\x1b[2J\x00") == "a b [2J"
    assert one_line("x" * 200) == "x" * 200
    assert one_line("x" * 201) == "x" * 199 + "…"
