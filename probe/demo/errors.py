"""What can go wrong with the shop itself. Standard library only: `probe.demo.remote` needs it, and has to import quickly."""

from collections.abc import Iterable
from difflib import get_close_matches

from probe.errors import ProbeError


class DemoError(ProbeError):
    """The demo shop cannot be started or reached; the message says what to do."""


class PortTakenError(DemoError):
    """A port of the shop's block is in use by another program."""

    def __init__(self, port: int, service: str) -> None:
        super().__init__(
            f"port {port} (the shop's {service}) is taken by another program: end that program, "
            f"or start the shop at another port, for example `probe demo shop --port {port + 100}`"
        )
        self.port = port
        self.service = service


class UnknownFaultError(DemoError, KeyError):
    """No fault has this name; `suggestion` is the nearest that exists, if any is near."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        self.name = name
        self.suggestion = near[0] if near else None
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
        self.message = f"no fault is called {name!r}; {hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        # KeyError would show the message in quotes.
        return self.message
