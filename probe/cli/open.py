"""`probe open`: the pages in a browser, logged in, for whoever may control the daemon."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

ConfigOption = Annotated[Path, typer.Option("--config", "-c", envvar="PROBE_CONFIG", help="The configuration file.")]
PAGE: Final = "open.html"
"""In the data folder: worth nothing a minute later."""
TEXTUAL: Final = frozenset({"lynx", "w3m", "links", "elinks", "www-browser"})
"""Browsers that take the terminal: a link there is of more use."""


def open_pages(
    print_only: Annotated[
        bool, typer.Option("--print", help="Only print the link, and open no browser: it works once, for 60 s.")
    ] = False,
    config: ConfigOption = Path("config.toml"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/json.md); opens no browser.")] = False,
) -> None:
    """Open the pages in a browser, logged in as an operator, without a password: who may control the daemon may do that.

    Exit: 0, 2 wrong usage or configuration, 3 no daemon answers.
    """
    from probe.cli.control import ask
    from probe.cli.stored import asked, whoever

    with asked(config, json=json) as call:
        answer = ask(call.config.data, "POST", "/login-link", {"by": whoever()})
        url = str(answer["url"])
        if json:
            call.document(0, {"url": url, "seconds": answer["seconds"]})
        elif print_only or not _opened(url, call.config.data / PAGE):
            typer.echo(url)
            typer.echo(
                "It works once, within a minute. From another machine: tunnel the port first (ssh -L).", err=True
            )
        else:
            typer.echo(f"opened {url.partition('#')[0]} in your browser; if nothing is to be seen: probe open --print")


def _opened(url: str, page: Path) -> bool:
    """Whether a browser with windows took it.

    It is given a file that leads on, which nobody else can read: everybody can read the arguments of a process.
    """
    import html
    import webbrowser

    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")):
        return False
    try:
        browser = webbrowser.get()
        if getattr(browser, "basename", "") in TEXTUAL:
            return False
        page.unlink(missing_ok=True)
        descriptor = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(
                f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={html.escape(url)}">\n'
            )
        return browser.open(page.absolute().as_uri())
    except (webbrowser.Error, OSError):
        return False
