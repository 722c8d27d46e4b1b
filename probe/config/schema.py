"""The tables of a config file, and the arguments of the decorators: every key, its type, its default."""

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import BeforeValidator, Field

from probe.config.evidence_fields import OFF, Reference, Selector
from probe.config.fields import (
    Count,
    Duration,
    Flag,
    HeaderName,
    HeaderValue,
    Id,
    IpAddress,
    JsonPath,
    Method,
    NameServer,
    OneOrMore,
    Path,
    ProxyUrl,
    Regex,
    Size,
    Statuses,
    TargetUrl,
    Text,
    at_least,
    choice,
    one_of,
)
from probe.config.service_fields import Anchor, CronText, HttpUrl, Listen, TimeZone
from probe.config.service_schema import (
    ChannelTable,
    DrillTable,
    FleetTable,
    MaintenanceTable,
    RouteTable,
    SloTable,
    StoreTable,
)
from probe.config.status_page import StatusPageTable
from probe.config.table import Table
from probe.config.web import WebTable
from probe.core.access import Access
from probe.core.exchange import PHASES
from probe.core.target import BrowserKind, Evidence, EvidencePolicy, IpVersion


class ProbeTable(Table):
    """`[probe]`."""

    region: Id = "local"
    data: Text = "~/.local/state/probe"
    checks: tuple[Text, ...] = ("checks/",)
    user_agent: HeaderValue | None = None
    marker_header: HeaderName = "x-synthetic-check"
    http_concurrency: Annotated[Count, at_least(1, 1000)] = 16
    listen: Listen = "127.0.0.1:9464"
    heartbeat_url: HttpUrl | None = None
    heartbeat_every: Duration = Field(default="1m", validate_default=True)
    grace: Duration = Field(default="30s", validate_default=True)
    log: Annotated[str, choice(("console", "json"), "form of log")] = "console"
    log_level: Annotated[str, choice(("debug", "info", "warning", "error"), "level")] = "info"


class BrowserTable(Table):
    """`[browser]`."""

    executable: Text | None = None
    workers: Annotated[Count, at_least(1, 256)] | None = None
    recycle_after_runs: Annotated[Count, at_least(1)] = 50
    recycle_after: Duration = Field(default="1h", validate_default=True)
    recycle_above: Size = Field(default="800MiB", validate_default=True)
    max_memory: Size = Field(default="2GiB", validate_default=True)


Policy = Annotated[EvidencePolicy, choice(EvidencePolicy, "policy")]


_ACCESS: Final = (Access.VIEWER.value, Access.OPERATOR.value)


class EvidenceTable(Table):
    """`[evidence]`, and the `evidence` of a check. What is not given stays what it was; what is masked is masked besides."""

    screenshot: Policy | None = None
    trace: Policy | None = None
    har: Policy | None = None
    har_bodies: Flag | None = None
    console: Policy | None = None
    reference: Reference | None = None
    mask: Annotated[tuple[Selector, ...], OneOrMore] = ()
    access: Annotated[Access, choice(_ACCESS, "role")] | None = None

    def over(self, base: Evidence) -> Evidence:
        """`base` with what is given here."""
        given = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        given["mask"] = tuple(dict.fromkeys((*base.mask, *self.mask)))
        if self.reference == OFF:
            given["reference"] = None
        return replace(base, **given)


def _evidence_word(value: object) -> object:
    if not isinstance(value, str):
        return value
    off = one_of(value, ("off", "full"), "policy for all evidence") == "off"
    evidence = Evidence.nothing() if off else Evidence.everything()
    said = {name: getattr(evidence, name) for name in ("screenshot", "trace", "har", "har_bodies", "console")}
    return {**said, "reference": "off"} if off else said


class DefaultsTable(Table):
    """`[defaults]`."""

    every: Duration = Field(default="1m", validate_default=True)
    timeout: Duration = Field(default="30s", validate_default=True)
    target: str | None = None


class RegionTargetTable(Table):
    """`[regions.NAME.targets.TARGET]`: what is otherwise with a target, seen from there."""

    url: TargetUrl | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default={})


class RegionTable(Table):
    """`[regions.NAME]`."""

    agent: Flag = False

    proxy: ProxyUrl | None = None
    source_address: IpAddress | None = None
    nameserver: NameServer | None = None
    ip_version: Annotated[IpVersion, choice(IpVersion, "version")] = IpVersion.ANY
    control: Annotated[tuple[Anchor, ...], OneOrMore] = ()
    headers: dict[HeaderName, HeaderValue] = Field(default={})
    targets: dict[str, RegionTargetTable] = Field(default={})


class TargetTable(Table):
    """`[targets.NAME]`."""

    stand_in: ClassVar[dict[str, Any]] = {"url": "https://stand-in.example"}
    examples: ClassVar[dict[str, str]] = {"url": 'url = "https://shop.example"'}

    url: TargetUrl
    headers: dict[HeaderName, HeaderValue] = Field(default={})
    secrets: dict[str, str] = Field(default={})
    third_parties: tuple[Text, ...] = ()
    ca: Text | None = None
    client_certificate: Text | None = None
    client_key: Text | None = None


class CheckTable(Table):
    """What every check may say, in TOML or in a decorator."""

    id: Id | None = None
    name: Text | None = None
    target: str | None = None
    every: Duration | None = None
    cron: CronText | None = None
    timezone: TimeZone | None = None
    timeout: Duration | None = None
    slo: Id | None = None
    tags: tuple[Id, ...] = ()
    regions: tuple[str, ...] = ()
    confirm_with: Id | None = None


class ExpectTable(Table):
    """The `expect` of a `[[check]]` of kind `http`."""

    status: Statuses | None = None
    body: Annotated[tuple[Text, ...], OneOrMore] = ()
    body_lacks: Annotated[tuple[Text, ...], OneOrMore] = ()
    body_matches: Annotated[tuple[Regex, ...], OneOrMore] = ()
    headers: dict[HeaderName, str] = Field(default={})
    json_: dict[JsonPath, Any] = Field(default={}, alias="json")
    within: Duration | None = None
    phases: dict[Annotated[str, choice(PHASES, "phase")], Duration] = Field(default={})
    tls_days: Annotated[Count, at_least(1)] | None = None
    size_under: Size | None = None
    size_at_least: Size | None = None
    redirects: Annotated[Count, at_least(0)] | None = None


class HttpCheckTable(CheckTable):
    """`[[check]]` of kind `http`."""

    stand_in: ClassVar[dict[str, Any]] = {"name": "stand-in"}
    examples: ClassVar[dict[str, str]] = {"name": 'name = "home page"'}

    name: Text
    kind: str = "http"
    description: str = ""
    path: Path = "/"
    method: Method | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default={})
    body: str | None = None
    json_: Any = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    follow_redirects: Flag = True
    max_redirects: Annotated[Count, at_least(0, 50)] = 10
    max_body: Size = Field(default="10MiB", validate_default=True)
    verify_tls: Flag = True
    side_effects: Flag = False
    expect: ExpectTable = ExpectTable()


BrowserName = Annotated[BrowserKind, choice(BrowserKind, "browser")]
EvidenceChoice = Annotated[EvidenceTable, BeforeValidator(_evidence_word)]


class PytestCheckTable(CheckTable):
    """`[[check]]` of kind `playwright-pytest`."""

    stand_in: ClassVar[dict[str, Any]] = {"file": "stand-in.py"}
    examples: ClassVar[dict[str, str]] = {"file": 'file = "tests/test_shop.py"'}

    kind: str
    description: str = ""
    file: Text
    browser: BrowserName = BrowserKind.HEADLESS_SHELL
    side_effects: Flag = False
    evidence: EvidenceChoice | None = None


class CheckArguments(CheckTable):
    """The keyword arguments of `@check`."""

    params: dict[str, Any] = Field(default={})
    side_effects: Text | None = None


class JourneyArguments(CheckArguments):
    """The keyword arguments of `@journey`."""

    browser: BrowserName = BrowserKind.HEADLESS_SHELL
    evidence: EvidenceChoice | None = None


KINDS: dict[str, type[HttpCheckTable | PytestCheckTable]] = {
    "http": HttpCheckTable,
    "playwright-pytest": PytestCheckTable,
}
"""The kinds of `[[check]]` and their tables."""
SINGLE: dict[str, type[Table]] = {
    "probe": ProbeTable,
    "browser": BrowserTable,
    "evidence": EvidenceTable,
    "defaults": DefaultsTable,
    "store": StoreTable,
    "fleet": FleetTable,
    "status_page": StatusPageTable,
    "web": WebTable,
}
"""Tables that stand once."""
NAMED: dict[str, type[Table]] = {
    "regions": RegionTable,
    "targets": TargetTable,
    "slo": SloTable,
    "channels": ChannelTable,
}
"""Tables of named tables."""
LISTED: dict[str, type[Table]] = {"route": RouteTable, "maintenance": MaintenanceTable, "drill": DrillTable}
"""Tables that may stand several times, in double brackets, beside `[[check]]`."""
