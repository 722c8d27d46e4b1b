"""The shop's listening addresses: all bound before anything starts, so that a taken port is said before half a shop runs."""

import errno
import socket

from probe.demo.errors import DemoError, PortTakenError
from probe.demo.ports import BLOCK, LOOPBACK

_ATTEMPTS = 20


class Door:
    """One loopback address of the shop: keeps its port also while nothing listens there."""

    def __init__(self, service: str, port: int = 0) -> None:
        self.service = service
        self._socket: socket.socket | None = _bound(service, port)
        self.port: int = self._socket.getsockname()[1]

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"{LOOPBACK}:{self.port}"

    def listen(self) -> socket.socket:
        """The listening socket: the caller owns it and closes it."""
        found = self._socket or _bound(self.service, self.port)
        self._socket = None
        found.listen(1024)
        return found

    def reserve(self) -> None:
        """Bind without listening, after the listening socket was closed: connections are refused, the port stays ours."""
        if self._socket is None:
            self._socket = _bound(self.service, self.port)

    def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class DatagramDoor:
    """A UDP address with the same port number as a TCP door, as DNS has it."""

    def __init__(self, beside: Door) -> None:
        self.socket = _bound(beside.service, beside.port, kind=socket.SOCK_DGRAM)

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()


def block_doors(first: int | None) -> dict[str, Door]:
    """The doors of the public block: at `first` and after it, or at any free ports."""
    doors: dict[str, Door] = {}
    try:
        for service, offset in BLOCK.items():
            doors[service] = Door(service, 0 if first is None else first + offset)
    except BaseException:
        for door in doors.values():
            door.close()
        raise
    return doors


def dns_doors(door: Door, *, fixed: bool) -> tuple[Door, DatagramDoor]:
    """TCP and UDP at one number. A free TCP port may be taken for UDP: then, unless `fixed`, another is tried."""
    for _ in range(_ATTEMPTS):
        try:
            return door, DatagramDoor(door)
        except PortTakenError:
            if fixed:
                raise
            door.close()
            door = Door(door.service)
    raise DemoError("no port is free for both TCP and UDP on 127.0.0.1: end some of the programs that listen there")


def _bound(service: str, port: int, *, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    if not 0 <= port <= 65535:
        raise DemoError(
            f"{port} is no port number (the shop's {service}): choose a port up to {65535 - max(BLOCK.values())}"
        )
    made = socket.socket(socket.AF_INET, kind)
    try:
        made.setblocking(False)
        if kind is socket.SOCK_STREAM:
            # Restarting the demo has to work while old connections are in TIME_WAIT.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((LOOPBACK, port))
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(port, service) from error
        raise DemoError(f"cannot listen at {LOOPBACK}:{port} (the shop's {service}): {error.strerror}") from error
    return made
