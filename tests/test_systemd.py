"""What systemd would read on its socket. The receiver is a datagram socket of our own, in place of systemd's."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.systemd import Notify, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A manager's socket, and how NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@probe-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.setblocking(False)
        yield receiver, name


def test_each_word_is_understood(manager: tuple[socket.socket, str]) -> None:
    """One datagram for each, in the words of sd_notify(3); a status is one line, whatever is in it."""
    receiver, name = manager
    notify = Notify({"NOTIFY_SOCKET": name})
    notify.ready("watching\n12 checks")
    notify.ready()
    notify.status("1 incident is open")
    notify.watchdog()
    notify.stopping("waiting for 3 runs")
    said = [receiver.recv(4096).decode() for _ in range(5)]
    assert said == [
        "READY=1\nSTATUS=watching 12 checks",
        "READY=1",
        "STATUS=1 incident is open",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=waiting for 3 runs",
    ]


def test_a_reload_says_when_it_began(manager: tuple[socket.socket, str]) -> None:
    """`Type=notify-reload` compares the time with that of its signal, on CLOCK_MONOTONIC in microseconds."""
    receiver, name = manager
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notify({"NOTIFY_SOCKET": name}).reloading()
    first, second = receiver.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_manager_that_does_not_read_holds_nobody_up(manager: tuple[socket.socket, str]) -> None:
    """Its queue is full long before the last of these: they are dropped, and nothing waits or raises."""
    receiver, name = manager
    for _ in range(5000):
        Notify({"NOTIFY_SOCKET": name}).watchdog()
    got = 0
    with contextlib.suppress(BlockingIOError):
        while receiver.recv(64):
            got += 1
    assert 0 < got < 5000


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "vsock:2:1234", "/" + "x" * 300, "/a\0b"])
def test_a_manager_that_is_not_there(name: str) -> None:
    """Not set, gone, of a sort we do not speak, or no path: nothing happens."""
    Notify({"NOTIFY_SOCKET": name}).ready("watching")
    Notify({}).ready("watching")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_bites(environ: dict[str, str], seconds: float | None) -> None:
    """Half of the limit; nothing when the limit is none, or another process's."""
    assert watchdog_interval(environ) == seconds
