"""Which of the nodes of a region runs which check: rendezvous hashing, so that a node that comes or goes moves only its share. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from probe.core.check import CheckId


@lru_cache(maxsize=2**16)
def owner(check: CheckId, nodes: tuple[str, ...]) -> str | None:
    """The node that runs a check; `None` when there are none. The same wherever it is asked, in whatever order they stand.

    >>> owner(CheckId("cart"), ("a", "b")) == owner(CheckId("cart"), ("b", "a"))
    True
    """
    return max(nodes, key=lambda node: (_weight(check, node), node), default=None)


def is_mine(check: CheckId, node: str, nodes: Sequence[str]) -> bool:
    """Whether a node runs a check, where these nodes of its region live. One that nobody has heard of yet runs all.

    >>> is_mine(CheckId("cart"), "a", ["a"]), is_mine(CheckId("cart"), "a", [])
    (True, True)
    """
    return node not in nodes or owner(check, tuple(nodes)) == node


def _weight(check: CheckId, node: str) -> int:
    return int.from_bytes(blake2b(f"{check}\0{node}".encode(), digest_size=8).digest())
