"""The client's half of SOCKS 4 and 5 (RFC 1928, RFC 1929), on a connected socket.

Our own, because who is to blame depends on how far the talk came: until the proxy has taken the order, trouble is
ours; from then on the proxy speaks about the target. A library that connects in one call cannot tell them apart, and
a hung proxy of ours would read as every shop being down.
"""

import asyncio
import ipaddress
import socket
from enum import IntEnum

from probe.core.failure import CheckFailed, Failure
from probe.net.trace import Stage, Trace


class Reply(IntEnum):
    """What a SOCKS 5 server answers to an order."""

    GRANTED = 0
    GENERAL = 1
    FORBIDDEN = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    TTL_EXPIRED = 6
    BAD_COMMAND = 7
    BAD_ADDRESS = 8


ANONYMOUS, PASSWORD, NO_METHOD = 0, 2, 0xFF
IPV4, NAME, IPV6 = 1, 3, 4


def egress_failed(why: str) -> CheckFailed:
    """Trouble with our own way out."""
    return CheckFailed(Failure.of("egress_failed", why))


async def exactly(sock: socket.socket, count: int) -> bytes:
    """`count` bytes; `EOFError` when the peer closes before."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        more = await loop.sock_recv(sock, count - len(data))
        if not more:
            raise EOFError("closed")
        data += more
    return data


async def socks5(
    sock: socket.socket, host: str, port: int, credentials: tuple[str, str] | None, trace: Trace, proxy: str
) -> None:
    """Have the SOCKS 5 proxy at the other end of `sock` connect to `host:port`. `proxy` is its name for messages."""
    loop = asyncio.get_running_loop()
    methods = bytes((ANONYMOUS, PASSWORD) if credentials else (ANONYMOUS,))
    await loop.sock_sendall(sock, bytes((5, len(methods))) + methods)
    version, method = await exactly(sock, 2)
    if version != 5:
        raise egress_failed(f"{proxy} does not speak SOCKS 5")
    if method == PASSWORD and credentials:
        user, password = (part.encode()[:255] for part in credentials)
        await loop.sock_sendall(sock, bytes((1, len(user))) + user + bytes((len(password),)) + password)
        if (await exactly(sock, 2))[1] != 0:
            raise egress_failed(f"{proxy} refused our user name or password")
    elif method == NO_METHOD:
        raise egress_failed(
            f"{proxy} {'refused our way to log in' if credentials else 'wants a user name and a password'}"
        )
    elif method != ANONYMOUS:
        raise egress_failed(f"{proxy} chose a way to log in that we did not offer")
    trace.stage = Stage.CONNECT
    await loop.sock_sendall(sock, b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await exactly(sock, 4)
    if reply != Reply.GRANTED:
        raise CheckFailed(reply_failure(reply, host, port, proxy))
    size = {IPV4: 4, IPV6: 16}.get(kind)
    await exactly(sock, (size if size is not None else (await exactly(sock, 1))[0]) + 2)


async def socks4(sock: socket.socket, host: str, port: int, user: str, trace: Trace, proxy: str) -> None:
    """The same by SOCKS 4: `host` is an IPv4 address, or a name that the proxy resolves (4a)."""
    loop = asyncio.get_running_loop()
    trace.stage = Stage.CONNECT
    try:
        address, name = ipaddress.IPv4Address(host).packed, b""
    except ValueError:
        address, name = b"\0\0\0\1", host.encode() + b"\0"
    await loop.sock_sendall(sock, b"\x04\x01" + port.to_bytes(2, "big") + address + user.encode() + b"\0" + name)
    version, reply = (await exactly(sock, 8))[:2]
    if version != 0:
        raise egress_failed(f"{proxy} does not speak SOCKS 4")
    if reply in (92, 93):
        raise egress_failed(f"{proxy} refused our user name")
    if reply != 90:  # 91, the only word that SOCKS 4 has for every trouble with the target
        raise CheckFailed(Failure.of("unreachable", f"{proxy} could not connect to {host}:{port}"))


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode()
        return bytes((NAME, len(name))) + name
    return bytes((IPV4 if address.version == 4 else IPV6,)) + address.packed


def reply_failure(reply: int, host: str, port: int, proxy: str) -> Failure:
    """What the refusal of an order by a SOCKS 5 proxy means. Pure."""
    where = f"{host}:{port}"
    if reply == Reply.REFUSED:
        return Failure.of("refused", f"{where} refused the connection, says {proxy}")
    if reply == Reply.NETWORK_UNREACHABLE:
        return Failure.of("unreachable", f"there is no route to {where}, says {proxy}")
    if reply == Reply.TTL_EXPIRED:
        return Failure.of("connect_timeout", f"no connection to {where} in time, says {proxy}")
    if reply == Reply.HOST_UNREACHABLE:
        if _address(host)[0] == NAME:  # SOCKS has no word for an unknown name: servers say this one
            return Failure.of(
                "name_not_found", f"{proxy} finds no host {host}: the name does not exist or cannot be reached"
            )
        return Failure.of("unreachable", f"{where} cannot be reached, says {proxy}")
    why = {
        Reply.GENERAL: "says only that it failed",
        Reply.FORBIDDEN: "does not allow it",
        Reply.BAD_COMMAND: "does not know how",
        Reply.BAD_ADDRESS: "does not know such addresses",
    }.get(Reply(reply) if reply in set(Reply) else Reply.GENERAL)
    return Failure.of("egress_failed", f"{proxy} was to connect to {where} and {why}")
