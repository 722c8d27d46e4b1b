"""`python -m probe` and the `probe` command."""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line.

    The two calls that a person waits for with an empty screen, `probe --help` and `probe --version`, are answered
    without importing the command line itself: the text is made by `make help` and held true by a test.
    """
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from probe import __version__

        sys.stdout.write(f"probe {__version__}\n")
    elif arguments in (["--help"], []):
        sys.stdout.write((Path(__file__).parent / "cli" / "help.txt").read_text(encoding="utf-8"))
        sys.exit(0 if arguments else 2)
    else:
        from probe.cli import app

        app(prog_name="probe")


if __name__ == "__main__":
    main()
