"""What documents are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from probe.core.check import CheckId, CheckSpec
from probe.core.rules import Rules
from probe.core.run import Run
from probe.core.secret import Redactor
from probe.core.status_page import StatusPage
from probe.core.target import Target
from probe.store.people import People
from probe.store.reader import Reader


class EvidenceFiles(Protocol):
    """Where the evidence of runs can be had. Both methods block, and raise `StoreUnavailable`."""

    def names(self, run: Run) -> frozenset[str]:
        """The names of the files of a run that can be had from here."""
        ...

    def read(self, run: Run, name: str) -> bytes | None:
        """One of them; `None`: it is not there (any more)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """One look: everything that a document may be made from, used in one thread, where it may block.

    `checks` are the definitions in use, `targets` what they are pointed at, by name, `hash` that of the configuration they
    come from. `live` is what the daemon says of itself (`probe.web.ports.Live`); `None`: none answers. `restricted` are the
    checks whose evidence is for operators.
    """

    now: datetime
    reader: Reader
    people: People
    evidence: EvidenceFiles
    rules: Rules
    redactor: Redactor
    checks: Mapping[CheckId, CheckSpec] = field(default_factory=lambda: MappingProxyType({}))
    targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))
    hash: str = ""
    version: str = ""
    live: Mapping[str, Any] | None = None
    status_page: StatusPage = field(default_factory=StatusPage)
    restricted: frozenset[CheckId] = frozenset()
