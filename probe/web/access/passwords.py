"""Passwords against their Argon2id hashes: slow by design, so few at a time, and never in the loop."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Final

from probe.core.access import User

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE: Final = 2
"""Each takes 64 MiB and a good part of a processor for a moment."""
MOST_WAITING: Final = 20
"""Who comes then is told to come again."""
LONGEST: Final = 1024
"""Bytes of a password that is looked at."""
NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$H82+eUT3R5H1mp9z37h30Q$2/DReCqjPm6GKUf8qZX5hjI5TJNqQRAM6fq0BL4x2yE"
"""A hash of no password that anybody knows: an unknown name takes as long as a known one."""


class Busy(Exception):  # noqa: N818  # a state, named as one
    """Too many passwords wait to be looked at."""


class Passwords:
    """Says whether a password is right."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def are_right(self, user: User | None, password: str) -> bool:
        """Whether that is the user's password; `None`, a user that there is not: no, after the same time. `Busy`."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(self._verify, user, password)
        finally:
            self._waiting -= 1

    def _verify(self, user: User | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        given = password.encode("utf-8", "replace")
        try:
            self._hasher.verify(NOBODYS if user is None else user.password.reveal(), given[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return user is not None and len(given) <= LONGEST

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher

        return PasswordHasher()
