"""`probe fleet`: the database of a fleet, who may speak for its regions, what it runs, and how it stands."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probe.cli.exits import Exit

if TYPE_CHECKING:
    from probe.cli.stored import Asked
    from probe.fleet.hub import Hub

Use = Callable[[Callable[["Hub"], Awaitable[Any]]], Any]
"""Does some work with the database, and gives what comes of it."""
app = typer.Typer(help="Several regions on one PostgreSQL: init, publish, status, agent.", no_args_is_help=True)
agents = typer.Typer(help="Database roles for the agents of regions: add, list, remove.", no_args_is_help=True)
app.add_typer(agents, name="agent", short_help="Database roles for the agents of regions.")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md).")]
RegionArgument = Annotated[str, typer.Argument(help="The region.", metavar="REGION")]
DEFAULT = Path("config.toml")


@app.command("init")
def init(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Make the schema in the database of `store.url`, or bring it up to date; then try what an agent could do there.

    Run it as the owner of the database, or as a superuser. Twice does no harm.

    Exit: 0, 2 wrong configuration, 3 it cannot be done, or an agent could do what it must not.
    """
    from probe.cli.fleet_table import print_tried
    from probe.fleet.install import install
    from probe.fleet.partitions import arrange_partitions
    from probe.fleet.tried import tried_grants
    from probe.store.settings import StoreSettings

    with _hub(config, json=json) as (call, use):

        async def work(hub: "Hub") -> tuple[Any, Any]:
            installed = await install(hub)
            if installed.ask:
                return installed, ()
            await arrange_partitions(hub, StoreSettings(path=call.config.data))
            return installed, await tried_grants(hub)

        installed, tried = use(work)
        code = Exit.PASSED if not installed.ask and all(one.well for one in tried) else Exit.ERRORED
        if json:
            call.document(
                code,
                {
                    "schema_version": installed.version,
                    "applied": list(installed.applied),
                    "ask": list(installed.ask),
                    "tried": [{"what": one.what, "answer": one.answer, "well": one.well} for one in tried],
                },
            )
        else:
            print_tried(call.clean(installed), call.clean(tuple(tried)))
    raise typer.Exit(code)


@app.command("publish")
def publish(
    canary: Annotated[
        str | None,
        typer.Option("--canary", metavar="REGION", help="Only for the agents of this region, to see how it goes."),
    ] = None,
    config: ConfigOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Put this configuration, with its check files, in force for the whole fleet. Nodes that judge do so as they start, too.

    Exit: 0, 2 wrong configuration, 3 the database cannot be reached.
    """
    import os

    from probe.cli.stored import mistaken, whoever
    from probe.errors import ProbeError, StoreUnavailable
    from probe.fleet.publication import publication_of
    from probe.fleet.publish import publish as put_in_force
    from probe.loader import load

    with _hub(config, json=json) as (call, use):
        try:
            publication = publication_of(load(config, environ=os.environ))
            use(lambda hub: put_in_force(hub, publication, whoever(), canary=canary))
        except StoreUnavailable:
            raise
        except ProbeError as error:
            mistaken(call.clean(str(error)), json=json)
        if json:
            call.document(Exit.PASSED, {"config": publication.hash, "canary": canary})
        else:
            where = "all regions" if canary is None else f"{canary} alone; publish it without --canary for all"
            typer.echo(f"{publication.hash} is in force for {where}")


@app.command("status")
def status(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Say which nodes live, what they run, how far behind anything is, and which regions are silent.

    Exit: 0 nothing to look at, 1 something is, 2 wrong configuration, 3 the database cannot be reached.
    """
    from probe import __version__
    from probe.cli.fleet_table import concerns_of, encode_fleet, print_fleet
    from probe.fleet.status import fleet_status

    with _hub(config, json=json) as (call, use):
        found = call.clean(use(lambda hub: fleet_status(hub, __version__)))
        code = Exit.FAILED if concerns_of(found) else Exit.PASSED
        if json:
            call.document(code, {"fleet": encode_fleet(found)})
        else:
            print_fleet(found)
    raise typer.Exit(code)


@agents.command("add")
def add(region: RegionArgument, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Make the database role of a region's agents, or give it a new password, and print the `store.url` for them, once.

    Exit: 0, 2 wrong configuration, 3 it cannot be done; what an administrator must run is said.
    """
    from probe.fleet.address import url_for
    from probe.fleet.roles import add_agent

    with _hub(config, json=json) as (call, use):
        role, password = use(lambda hub: add_agent(hub, region))
        assert call.config.database is not None, "there is a hub"
        url = url_for(call.config.database, role, password)
        if json:  # the one secret that is asked for: it is not cleaned away
            from probe.cli.document import print_document

            print_document(Exit.PASSED, {"region": region, "role": role, "url": url.reveal()})
        else:
            typer.echo(f"{role} may speak for {region}, and do nothing else. The store.url of its agents:", err=True)
            typer.echo(url.reveal())


@agents.command("list")
def list_(config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """List the roles that speak for a region.

    Exit: 0, 2 wrong configuration, 3 the database cannot be reached.
    """
    from probe.fleet.roles import list_agents

    with _hub(config, json=json) as (call, use):
        found = use(list_agents)
        if json:
            roles = [{"role": agent.role, "region": agent.region, "exists": agent.exists} for agent in found]
            call.document(Exit.PASSED, {"agents": roles})
        for agent in () if json else found:
            typer.echo(f"{agent.region}  {agent.role}{'' if agent.exists else '  (somebody has dropped the role)'}")


@agents.command("remove")
def remove(
    role: Annotated[str, typer.Argument(help="The role, as `probe fleet agent list` names it.", metavar="ROLE")],
    config: ConfigOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Take a role its right to speak, in sessions that are open too, and drop it.

    Exit: 0, 2 there is no such role, 3 the database cannot be reached.
    """
    from probe.cli.stored import mistaken
    from probe.fleet.roles import remove_agent

    with _hub(config, json=json) as (call, use):
        try:
            ask = use(lambda hub: remove_agent(hub, role))
        except KeyError:
            mistaken(f"no role {role} speaks for a region: see `probe fleet agent list`", json=json)
        if json:
            call.document(Exit.PASSED, {"role": role, "ask": list(ask)})
        else:
            typer.echo(f"{role} speaks for nobody any more")
            if ask:
                typer.echo("An administrator must run: " + "; ".join(ask), err=True)


@contextmanager
def _hub(config: Path, *, json: bool) -> Iterator[tuple["Asked", Use]]:
    """The frame of a command: the call, and a function that does some work with the database."""
    from probe.cli.stored import asked, mistaken
    from probe.fleet.hub import Hub

    with asked(config, json=json) as call:
        url, fleet = call.config.database, call.config.fleet
        if url is None or fleet is None:
            mistaken(f'{config} has no fleet: set store.url = "postgresql://…"', json=json)
        if not fleet.judges:
            mistaken(
                f"{config} is that of an agent, which may only report: do this where the fleet is judged", json=json
            )

        async def session(work: Callable[[Hub], Awaitable[Any]]) -> Any:
            hub = Hub(url, node=f"{fleet.node} cli")
            try:
                return await work(hub)
            finally:
                await hub.close()

        yield call, lambda work: asyncio.run(session(work))
