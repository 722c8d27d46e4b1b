"""`probe user`: what is written into the configuration for people who log in."""

from typing import Annotated, Final

import typer

app = typer.Typer(help="People who log in: make the hash of a password.", no_args_is_help=True)
SHORTEST: Final = 12
"""Characters of a password: shorter ones are guessed."""
LONGEST: Final = 1024
"""Bytes that are looked at, at the login."""


@app.callback()
def user() -> None:
    """People who log in: make the hash of a password."""


@app.command("hash")
def hash_password(
    name: Annotated[
        str | None, typer.Argument(help="The user's name. None: only the hash is printed.", show_default=False)
    ] = None,
    from_input: Annotated[
        bool, typer.Option("--stdin", help="Read the password from standard input, one line, without asking.")
    ] = False,
) -> None:
    """Ask for a password, and print its Argon2id hash: for `password` in [web.users.NAME].

    Exit: 0 done, 2 the password cannot be used.
    """
    import sys

    from probe.cli.exits import Exit

    if from_input:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
    length = len(password.encode("utf-8", "surrogateescape"))
    if len(password) < SHORTEST or length > LONGEST:
        typer.echo(f"error: a password is to have from {SHORTEST} to {LONGEST} characters", err=True)
        raise typer.Exit(Exit.USAGE)
    from argon2 import PasswordHasher

    hashed = PasswordHasher().hash(password)
    if name is None:
        typer.echo(hashed)
        return
    typer.echo(f'[web.users.{name}]\npassword = "{hashed}"   # or put the hash into a file: "${{file:secrets/{name}}}"')
    typer.echo('role = "viewer"   # or "operator"')
