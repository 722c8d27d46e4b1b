"""The system's resolver for aiohttp's own client: alerts and pings are not measured, and need no more."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from probe.net.threads import threads


class SystemResolver(AbstractResolver):
    """Asks the system, in threads that nobody waits for: the loop's own would hold up the end of the process."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`; `OSError` where it has none."""
        found = await threads.run(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""
