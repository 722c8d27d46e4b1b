"""What systemd is told: ready, reloading, stopping, a line of status, and a sign of life for its watchdog.

The protocol is a datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names (`man 3 sd_notify`). Without
that variable nothing is sent. Nothing in here raises or waits: a service manager that does not listen must not hold us up.
"""

import os
import socket
import time
from collections.abc import Mapping


class Notify:
    """Speaks to the service manager that started us, if one did.

    >>> Notify({}).ready("watching 12 checks")  # nobody listens: nothing happens
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._place = environ.get("NOTIFY_SOCKET", "")

    def ready(self, status: str = "") -> None:
        """Start-up, or a reload, is over."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """A reload has begun: `ready` ends it. For `Type=notify-reload` it says when, on the monotonic clock."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> None:
        """The stop has begun."""
        self._send("STOPPING=1", _status(status))

    def status(self, text: str) -> None:
        """One line for a person, shown by `systemctl status`."""
        self._send(_status(text))

    def watchdog(self) -> None:
        """We are alive. To be said more often than `WatchdogSec`: see `watchdog_interval`."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._place.startswith(("/", "@")):
            return  # not set, or of a sort that we do not speak (vsock)
        address = "\0" + self._place[1:] if self._place.startswith("@") else self._place
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(filter(None, lines)).encode(errors="replace"), address)
        except (OSError, ValueError):
            return  # its queue is full, it has gone, or the path is no path: not our concern


def watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life: half of what systemd waits. `None`: it does not wait for any of ours.

    >>> watchdog_interval({"WATCHDOG_USEC": "30000000"})
    15.0
    """
    meant = environ.get("WATCHDOG_PID", "")
    limit = environ.get("WATCHDOG_USEC", "")
    if (meant and meant != str(os.getpid())) or not limit.isdecimal():
        return None
    return int(limit) / 2_000_000 or None


def _status(text: str) -> str:
    """The line of status; `""`: none."""
    return f"STATUS={' '.join(text.split())}" if text else ""
