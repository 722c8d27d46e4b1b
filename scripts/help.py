"""Write the texts that are made from the code: what `probe --help` prints (see probe/__main__.py)."""

from pathlib import Path

from typer.main import get_command

from probe.cli import app

PLACE = Path("probe/cli/help.txt")


def text() -> str:
    command = get_command(app)
    with command.make_context("probe", ["check"], resilient_parsing=True, max_content_width=80) as context:
        return command.get_help(context) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
