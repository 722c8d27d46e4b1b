"""The commands' way to a running daemon: HTTP over the unix socket in its data folder."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

from probe.errors import ProbeError
from probe.web.place import SOCKET, reachable

PATIENCE: Final = 30.0
"""Seconds that an answer may take: a reload imports the user's check files."""


class NoDaemon(ProbeError):  # noqa: N818  # a state, named as one
    """No daemon answers for a data folder."""


class Refused(ProbeError):  # noqa: N818  # an answer, named as one
    """The daemon does not do what is asked. `status` is that of HTTP: 404 what is named does not exist, 503 it cannot now."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def ask(data: Path, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the daemon of the data folder answers. `NoDaemon` when there is none, `Refused` when it does not do it.

    ask(config.data, "POST", "/incidents/7f3a/ack", {"by": "ada"})
    """
    connection = _Connection(data / SOCKET)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NoDaemon(f"no daemon runs for {data}: start it with `probe run`") from error
    except PermissionError as error:
        raise NoDaemon(f"{data / SOCKET}: only the user that the daemon runs as may control it") from error
    except TimeoutError as error:
        raise NoDaemon(f"the daemon of {data} did not answer within {PATIENCE:.0f} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoDaemon(f"the daemon of {data} did not answer: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()
    if not isinstance(document, dict):
        raise NoDaemon(f"the daemon of {data} answered something else than a daemon does")
    if answer.status >= 400 and "error" in document:
        hint = f"; {document['hint']}" if document.get("hint") else ""
        raise Refused(f"{document['error']}{hint}", answer.status)
    return document


class _Connection(http.client.HTTPConnection):
    """An HTTP connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("probe", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's file."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(self.timeout)
        try:
            with reachable(self._path) as name:
                made.connect(name)
        except BaseException:
            made.close()
            raise
        self.sock = made
