"""Several notifications as one message, and words of others made fit to be shown."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from probe.core.notification import Notification

LONGEST: Final = 200
"""Characters of what a service said that are kept: enough for its reason, too little to fill a log."""


def digest(notifications: Sequence[Notification]) -> tuple[str, str]:
    r"""Title and body of one message that stands for several: how many of what, then a line for each.

    >>> digest((opened, resolved))
    ('2 more: 1 opened, 1 resolved', 'opened: checkout is down\nresolved: cart is up again')
    """
    counts = Counter(str(n.reason) for n in notifications)
    title = f"{len(notifications)} more: {', '.join(f'{count} {reason}' for reason, count in counts.items())}"
    return title, "\n".join(f"{n.reason}: {n.message.title}" for n in notifications)


def digest_key(notifications: Sequence[Notification]) -> str:
    """The key of such a message: the same whenever the same notifications are sent together."""
    return "digest-" + hashlib.sha256("\n".join(n.key for n in notifications).encode()).hexdigest()[:32]


def one_line(text: str, longest: int = LONGEST) -> str:
    """What somebody else said, as a line of ours: no control characters, no line breaks, cut at `longest`.

    Mask secrets before: half of a secret would not be known for one.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
