"""Network namespaces: one for each region and each server of the lab. Made with names of their own, and removed again."""

import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

HOMES = Path("/run/netns")
"""Where `ip netns` keeps them by name."""
OURS = "/proc/thread-self/ns/net"
DEVICE = "wan0"
PREFIX = "probe-lab"
SET_INTERFACE, TUN, WITHOUT_HEADER = 0x400454CA, 0x0001, 0x1000
NETWORK_NAMESPACE = 0x40000000


class NotAllowed(RuntimeError):
    """This host, or this user, may not make network namespaces; says why."""


def command(namespace: str, *words: str) -> tuple[str, ...]:
    """The words that run a command inside; the process keeps its number, for nothing stands between."""
    return "ip", "netns", "exec", namespace, *words


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """This thread is inside. Nothing may be awaited meanwhile; a socket that is made here stays inside for its life."""
    back = os.open(OURS, os.O_RDONLY)
    try:
        inside = os.open(HOMES / namespace, os.O_RDONLY)
        try:
            _enter(inside)
        finally:
            os.close(inside)
        try:
            yield
        finally:
            _enter(back)
    finally:
        os.close(back)


def listener(namespace: str, host: str, port: int) -> socket.socket:
    """A TCP socket that listens inside, to be served from out here."""
    with entered(namespace):
        return socket.create_server((host, port), backlog=128)


def tunnel(namespace: str, address: str) -> int:
    """The descriptor of the device through which everything leaves that namespace and comes to it, packet by packet.

    `address` is the namespace's own, in a network of 256: `10.77.0.2`.
    """
    with entered(namespace):
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(descriptor, SET_INTERFACE, struct.pack("16sH", DEVICE.encode(), TUN | WITHOUT_HEADER))
        except OSError:
            os.close(descriptor)
            raise
    _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", DEVICE)
    _ip("-n", namespace, "link", "set", DEVICE, "up", "mtu", "1500")
    return descriptor


@contextmanager
def namespaces(*names: str) -> Iterator[dict[str, str]]:
    """One for each name, with loopback up: name → what it is really called, which no other run has."""
    refused = why_not()
    if refused is not None:
        raise NotAllowed(refused)
    _remove_orphans()
    run = f"{PREFIX}-{os.getpid()}-{uuid4().hex[:6]}"
    made: dict[str, str] = {}
    try:
        for name in names:
            _ip("netns", "add", f"{run}-{name}")
            made[name] = f"{run}-{name}"
            _ip("-n", made[name], "link", "set", "lo", "up")
        yield made
    finally:
        for called in made.values():
            _ip("netns", "delete", called)


@cache
def why_not() -> str | None:
    """Why this cannot be done here, in words; `None`: it can."""
    name = f"{PREFIX}-{os.getpid()}-{uuid4().hex[:6]}-try"
    try:
        _ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces are not permitted here ({_words(error)}): run as root, with iproute2"
    try:
        os.close(tunnel(name, "10.77.0.1"))
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a TUN device cannot be made here ({_words(error)}): the lab needs /dev/net/tun and CAP_NET_ADMIN"
    finally:
        _ip("netns", "delete", name)
    return None


def _words(error: Exception) -> str:
    return str(error.stderr).strip() if isinstance(error, subprocess.CalledProcessError) else str(error)


def _remove_orphans() -> None:
    """Those of runs that were killed: the process whose number they bear is gone."""
    for home in HOMES.glob(f"{PREFIX}-*"):
        found = re.match(rf"{PREFIX}-(\d+)-", home.name)
        if found and not Path("/proc", found[1]).exists():
            subprocess.run(["ip", "netns", "delete", home.name], check=False, capture_output=True)


def _ip(*words: str) -> Sequence[str]:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout.splitlines()


def _enter(descriptor: int) -> None:
    """setns(2), which Python has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, NETWORK_NAMESPACE):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
