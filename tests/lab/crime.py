"""What somebody tries who has the machine of a region: everything that its database role could be good for."""

import re
import subprocess
from collections.abc import Mapping
from typing import Final

from tests.lab.namespaces import command
from tests.postgres import programs

TABLES: Final = [
    "agents",
    "nodes",
    "sources",
    "regions",
    "checks",
    "shards",
    "inbox",
    "asks",
    "configs",
    "bundles",
    "evidence",
    "leases",
    "versions",
    "meta",
    "places",
    "runs",
    "steps",
    "phases",
    "failures",
    "details",
    "state",
    "ledger",
    "incidents",
    "timeline",
    "outbox",
    "attempts",
    "rollups",
]
DENIED: Final = "permission denied"
NOT_THEIRS: Final = "may not speak for the region"
SYNC: Final = (
    "SELECT * FROM probe.sync('{region}', '{node}', '{source}', 'agent', '1', '', clock_timestamp(), 0, 0, '{{}}')"
)
DELIVER: Final = (
    "SELECT probe.deliver('{region}', '{node}', '{source}', 0, ARRAY[1]::bigint[], ARRAY['run'], ARRAY['home'],"
    " ARRAY['\\x00']::bytea[])"
)


def attempts(own: str, other: str, others_node: str, others_source: str, config: str) -> Mapping[str, tuple[str, str]]:
    """What is tried → the statement, and what the refusal must say. `own` is the region whose machine it is."""
    mine = {"node": "mine", "source": "mine"}
    tried = {f"read {table}": (f"SELECT * FROM probe.{table} LIMIT 1", DENIED) for table in TABLES}
    tried |= {f"empty {table}": (f"DELETE FROM probe.{table}", DENIED) for table in TABLES}
    return tried | {
        "speak for another region": (SYNC.format(region=other, **mine), NOT_THEIRS),
        "deliver for another region": (DELIVER.format(region=other, **mine), NOT_THEIRS),
        "read what another region is told": (f"SELECT probe.bundle('{other}', '{config}')", NOT_THEIRS),
        "leave evidence of another region": (
            f"SELECT probe.keep_evidence('{other}', 'r', 'trace.zip', '')",
            NOT_THEIRS,
        ),
        "be a node of another region": (SYNC.format(region=own, node=others_node, source="mine"), "another region"),
        "go on with the source of another region": (
            DELIVER.format(region=own, node="mine", source=others_source),
            "another region",
        ),
        "change a check": ("INSERT INTO probe.checks VALUES ('home', '')", DENIED),
        "publish a configuration": ("UPDATE probe.configs SET standing = 'current'", DENIED),
        "ask for runs": ("INSERT INTO probe.asks (region, check_id, why) VALUES ('us', 'home', 'manual')", DENIED),
        "speak for more regions": (f"INSERT INTO probe.agents VALUES (session_user, '{other}')", DENIED),
        "become one that judges": ("SET ROLE probe_evaluate", DENIED),
        "become the owner": ("SET ROLE probe", DENIED),
        "take the name of another": ("SET SESSION AUTHORIZATION probe", DENIED),
        "make a function in the schema": ("CREATE FUNCTION probe.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", DENIED),
        "drop old runs": (
            "SELECT probe.arrange_partitions('runs', 0, interval '1 hour', interval '1 hour')",
            DENIED,
        ),
        "read passwords": ("SELECT rolpassword FROM pg_authid", DENIED),
        "read files of the server": ("SELECT pg_read_file('/etc/passwd')", DENIED),
        "run programs on the server": ("COPY (SELECT 1) TO PROGRAM 'true'", "pg_execute_server_program"),
    }


def answers(url: str, namespace: str, statements: Mapping[str, str]) -> dict[str, str]:
    """What the database said against each of them, in one session from there; nothing: it was done.

    >>> answers(url, "probe-lab-1-eu", {"count": "SELECT 1", "divide": "SELECT 1/0"})  # doctest: +SKIP
    {'count': '', 'divide': 'ERROR:  division by zero'}
    """
    script = "".join(f"\\warn === {what}\n{statement};\n" for what, statement in statements.items())
    done = subprocess.run(
        [*command(namespace, str(programs() / "psql")), "-X", "-q", "-A", "-t", "-d", url],
        input=script,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    parts = re.split(r"^=== (.*)\n", done.stderr, flags=re.MULTILINE)
    return {what: said.strip() for what, said in zip(parts[1::2], parts[2::2], strict=True)}
