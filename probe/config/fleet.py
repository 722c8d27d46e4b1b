"""`[fleet]` and the URL of its database: what this node does among others."""

import re
import socket
from collections.abc import Collection
from typing import Any, Final

from probe.config.database import is_database, is_trusted
from probe.config.fields import ID_HINT
from probe.config.findings import Findings
from probe.config.service_schema import FleetTable
from probe.config.settings import Fleet, Role
from probe.core.diagnostic import did_you_mean

FOR_JUDGES: Final = ("slo", "route", "maintenance")
"""Tables that say nothing to a node that only probes."""


def fleet(table: FleetTable, url: str, document: dict[str, Any], findings: Findings) -> Fleet | None:
    """What the node with the database at `url` does in its fleet; `None` for a single node. `document` is all it says."""
    if not is_database(url):
        if "fleet" in document and ("store", "url") not in findings.unusable:
            findings.error(
                ("fleet",), "there is no fleet without a database", 'set [store] url = "postgresql://…", or remove it'
            )
        return None
    if not is_trusted(url):
        findings.warning(
            ("store", "url"),
            "whoever is between this machine and the database can pose as it, and read and change everything",
            "add ?sslmode=verify-full&sslrootcert=/etc/probe/database-ca.pem to the URL",
        )
    if table.role is Role.AGENT:
        _judge_agent(document, findings)
    if "drill" in document:
        findings.warning(
            ("drill", 0),
            "drills are made by single nodes only: in a fleet this one is not",
            "remove it, or drill elsewhere",
        )
    return Fleet(
        node=table.node or _host_name(document, findings),
        role=table.role,
        outbox=table.outbox,
        catch_up=table.catch_up,
        stale_after=table.stale_after,
        evidence=table.evidence,
        fast_path=table.fast_path,
    )


def _judge_agent(document: dict[str, Any], findings: Findings) -> None:
    probe = document.get("probe")
    if not isinstance(probe, dict) or "region" not in probe:
        findings.error(
            ("fleet", "role"), "an agent says where it is", 'set [probe] region = "us-east", or whatever it is called'
        )
    for name in FOR_JUDGES:
        if name in document:
            findings.error((name,), "an agent does not judge", "write it where the fleet is judged, and remove it here")


def _host_name(document: dict[str, Any], findings: Findings) -> str:
    name = socket.gethostname()
    table = document.get("fleet")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) and not (isinstance(table, dict) and "node" in table):
        findings.error(
            ("fleet", "node"), f"the host name {name!r} cannot be the name of a node", f"give one: {ID_HINT}"
        )
    return name


def judge_fast_path(fleet: Fleet, channels: Collection[str], findings: Findings) -> None:
    """The channels of the fast path are this node's own, and an agent has no other use for one."""
    for name in channels if fleet.role is Role.AGENT else ():
        if name not in fleet.fast_path:
            findings.warning(
                ("channels", name),
                "an agent tells nobody anything, but on its fast path",
                f'add fast_path = ["{name}"] to [fleet], or remove it',
            )
    for index, name in enumerate(fleet.fast_path):
        if name not in channels:
            path = ("fleet", "fast_path", index)
            findings.error(
                path,
                f"there is no channel {findings.show(path, name)} here",
                did_you_mean(name, channels)
                or f"add [channels.{name}]: what pages without the database is on this node",
            )
