"""Where checks go and where they leave from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import urljoin, urlsplit

from probe.core.access import Access
from probe.core.secret import Secret

_NONE: Mapping[str, Secret] = MappingProxyType({})


class IpVersion(StrEnum):
    """Which addresses of a name are tried."""

    ANY = "any"
    V4 = "4"
    V6 = "6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A configured endpoint: what checks are pointed at.

    `headers` go with every request to the target's own origin (never to third parties). `third_parties` are host
    names (suffixes) whose faults are blamed on the third party; every other foreign host of a page counts as one too,
    but an unlisted one never fails a journey. `ca`, `client_certificate`, `client_key` are paths of PEM files.
    """

    name: str
    url: str
    headers: Mapping[str, Secret] = field(default_factory=lambda: _NONE)
    secrets: Mapping[str, Secret] = field(default_factory=lambda: _NONE)
    third_parties: tuple[str, ...] = ()
    ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def join(self, path: str) -> str:
        """The absolute address of `path` on this target; an absolute URL stays what it is.

        >>> Target(name="shop", url="https://shop.example/eu/").join("/cart")
        'https://shop.example/eu/cart'
        """
        if urlsplit(path).scheme:
            return path
        return urljoin(self.url.rstrip("/") + "/", path.lstrip("/"))

    @property
    def host(self) -> str:
        """The host name of the target's URL."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What is otherwise with a target in one region: its address, if given, and headers beside its own."""

    url: str | None = None
    headers: Mapping[str, Secret] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where runs leave from, and how (the egress).

    `proxy` is an `http://`, `socks5://` or `socks5h://` URL. `source_address` is a local IP address to bind to.
    `nameserver` is `host` or `host:port` of the resolver to ask instead of the system's. `headers` go with every request
    to a target's own origin from here; `targets` says what is otherwise with which target.
    """

    name: str
    proxy: Secret | None = None
    source_address: str | None = None
    nameserver: str | None = None
    ip_version: IpVersion = IpVersion.ANY
    headers: Mapping[str, Secret] = field(default_factory=lambda: _NONE, hash=False)
    targets: Mapping[str, Override] = field(default_factory=lambda: MappingProxyType({}), hash=False)


def target_in(region: Region, target: Target) -> Target:
    """The target as it is for runs from a region: with the region's headers, and its own address if it has one there.

    Of two headers with one name that of the target in the region counts, then that of the region, then the target's.

    >>> us = Region(name="us", targets={"shop": Override(url="https://us.shop.example")})
    >>> target_in(us, Target(name="shop", url="https://shop.example")).url
    'https://us.shop.example'
    """
    override = region.targets.get(target.name, _SAME)
    if not region.headers and override is _SAME:
        return target
    headers = dict(target.headers)
    for more in (region.headers, override.headers):
        taken = {name.lower() for name in more}
        headers = {name: value for name, value in headers.items() if name.lower() not in taken} | dict(more)
    return replace(target, url=override.url or target.url, headers=MappingProxyType(headers))


_SAME: Final = Override()


class EvidencePolicy(StrEnum):
    """When a piece of evidence is kept. `ON_CONFIRMATION`: of a run that was to confirm a failure, and failed too."""

    ON = "on"
    OFF = "off"
    ON_FAILURE = "retain-on-failure"
    ON_CONFIRMATION = "retain-on-confirmation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Which evidence a browser run keeps. The defaults are the cheap set (perf.md B), and proof of what is confirmed.

    A run that passes renews the pictures of how its steps look when all is well, once those of its place are older than
    `reference`; `None`: there are none. `mask` are CSS selectors of what no picture shows. `access` is who may see
    pictures, traces and logs.
    """

    screenshot: EvidencePolicy = EvidencePolicy.ON_FAILURE
    trace: EvidencePolicy = EvidencePolicy.ON_CONFIRMATION
    har: EvidencePolicy = EvidencePolicy.ON_FAILURE
    har_bodies: bool = False
    console: EvidencePolicy = EvidencePolicy.ON_FAILURE
    reference: timedelta | None = timedelta(hours=1)
    mask: tuple[str, ...] = ()
    access: Access = Access.VIEWER

    @property
    def is_nothing(self) -> bool:
        """Whether a run keeps no evidence of its own: then it notes nothing that only explains, either."""
        return {self.screenshot, self.trace, self.har, self.console} == {EvidencePolicy.OFF}

    def of_run(self, *, confirms: bool) -> "Evidence":
        """What one run is to keep: for a run that is to confirm a failure, or for any other.

        >>> Evidence().of_run(confirms=True).trace, Evidence().of_run(confirms=False).trace
        (<EvidencePolicy.ON_FAILURE: 'retain-on-failure'>, <EvidencePolicy.OFF: 'off'>)
        """
        meant = EvidencePolicy.ON_FAILURE if confirms else EvidencePolicy.OFF
        policies = [
            meant if policy is EvidencePolicy.ON_CONFIRMATION else policy
            for policy in (self.screenshot, self.trace, self.har, self.console)
        ]
        screenshot, trace, har, console = policies
        return replace(self, screenshot=screenshot, trace=trace, har=har, console=console)

    @classmethod
    def nothing(cls) -> "Evidence":
        """No evidence at all, no console, no web vitals, no texts: the cheapest run."""
        off = EvidencePolicy.OFF
        return cls(screenshot=off, trace=off, har=off, console=off, reference=None)

    @classmethod
    def everything(cls) -> "Evidence":
        """All there is, also of a run that passes: what a confirmation run asks for."""
        return cls().in_full()

    def in_full(self) -> "Evidence":
        """All there is, with what is masked here, and for whom it is here."""
        on = EvidencePolicy.ON
        return replace(self, screenshot=on, trace=on, har=on, har_bodies=True, console=on)


class BrowserKind(StrEnum):
    """Which browser walks a journey. The headless shell costs 0.4 of a full Chromium (perf.md B)."""

    HEADLESS_SHELL = "chromium-headless-shell"
    CHROMIUM = "chromium"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSettings:
    """How browsers and the workers that own them are run. Memory is in bytes, of the worker's whole process tree."""

    executable: str | None = None
    workers: int | None = None
    """Journeys at a time; `None`: one for each two cores."""
    recycle_after_runs: int = 50
    recycle_after: timedelta = timedelta(hours=1)
    recycle_above: int = 800 * 2**20
    max_memory: int = 2 * 2**30
    """A run whose process tree is larger is killed."""
