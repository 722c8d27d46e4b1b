"""The commands that look at what is stored, called from a node of a fleet: they say what they would say of one node."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from probe.core.secret import Secret
from probe.fleet.hub import Hub
from probe.ports import Record
from probe.store.fleet import FleetWriting
from tests.cli.conftest import cli as cli  # a fixture
from tests.cli.world import CANARY, OPEN, configure, fill, records
from tests.postgres import Database
from tests.web.daemon import unix_sockets_allowed

PASSWORD = "pl4nted-too"
PASSING = ("length", "end", "budget_left", "budget_gone_in")
"""What depends on the moment at which a command is called."""
Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def _unix_sockets() -> Iterator[None]:
    """Control is a unix socket."""
    with unix_sockets_allowed():
        yield


def write(url: str, given: list[Record]) -> None:
    async def writing() -> None:
        hub = Hub(Secret(url), node="test")
        async with hub.transaction() as connection:
            await connection.run_sync(lambda sync: FleetWriting(sync).write(given))
        await hub.close()

    asyncio.run(writing())


def in_fleet(folder: Path, url: str) -> None:
    """Make the node of the folder one of a fleet."""
    configure(folder, f'[store]\nurl = "{url}"\n')


@pytest.fixture
def nights(tmp_path: Path, fleet: Database) -> tuple[Path, Path]:
    """The same bad night, of one node and of a fleet."""
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    for folder in (alone, shared):
        folder.mkdir()
    configure(alone)
    now = fill(alone)
    in_fleet(shared, fleet.url(user="viewer", password=PASSWORD))
    write(fleet.url(), records(now))
    seen = max(record.alive for record in records(now) if record.alive)
    fleet.psql(
        f"DROP ROLE IF EXISTS viewer; CREATE ROLE viewer LOGIN PASSWORD '{PASSWORD}'; GRANT probe_evaluate TO viewer;"
        "INSERT INTO probe.nodes (name, region, role, version, started, seen, skew, queue)"
        f" VALUES ('n', 'local', 'all', '1', now(), '{seen.isoformat()}', 0, 0)"
    )
    return alone, shared


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("incident", "list", "--all"),
        ("incident", "show", str(OPEN)[:14]),
        ("history", "checkout", "--since", "3h", "--limit", "40"),
        ("history", "checkout", "--region", "us-east", "--failed"),
        ("history", "chekout"),
        ("incident", "show", "nothing"),
        ("backtest", "--since", "3h"),
    ],
)
def test_the_same_is_said(cli: Cli, nights: tuple[Path, Path], arguments: tuple[str, ...]) -> None:
    """Fact for fact, with the same exit code, and with no secret of the configuration."""
    alone, shared = (cli(folder, *arguments, "--json") for folder in nights)
    assert (alone.exit_code, steady(alone)) == (shared.exit_code, steady(shared))
    assert CANARY not in shared.output
    assert PASSWORD not in shared.output
    shown = [cli(folder, *arguments).stdout.splitlines() for folder in nights]
    assert [line.split()[:2] for line in shown[0]] == [line.split()[:2] for line in shown[1]]


def test_runs_are_exported(cli: Cli, nights: tuple[Path, Path]) -> None:
    """The same lines, in the order in which they were judged."""
    alone, shared = (cli(folder, "export", "runs", "--since", "3h") for folder in nights)
    assert shared.exit_code == 0
    lines = [[json.loads(line) for line in result.stdout.splitlines()] for result in (alone, shared)]
    assert len(lines[0]) > 50
    assert [line for line in lines[0] if line["type"] != "meta"] == [
        line for line in lines[1] if line["type"] != "meta"
    ]


@pytest.mark.parametrize("command", ["status", "history checkout", "incident list", "export runs", "backtest"])
def test_a_database_that_is_away(cli: Cli, tmp_path: Path, fleet: Database, command: str) -> None:
    """Says which, in words, without its password; and ends with 3."""
    in_fleet(tmp_path, fleet.url(password="hunter2").replace(str(fleet.server.port), "1"))
    result = cli(tmp_path, *command.split())
    assert result.exit_code == 3 or (command == "backtest" and result.exit_code == 2)
    assert f"the database 127.0.0.1:1/{fleet.name} cannot be reached" in result.output
    assert "hunter2" not in result.output


def test_an_agent_shows_what_it_knows_itself(cli: Cli, tmp_path: Path) -> None:
    """Its role may not read the database, and it says so; it does not even try."""
    configure(
        tmp_path, '[store]\nurl = "postgresql://agent:x@127.0.0.1:1/fleet"\n[fleet]\nrole = "agent"\nnode = "n1"\n'
    )
    fill(tmp_path)
    result = cli(tmp_path, "incident", "list")
    assert "n1 is an agent: this is what it knows itself" in result.stderr
    assert OPEN in result.stdout


def steady(result: Result) -> Any:
    """What was said, but for the moment at which it was."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(one) for key, one in value.items() if key not in PASSING}
        if isinstance(value, list):
            return [walk(one) for one in value]
        return value

    return walk(json.loads(result.stdout))
