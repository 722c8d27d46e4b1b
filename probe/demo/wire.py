"""How the app talks to database and cache: one JSON object a line, one question at a time on a connection."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

Answer = Callable[[dict[str, Any]], Awaitable[object]]

_LIMIT_IDLE = 16
_LIMIT_LINE = 16 * 1024 * 1024


class ServiceDown(Exception):  # noqa: N818  # a state, named as one
    """A service behind the app cannot be reached, or broke off."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} cannot be reached")
        self.service = service


class Refused(Exception):  # noqa: N818  # an answer, not trouble
    """The service understood and said no; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def serve(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the questions of one connection until it ends. Who hangs up is not worked for any longer."""
    while line := await reader.readline():
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(_worked(answer, line), name="demo query")
            gone = tasks.create_task(reader.read(1), name="demo query hang-up")
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            hung_up = gone.done()
            work.cancel()
            gone.cancel()
        if hung_up or work.cancelled():
            return
        writer.write(work.result())
        await writer.drain()


async def _worked(answer: Answer, line: bytes) -> bytes:
    try:
        reply: dict[str, object] = {"ok": await answer(json.loads(line))}
    except Refused as refused:
        reply = {"refused": refused.code}
    return json.dumps(reply).encode() + b"\n"


class Client:
    """The app's side: a pool of connections to one service."""

    def __init__(self, service: str, host: str, port: int, *, timeout: float = 60) -> None:
        self.service = service
        self._host = host
        self._port = port
        self._timeout = timeout
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, op: str, **args: object) -> Any:
        """The service's answer to `op`. Raises `Refused`, or `ServiceDown` if there is none."""
        question = json.dumps({"op": op, **args}).encode() + b"\n"
        try:
            async with asyncio.timeout(self._timeout):
                while self._idle:
                    # An idle connection may have died with the service: that alone proves nothing, ask again.
                    if reply := await self._exchange(*self._idle.pop(), question):
                        return _opened(reply)
                reader, writer = await asyncio.open_connection(self._host, self._port, limit=_LIMIT_LINE)
                reply = await self._exchange(reader, writer, question)
        except (OSError, TimeoutError) as error:
            raise ServiceDown(self.service) from error
        if not reply:
            raise ServiceDown(self.service)
        return _opened(reply)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> bytes:
        """One question and its answer; empty if the connection is dead. The connection is kept only if all went well."""
        reply = b""
        try:
            writer.write(question)
            reply = await reader.readline()
        except ConnectionError:
            return b""
        finally:
            if reply and len(self._idle) < _LIMIT_IDLE:
                self._idle.append((reader, writer))
            else:
                writer.close()
        return reply


def _opened(reply: bytes) -> Any:
    data = json.loads(reply)
    if "refused" in data:
        raise Refused(data["refused"])
    return data["ok"]
