"""What is told by its name: the value of a field called `password` or `token` is nobody's to read, known to us or not."""

import re
from typing import Final

from probe.core.secret import MASK

_PART: Final = r"(?:passw(?:or)?d|passwort|passphrase|secret|token|api[_-]?key|access[_-]?key|credential|signature)[\w.\[\]-]{0,40}"
"""Says it as a part of a name, with the rest of the name."""
_WHOLE: Final = r"(?:auth(?:orization)?|pwd|pin|cvv|cvc|otp|jwt|sid|(?:php|j)?sess(?:ion)?[_-]?id|card[_-]?number)"
"""Says it when the name is nothing else."""
_NAMED: Final = re.compile(rf"[\w.\[\]-]{{0,40}}?{_PART}|{_WHOLE}", re.IGNORECASE)
# What stands before such a part does not matter: it is looked for nowhere else, which takes time that grows with the text.
_VALUED: Final = re.compile(
    rf"""(?P<name>{_PART}|(?<![\w.-]){_WHOLE})
    (?: (?P<shut>\\*["'])?\s*[:=]\s*(?P<quote>\\*["'])(?:(?!(?P=quote))(?:\\.|[^\\]))+   # "name": "value", name: 'value'
      | (?P<equals>=)[^&\s"'<>#\\]+ )                                                   # name=value
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_sensitive(name: str) -> bool:
    """Whether what a field, a parameter or a cookie of this name holds is not to be kept.

    >>> is_sensitive("new_password"), is_sensitive("sid"), is_sensitive("side")
    (True, True, False)
    """
    return _NAMED.fullmatch(name) is not None


def without_sensitive(text: str) -> str:
    """An address, a form, JSON or a script with the values masked of what has such a name.

    >>> without_sensitive("https://shop.example/in?user=ada&access_token=x1y2#top")
    'https://shop.example/in?user=ada&access_token=***#top'
    >>> without_sensitive('{"user": "ada", "password": "hunter2"}')
    '{"user": "ada", "password": "***"}'
    """
    return _VALUED.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    upto = found.end("quote") if found["quote"] else found.end("equals")
    return found.string[found.start() : upto] + MASK
