"""A fleet, as a person reads it in a terminal, and as JSON."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.text import Text

from probe.cli.encode import ago
from probe.cli.table import columns, console
from probe.core.duration import format_duration
from probe.core.encode import timestamp
from probe.fleet.install import Installed
from probe.fleet.status import FleetStatus, Node
from probe.fleet.tried import Tried


def print_tried(installed: Installed, tried: Iterable[Tried]) -> None:
    """What was installed, and what an agent could do when it was tried."""
    screen = console()
    done = ", ".join(str(number) for number in installed.applied)
    screen.print(f"schema version {installed.version}" + (f" (new: {done})" if done else ", as it was"))
    if installed.ask:
        screen.print("We may not make roles here. Have an administrator run, then run this again:", style="bold yellow")
        for statement in installed.ask:
            screen.print(f"  {statement};", soft_wrap=True)
        return
    table = columns("tried as an agent", "the database's answer", "")
    for one in tried:
        table.add_row(one.what, one.answer, Text("✓", "green") if one.well else Text("✗ must not be", "bold red"))
    screen.print(table)


def concerns_of(fleet: FleetStatus) -> tuple[str, ...]:
    """What somebody should look at."""
    found = [f"{node.name}: {concern}" for node in fleet.nodes for concern in node.concerns]
    found += [
        f"{region.name} is silent since {timestamp(region.silent)}: it takes no part in any judgement"
        for region in fleet.regions
        if region.silent is not None
    ]
    if not any(node.alive and node.role != "agent" for node in fleet.nodes):
        found.append("no node that judges is alive: nothing is decided, and nobody is told")
    if not any(config.standing == "current" for config in fleet.configs):
        found.append("nothing was published yet: `probe fleet publish`")
    return tuple(found)


def print_fleet(fleet: FleetStatus) -> None:
    """Nodes, regions, what is published, and what waits."""
    screen = console()
    nodes = columns("node", "region", "role", "probe", "configuration", "last heard", "waiting", "clock")
    for node in fleet.nodes:
        nodes.add_row(*_cells(node, fleet))
    screen.print(nodes)
    regions = columns("region", "nodes", "last heard", "")
    for region in fleet.regions:
        heard = "never" if region.heard is None else f"{_since(fleet, region.heard)}"
        silent = "" if region.silent is None else "silent"
        regions.add_row(region.name, str(region.nodes), heard, Text(silent, "bold yellow"))
    screen.print(regions)
    for config in fleet.configs:
        if config.standing != "former":
            where = "" if config.canary is None else f" of {config.canary}"
            screen.print(
                f"configuration {config.hash}: {config.standing}{where}, published {_since(fleet, config.at)} by {config.by}",
                soft_wrap=True,
            )
    lag = f", the oldest for {fleet.lag.total_seconds():.1f} s" if fleet.waiting else ""
    screen.print(
        f"{fleet.waiting} runs wait to be judged{lag}; {fleet.shards} shards; {fleet.incidents} incidents open;"
        f" {fleet.unsent} notifications unsent; alerts are sent by {fleet.deliverer or 'nobody'}",
        soft_wrap=True,
    )
    for concern in concerns_of(fleet):
        screen.print(Text(concern, "bold yellow"), soft_wrap=True)


def encode_fleet(fleet: FleetStatus) -> dict[str, Any]:
    """The fleet as JSON (docs/json.md)."""
    return {
        "now": timestamp(fleet.now),
        "nodes": [
            {
                "name": node.name,
                "region": node.region,
                "role": node.role,
                "version": node.version,
                "config": node.config,
                "started": timestamp(node.started),
                "seen": timestamp(node.seen),
                "alive": node.alive,
                "clock_ahead": round(node.skew.total_seconds(), 3),
                "queue": node.queue,
                "concerns": list(node.concerns),
            }
            for node in fleet.nodes
        ],
        "regions": [
            {
                "name": region.name,
                "nodes": region.nodes,
                "heard": None if region.heard is None else timestamp(region.heard),
                "silent": None if region.silent is None else timestamp(region.silent),
            }
            for region in fleet.regions
        ],
        "configs": [
            {
                "hash": config.hash,
                "published": timestamp(config.at),
                "by": config.by,
                "standing": config.standing.value,
                "canary": config.canary,
            }
            for config in fleet.configs
        ],
        "shards": fleet.shards,
        "waiting": fleet.waiting,
        "lag": round(fleet.lag.total_seconds(), 3),
        "unsent": fleet.unsent,
        "incidents": fleet.incidents,
        "deliverer": fleet.deliverer,
        "concerns": list(concerns_of(fleet)),
    }


def _cells(node: Node, fleet: FleetStatus) -> tuple[Text | str, ...]:
    seconds = node.skew.total_seconds()
    return (
        node.name,
        node.region,
        node.role,
        node.version,
        node.config or "none",
        Text(f"{_since(fleet, node.seen)}", "" if node.alive else "bold yellow"),
        str(node.queue),
        f"{seconds:+.2f} s",
    )


def _since(fleet: FleetStatus, moment: datetime) -> str:
    return f"{format_duration(ago(moment, fleet.now))} ago"
