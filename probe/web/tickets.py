"""Tickets for one file each: they open it without a session, for the trace viewer, whose origin has none."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LIFE: Final = timedelta(minutes=10)
"""For how long a ticket opens its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What a ticket opens: one file of evidence of one run."""

    run: str
    name: str


class Tickets:
    """Gives tickets out and takes them. Nothing is remembered: a ticket carries what it opens, and the proof that we said so.

    Any number of requests may be made with one until it ends. All end with the process, whose key dies with it.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def issue(self, admitted: Admitted, now: datetime) -> str:
        """A ticket for a file, from now on."""
        ends = int((now + LIFE).timestamp())
        said = f"{ends}\n{admitted.run}\n{admitted.name}".encode()
        return f"{_text(said)}.{_text(self._proof(said))}"

    def redeem(self, ticket: str, now: datetime) -> Admitted | None:
        """What a ticket opens; `None`: it has ended, or is not one of ours."""
        said_text, _, proof_text = ticket.partition(".")
        said, proof = _bytes(said_text), _bytes(proof_text)
        if said is None or proof is None or not hmac.compare_digest(proof, self._proof(said)):
            return None
        ends, run, name = said.decode().split("\n", 2)
        if now.timestamp() >= int(ends):
            return None
        return Admitted(run=run, name=name)

    def _proof(self, said: bytes) -> bytes:
        return hmac.new(self._key, said, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
