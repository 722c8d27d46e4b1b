"""How often visitors may report. Who they are is not kept: addresses only as keyed hashes, in memory, for an hour."""

import hashlib
import secrets
from collections import OrderedDict, deque
from enum import Enum
from ipaddress import IPv6Address, ip_address
from typing import Final

SAME: Final = 600.0
"""Seconds in which a visitor counts once for a part of the shop."""
HOUR: Final = 3600.0
OF_ONE: Final = 10
"""Reports of one address in an hour."""
OF_ALL: Final = 600
"""Reports of all in `SAME` seconds: more say nothing more, the disk has other work, and memory has an end."""


class Allowed(Enum):
    """What becomes of a report."""

    COUNT = "count"
    """It is to be counted."""
    KNOWN = "known"
    """It is taken with thanks, and counted already: this visitor, or so many others."""
    REFUSED = "refused"
    """That address reports too much."""


class VisitorLimits:
    """Decides about reports. `now` is in seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._heard: OrderedDict[bytes, deque[tuple[float, str]]] = OrderedDict()
        self._counted: deque[float] = deque()

    def judge(self, address: str, component: str, now: float) -> Allowed:
        """What becomes of a report from an address about a component; what is to be counted is remembered."""
        who = hashlib.blake2b(_network(address).encode("utf-8", "replace"), key=self._key, digest_size=16).digest()
        self._forget(now)
        mine = self._heard.get(who, deque())
        while mine and mine[0][0] <= now - HOUR:
            mine.popleft()
        if any(part == component and at > now - SAME for at, part in mine):
            return Allowed.KNOWN
        if len(mine) >= OF_ONE:
            return Allowed.REFUSED
        if len(self._counted) >= OF_ALL:
            return Allowed.KNOWN
        mine.append((now, component))
        self._counted.append(now)
        self._heard[who] = mine
        self._heard.move_to_end(who)
        return Allowed.COUNT

    def _forget(self, now: float) -> None:
        while self._counted and self._counted[0] <= now - SAME:
            self._counted.popleft()
        # Whoever was heard of last stands last, so those of whom nothing counts any more stand first.
        while self._heard and next(iter(self._heard.values()))[-1][0] <= now - HOUR:
            self._heard.popitem(last=False)


def _network(address: str) -> str:
    """Whom an address belongs to: who has one IPv6 address has all of its network.

    >>> _network("2001:db8:1:2:3::4") == _network("2001:db8:1:2::9"), _network("::ffff:192.0.2.1")
    (True, '192.0.2.1')
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return parsed.exploded[:19]
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
