"""What an app worker is told when it is started: where everything is. Passed as JSON to the nursery's standard input."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

WORKERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Ports on loopback, and file descriptors inherited from the parent, one of each per worker."""

    listening: tuple[int, ...]
    control: tuple[int, ...]
    folder: str
    secret: str
    database: int
    cache: int
    payment: int
    cdn: int
    cdn_tls: int
    third_party: int
    third_party_tls: int

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Plan":
        """What `to_line` made."""
        data: dict[str, Any] = json.loads(line)
        return cls(**{**data, "listening": tuple(data["listening"]), "control": tuple(data["control"])})
