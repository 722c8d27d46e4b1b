"""The owner of the database at work: `probe fleet init`, then `probe fleet agent add` for each region that is named.

`python -m tests.lab.owner REGION ...` in the folder of its `config.toml`; prints the `store.url` for each, line by line. It is
one process for several commands, for most of what a command takes is its start.
"""

import io
import sys
from contextlib import redirect_stdout

from probe.__main__ import main


def said(*words: str) -> str:
    """What a command prints; SystemExit with its code when it fails."""
    sys.argv = ["probe", *words]
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            main()
    except SystemExit as end:
        if end.code not in (0, None):
            print(printed.getvalue(), file=sys.stderr)
            raise
    return printed.getvalue()


if __name__ == "__main__":
    regions = sys.argv[1:]
    print(said("fleet", "init"), file=sys.stderr)
    for region in regions:
        print(said("fleet", "agent", "add", region).strip())
