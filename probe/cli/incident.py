"""`probe incident`: what is or was wrong, who was told, and taking it on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from probe.cli.exits import Exit

if TYPE_CHECKING:
    from probe.cli.stored import Asked

app = typer.Typer(help="What is or was wrong: list, show, ack, mute.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md).")]
Id = Annotated[
    str | None,
    typer.Argument(
        help="Its id, or the beginning of it. None: the one that is open.", metavar="ID", show_default=False
    ),
]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who does it. None: you.", show_default=False)]
DEFAULT = Path("config.toml")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are resolved, too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, the newest.")] = 50,
    config: ConfigOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """List the incidents that are open, newest first.

    Exit: 0 none is open, 1 one is, 2 wrong usage or configuration, 3 nothing can be read.
    """
    from probe.cli.encode import encode_incident
    from probe.cli.stored import asked
    from probe.cli.story import print_list

    with asked(config, json=json) as call:
        with call.reader() as reader:
            incidents = call.clean(reader.incidents(open_only=not all_, limit=limit))
        code = Exit.FAILED if any(i.resolved is None for i in incidents) else Exit.PASSED
        if json:
            call.document(code, {"incidents": [encode_incident(i) for i in incidents]})
        else:
            print_list(incidents, call.now, open_only=not all_)
    raise typer.Exit(code)


@app.command("show")
def show(id: Id = None, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Tell an incident: who suffers, why, what happened when, who was told, and what their services answered.

    Exit: 0, 2 there is no such incident, 3 nothing can be read.
    """
    from probe.cli.encode import encode_story
    from probe.cli.stored import asked
    from probe.cli.story import print_story

    with asked(config, json=json) as call:
        found = _id(call, id)
        with call.reader() as reader:
            story = call.clean(reader.incident(found))
        assert story is not None  # the id was read from the same database, and incidents are kept for good
        if json:
            call.document(Exit.PASSED, encode_story(story))
        else:
            print_story(story, call.now)


@app.command("ack")
def ack(id: Id = None, by: By = None, config: ConfigOption = DEFAULT, json: JsonOption = False) -> None:
    """Take an incident on: no more reminders, no escalation. Needs the running daemon.

    Exit: 0, 2 there is no such incident, 3 no daemon runs or it could not write it down.
    """
    from probe.cli.stored import asked, whoever

    with asked(config, json=json) as call:
        found, name = _id(call, id, open_only=True), by or whoever()
        _control(call, f"/incidents/{found}/ack", {"by": name})
        _done(call, f"{found} is taken on by {name}: no more reminders, no escalation")


@app.command("mute")
def mute(
    id: Id = None,
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="Say nothing for so long, such as 2h.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Deliver again.")] = False,
    by: By = None,
    config: ConfigOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Hold back what is to be said about an incident, for a time. Watching goes on. Needs the running daemon.

    Exit: 0, 2 there is no such incident, 3 no daemon runs or it could not write it down.
    """
    from datetime import UTC, datetime

    from probe.cli.stored import asked, duration_of, mistaken, whoever
    from probe.core.encode import timestamp

    with asked(config, json=json) as call:
        if bool(for_) == off:
            mistaken("say for how long (--for 2h), or --off", json=json)
        length = None if off else duration_of("--for", for_, json=json)
        found, name = _id(call, id, open_only=True), by or whoever()
        until = None if length is None else datetime.now(UTC) + length
        moment = None if until is None else timestamp(until)
        _control(call, f"/incidents/{found}/mute", {"until": moment, "by": name})
        told = (
            "what is said about it is delivered again"
            if until is None
            else f"muted until {until:%Y-%m-%d %H:%M:%S} UTC"
        )
        _done(call, f"{found}: {told}")


def _id(call: "Asked", given: str | None, *, open_only: bool = False) -> str:
    """The id that was meant; ends the program when it is not plain which."""
    from probe.cli.stored import mistaken
    from probe.core.diagnostic import did_you_mean

    with call.reader() as reader:
        known = [str(i.id) for i in reader.incidents(open_only=open_only or given is None, limit=10_000)]
    if given is None:
        if len(known) == 1:
            return known[0]
        mistaken(f"name one of these: {', '.join(known)}" if known else "no incident is open", json=call.json)
    found = [one for one in known if one == given] or [one for one in known if one.startswith(given)]
    if len(found) == 1:
        return found[0]
    if found:
        mistaken(f"{given!r} may be any of {', '.join(found[:10])}", json=call.json)
    word = "open incident" if open_only else "incident"
    hint = did_you_mean(given, known[:20]) if known else "none is open" if open_only else "there was none yet"
    return mistaken(f"there is no {word} {given!r}; {hint}", json=call.json)


def _control(call: "Asked", path: str, body: dict[str, str | None]) -> None:
    """Have the daemon do it."""
    from probe.cli.control import Refused, ask
    from probe.cli.stored import mistaken

    try:
        ask(call.config.data, "POST", path, body)
    except Refused as refused:
        if refused.status == 503:
            raise
        mistaken(call.clean(str(refused)), json=call.json)


def _done(call: "Asked", text: str) -> None:
    if call.json:
        call.document(Exit.PASSED, {"done": text})
    else:
        typer.echo(call.clean(text))
