"""How often somebody may try to log in."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

WINDOW: Final = timedelta(minutes=15)
OF_NAME: Final = 5
"""Failures of one name from one address in that time."""
OF_ADDRESS: Final = 20
"""Failures of one address, whatever the names."""
LONGEST_NAME: Final = 200
"""Characters of a name that count."""
MOST: Final = 20_000
"""What is remembered at most: the oldest is forgotten first."""


class LoginLimit:
    """Counts what failed. An attempt counts as a failure until it turns out to be none: many at once do not slip by.

    There is no limit for a name alone: nobody can be locked out from elsewhere.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._failed: OrderedDict[tuple[str, str], deque[datetime]] = OrderedDict()

    def attempt(self, name: str, address: str, now: datetime) -> timedelta | None:
        """Whether somebody may try: `None`, and it is counted; or how long they must wait."""
        name, place = _short(name), _place(address)
        waits = [self._wait((name, place), OF_NAME, now), self._wait(("", place), OF_ADDRESS, now)]
        if longest := max(waits):
            return longest
        for key in ((name, place), ("", place)):
            self._failed.setdefault(key, deque()).append(now)
            self._failed.move_to_end(key)
        while len(self._failed) > self._most:
            self._failed.popitem(last=False)
        return None

    def succeeded(self, name: str, address: str) -> None:
        """The last attempt was none that failed: those of that name there are forgotten."""
        name, place = _short(name), _place(address)
        self._failed.pop((name, place), None)
        if of_address := self._failed.get(("", place)):
            of_address.pop()

    def _wait(self, key: tuple[str, str], most: int, now: datetime) -> timedelta:
        failed = self._failed.get(key)
        if failed is None:
            return timedelta(0)
        while failed and failed[0] <= now - WINDOW:
            failed.popleft()
        if not failed:
            del self._failed[key]
        return failed[-most] + WINDOW - now if len(failed) >= most else timedelta(0)


def _short(name: str) -> str:
    """What is remembered of a name: whoever sends long ones gets no more room than others."""
    return name[:LONGEST_NAME]


def _place(address: str) -> str:
    """Who has one IPv6 address has the whole network of it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or parsed.exploded[:19])
    return str(parsed)
