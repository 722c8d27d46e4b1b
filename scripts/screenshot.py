"""Draw docs/images/check.svg: what a terminal shows of `probe check --once` while the demo shop has a bad deploy."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from probe.demo.child import shop_process
from probe.demo.ports import DEFAULT_PORT
from probe.demo.remote import set_fault

PLACE = Path("docs/images/check.svg")
WIDTH = 112


def terminal(command: list[str]) -> str:
    """What the command writes on a terminal of its own."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": "60"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ):
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the program has ended
                break
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def main() -> None:
    command = ["check", "--once", "--config", "checks/shop.toml", "--evidence", "evidence"]
    with shop_process(DEFAULT_PORT) as panel:
        set_fault(panel, "deploy-bug", True)
        shown = terminal([sys.executable, "-m", "probe", *command])
    result = shown.rpartition("\x1b[2K")[2]  # after the live table, which erases itself
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text(f"$ probe {' '.join(command)}", "bold"))
    console.print(Text.from_ansi(result.strip("\n")), soft_wrap=False)
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(console.export_svg(title="probe"), encoding="utf-8")


if __name__ == "__main__":
    main()
