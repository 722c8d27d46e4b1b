"""The tables of a config file that make the daemon: what is stored, promised, told to whom, and when not."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from probe.config.fields import Count, Duration, Id, OneOrMore, Size, Text, at_least, choice
from probe.config.service_fields import (
    Amount,
    ChannelUrl,
    CronText,
    EvidencePlace,
    Moment,
    ObjectiveWindow,
    Patience,
    Promise,
    Share,
    StoreUrl,
    TimeZone,
)
from probe.config.settings import Role
from probe.config.table import Table
from probe.core.fault import FaultKind
from probe.core.rules import Severity


class StoreTable(Table):
    """`[store]`."""

    url: StoreUrl = "sqlite"
    keep_details: Duration = Field(default="24h", validate_default=True)
    keep_runs: Duration = Field(default="14d", validate_default=True)
    keep_failures: Duration = Field(default="90d", validate_default=True)
    keep_hours: Duration = Field(default="400d", validate_default=True)
    keep_days: Duration = Field(default="1825d", validate_default=True)
    ballast: Amount = Field(default="32MiB", validate_default=True)


class FleetTable(Table):
    """`[fleet]`."""

    role: Annotated[Role, choice(Role, "role")] = Role.ALL
    node: Id | None = None
    outbox: Size = Field(default="1GiB", validate_default=True)
    catch_up: Annotated[Count, at_least(1, 100_000)] = 500
    stale_after: Patience = Field(default="45s", validate_default=True)
    evidence: EvidencePlace = "database"
    fast_path: Annotated[tuple[str, ...], OneOrMore] = ()


class LatencyTable(Table):
    """The `latency` of a `[slo.NAME]`."""

    step: Text | None = None
    under: Duration
    objective: Promise


class SloTable(Table):
    """`[slo.NAME]`."""

    stand_in: ClassVar[dict[str, Any]] = {"objective": 0.999}
    examples: ClassVar[dict[str, str]] = {"objective": 'objective = "99.9%"', "under": 'under = "3s"'}

    objective: Promise
    window: ObjectiveWindow = Field(default="30d", validate_default=True)
    checks: tuple[str, ...] = ()
    step: Text | None = None
    latency: LatencyTable | None = None
    coverage: Share = Field(default="90%", validate_default=True)


class ChannelTable(Table):
    """`[channels.NAME]`."""

    kind: str = "apprise"
    url: ChannelUrl | None = None
    urls: Annotated[tuple[ChannelUrl, ...], OneOrMore] = ()
    key: Text | None = None
    timeout: Duration = Field(default="30s", validate_default=True)


class EscalateTable(Table):
    """The `escalate` of a `[[route]]`."""

    after: Duration
    channels: Annotated[tuple[str, ...], OneOrMore]


class RouteTable(Table):
    """`[[route]]`."""

    stand_in: ClassVar[dict[str, Any]] = {"channels": ()}
    examples: ClassVar[dict[str, str]] = {"channels": 'channels = ["team"]', "after": 'after = "10m"'}

    channels: Annotated[tuple[str, ...], OneOrMore]
    severity: Annotated[Severity, choice(Severity, "severity")] | None = None
    checks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    remind: Duration | None = None
    escalate: EscalateTable | None = None


class MaintenanceTable(Table):
    """`[[maintenance]]`."""

    stand_in: ClassVar[dict[str, Any]] = {"name": "stand-in", "duration": "1h"}
    examples: ClassVar[dict[str, str]] = {"name": 'name = "weekly release"', "duration": 'duration = "2h"'}

    name: Text
    duration: Duration
    start: Moment | None = None
    cron: CronText | None = None
    timezone: TimeZone = "UTC"
    checks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class DrillTable(Table):
    """`[[drill]]`."""

    stand_in: ClassVar[dict[str, Any]] = {"check": "stand-in", "cron": "0 9 * * mon"}
    examples: ClassVar[dict[str, str]] = {"check": 'check = "checkout"', "cron": 'cron = "0 9 * * mon"'}

    check: Text
    cron: CronText
    timezone: TimeZone = "UTC"
    fault: Annotated[FaultKind, choice(FaultKind, "fault")] = FaultKind.SERVER_ERROR
