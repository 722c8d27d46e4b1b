"""`probe trace`: step through what a run did, in Playwright's viewer, on one's own machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.core.run import Run
    from probe.view.sources import Sources
    from probe.web.viewer import Viewer

KIND: Final = "trace"
LOOKED_AT: Final = 40
"""Other failed runs that are looked through for a trace, at most."""


def trace(
    run: Annotated[
        str, typer.Argument(help="The id of a run, as its page shows it.", metavar="RUN", show_default=False)
    ],
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the address.")] = False,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")
    ] = Path("config.toml"),
) -> None:
    """Step through the trace of a run in Playwright's viewer, served on this machine until Ctrl-C.

    Exit: 0, 2 there is no such run or it has no trace, 3 nothing can be read or served.
    """
    from probe.cli.sources import sources
    from probe.cli.stored import asked
    from probe.errors import ProbeError
    from probe.web.viewer import find_viewer

    with asked(config, json=False) as call:
        with sources(call) as found:
            body = read_trace(found, run)
        viewer = find_viewer()
        if viewer is None:
            raise ProbeError(
                "the installed playwright package does not bring its trace viewer: install it again, "
                "or open the file with another one's `playwright show-trace`"
            )
        _serve(viewer, body, opens=not no_open)


def read_trace(sources: "Sources", id: str) -> bytes:
    """The trace of a run. Ends the program with what to do instead when it has none."""
    from probe.cli.stored import mistaken

    run = sources.reader.run(id)
    if run is None:
        mistaken(
            f"no run {id!r} is stored; the id of a run is on its page, and in `probe history CHECK --json`", json=False
        )
    for name in _names(run):
        body = sources.evidence.read(run, name)
        if body is not None:
            return body
    had = "its trace is not kept any more, or not on this machine" if any(_names(run)) else "it has no trace"
    other = _another(sources, run)
    if other is None:
        mistaken(
            f"run {id!r} of {run.check!r}: {had}, and no other that failed near it has; journeys keep one of a "
            "run that was made to confirm a failure and failed, too, or of every failed run with "
            'trace = "retain-on-failure" in [evidence] (docs/evidence.md)',
            json=False,
        )
    alike = "failed like it" if _reason(other) == _reason(run) else "failed, too, at something else"
    return mistaken(
        f"run {id!r} of {run.check!r}: {had}; the one of {other.started:%Y-%m-%d %H:%M:%S} UTC from {other.region} "
        f"{alike} and has one: probe trace {other.id}",
        json=False,
    )


def _another(sources: "Sources", run: "Run") -> "Run | None":
    """Another failed run of the check that has a trace, one that failed alike and near it first; `None`: none was found."""
    from datetime import timedelta

    day = timedelta(days=1)
    failed = sources.reader.history(
        run.check, since=run.started - day, until=run.started + day, limit=1000, failed=True
    )
    others = [one for one in failed if one.id != run.id]
    near = sorted(others, key=lambda one: (_reason(one) != _reason(run), abs(one.started - run.started)))
    for one in near[:LOOKED_AT]:
        whole = sources.reader.run(one.id)
        if whole is not None and not sources.evidence.names(whole).isdisjoint(_names(whole)):
            return whole
    return None


def _names(run: "Run") -> "Iterable[str]":
    from pathlib import PurePosixPath

    return [PurePosixPath(artifact.path).name for artifact in run.observation.artifacts if artifact.kind == KIND]


def _reason(run: "Run") -> tuple[str, str | None] | None:
    return None if run.failure is None else (run.failure.kind, run.failure.step)


def _serve(viewer: "Viewer", body: bytes, *, opens: bool) -> None:
    """Until Ctrl-C."""
    import asyncio

    asyncio.run(_serving(viewer, body, opens=opens))


async def _serving(viewer: "Viewer", body: bytes, *, opens: bool) -> None:
    import asyncio
    import signal
    import webbrowser

    from probe.web.lone_trace import serve_trace

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)  # also where a shell lets its background jobs ignore Ctrl-C
    async with serve_trace(viewer, body) as address:
        typer.echo(f"the trace is at {address}\nCtrl-C stops it.")
        if opens:
            await asyncio.to_thread(webbrowser.open, address)
        await stop.wait()
