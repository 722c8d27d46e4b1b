"""Texts of others in Markdown, so that they stay texts: whatever they hold, it is read as it was written, and is no markup."""

import re
import unicodedata
from typing import Any, Final

from markupsafe import Markup

LONGEST: Final = 600
"""Signs of a text at most."""
_MARKS: Final = re.compile(r"([\\`*_\[\]#|~@$])")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ADDRESS: Final = re.compile(r"\b(https?|ftp)(?=://)|\b(mailto|xmpp)(?=:)|\b(www)(?=\.)", re.IGNORECASE)
"""What is made a link of without any markup."""
_FIRST: Final = re.compile(r"^(?:[-+=]|\d+(?=[.)](?:\s|$)))")
"""What makes a list, a line or a heading of a line that begins with it."""
_PLAIN: Final = re.compile(r"[\w ./'\":,=-]+", re.ASCII)


def markdown(value: Any) -> str:
    r"""A value as one line of text in Markdown (CommonMark, and GitHub's tables and links).

    >>> print(markdown("<b>[a](http://e.example)|\n# x"))
    &lt;b&gt;\[a\](http\://e.example)\| \# x
    """
    if isinstance(value, Markup):  # what the template made of it
        return str(value)
    text = "" if value is None else one_line(str(value))
    text = "".join(_ENTITIES.get(sign, sign) for sign in text)
    text = _MARKS.sub(r"\\\1", text)
    text = _ADDRESS.sub(r"\g<0>\\", text)
    return _FIRST.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", text)


def code(value: Any) -> Markup:
    """A command as it is to be typed; as mere text where it holds anything odd.

    >>> code("probe check cart --once")
    Markup('`probe check cart --once`')
    """
    text = one_line(str(value))
    return Markup(f"`{text}`" if _PLAIN.fullmatch(text) else markdown(text))  # noqa: S704  # either of our signs alone, or escaped


def one_line(text: str) -> str:
    r"""A text on one line, shortened, and as `visible` has it.

    >>> one_line("a\n  b")
    'a b'
    """
    line = " ".join(text.split())
    return visible(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")


def visible(text: str) -> str:
    r"""A text without signs that nobody sees, or that turn the others around: a mark stands in the place of each.

    >>> visible("a\x1b[1m\u202e")
    'a�[1m�'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if sign not in "\n\t" and unicodedata.category(sign) in _UNSEEN else sign for sign in text)


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co"})
