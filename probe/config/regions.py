"""`[regions]`: where runs leave from, which of these places are this process's own, and what proves that they work."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from probe.config.findings import Findings
from probe.config.lines import KeyPath
from probe.config.schema import RegionTable
from probe.config.settings import Fleet, Role
from probe.core.check import Anchors, CheckId, CheckSpec, Source
from probe.core.diagnostic import did_you_mean
from probe.core.secret import Secret
from probe.core.target import Evidence, IpVersion, Override, Region, Target

CONTROL_TIMEOUT: Final = timedelta(seconds=3)
"""How long anchors may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """`home` is where this process runs, `here` are the regions that it probes from, `all` the names of the fleet's.

    In a single node the last two are the same. `controls` and `control_targets` are of all of them.
    """

    home: Region
    here: tuple[Region, ...]
    all: tuple[str, ...]
    controls: Mapping[str, CheckSpec] = field(default_factory=lambda: MappingProxyType({}))
    control_targets: Mapping[str, Target] = field(default_factory=lambda: MappingProxyType({}))


def places(
    tables: Mapping[str, RegionTable], home: str, fleet: Fleet | None, targets: Collection[str], findings: Findings
) -> Places:
    """The regions of a config.

    A single node probes from its own region and from every other that has a table, each another way out of it. So does
    a node of a fleet, but for those with `agent = true`: there are nodes of their own. An agent has its own region only,
    a node that only judges has none.
    """
    regions = {name: _region(name, table, targets, findings) for name, table in tables.items()}
    own = regions.get(home) or Region(name=home)
    here = (own, *(region for name, region in regions.items() if name != home and not tables[name].agent))
    names = tuple(dict.fromkeys((home, *regions)))
    if fleet is None:
        for name in regions:
            if tables[name].agent:
                findings.error(
                    ("regions", name, "agent"),
                    "there is no fleet that an agent could belong to",
                    'set [store] url = "postgresql://…", or remove it',
                )
    elif fleet.role is Role.AGENT:
        here, names = (own,), (home,)
        for name in regions:
            if name != home:
                findings.error(
                    ("regions", name),
                    f"an agent probes from its own region only, {home}",
                    f'run another one with region = "{name}" and this table, on this machine if need be',
                )
    elif fleet.role is Role.EVALUATE:
        here, names = (), tuple(regions)
        _judge_unprobed(tables, findings)
    found = _controls(tables, targets, findings)
    return Places(
        home=own,
        here=here,
        all=names if fleet is None else tuple(sorted(names)),  # the same for all who judge, wherever they are
        controls=MappingProxyType({name: spec for name, (spec, _) in found.items()}),
        control_targets=MappingProxyType({target.name: target for _, target in found.values()}),
    )


def _judge_unprobed(tables: Mapping[str, RegionTable], findings: Findings) -> None:
    for name, table in tables.items():
        if not table.agent:
            findings.error(
                ("regions", name),
                "nobody probes from there: this node only judges",
                "write agent = true, and run an agent there",
            )


def _region(name: str, table: RegionTable, targets: Collection[str], findings: Findings) -> Region:
    """A region; the family of its source address is one that it may use, and what it overrides is there."""
    address, path = table.source_address, ("regions", name)
    if address and table.ip_version is not IpVersion.ANY and (":" in address) is not (table.ip_version is IpVersion.V6):
        where: KeyPath = (*path, "source_address")
        findings.error(
            where, f"{findings.show(where, address)} is not an IPv{table.ip_version} address, as ip_version wants"
        )
    for target in table.targets:
        if target not in targets and targets:  # an agent's own file has none
            findings.error((*path, "targets", target), f"there is no target {target!r}", did_you_mean(target, targets))
    return Region(
        name=name,
        proxy=Secret(table.proxy) if table.proxy else None,
        source_address=address,
        nameserver=table.nameserver,
        ip_version=table.ip_version,
        headers=_secrets(table.headers),
        targets=MappingProxyType(
            {
                target: Override(url=override.url, headers=_secrets(override.headers))
                for target, override in table.targets.items()
            }
        ),
    )


def _secrets(headers: Mapping[str, str]) -> Mapping[str, Secret]:
    return MappingProxyType({name: Secret(value) for name, value in headers.items()})


def _controls(
    tables: Mapping[str, RegionTable], targets: Collection[str], findings: Findings
) -> dict[str, tuple[CheckSpec, Target]]:
    found = {}
    for name, table in tables.items():
        if table.control:
            line = findings.line(("regions", name, "control")) or 1
            spec, target = control(name, table.control, Source(file=findings.file, line=line))
            found[name] = spec, target
            if target.name in targets:
                findings.error(("targets", target.name), "the control of a region has that name", "give it another")
    return found


def control(region: str, anchors: tuple[str, ...], source: Source) -> tuple[CheckSpec, Target]:
    """The check that tells whether a region can reach anything, and its target. It has no schedule: it is asked for."""
    name = f"control.{region}"
    spec = CheckSpec(
        id=CheckId(name),
        kind="control",
        target=name,
        every=timedelta(minutes=1),
        timeout=CONTROL_TIMEOUT,
        work=Anchors(names=anchors),
        source=source,
        description=f"{region} reaches what needs none of the targets",
        regions=(region,),
        evidence=Evidence.nothing(),
    )
    url = next((anchor for anchor in anchors if not anchor.startswith("dns:")), "https://localhost")
    return spec, Target(name=name, url=url)
