"""TLS with ourselves over loopback: whether this host's own stack and processor are fit to measure with."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from probe.core.failure import CheckFailed, Failure
from probe.net.threads import threads

HOST: Final = "127.0.0.1"
NAME: Final = "echo.probe"
WORDS: Final = b"is anybody there?\n"
_BEGIN, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Echo:
    """A TLS server of our own that is started for each question, and a client that verifies it. `folder` is scratch.

    >>> async def works(folder):
    ...     await Echo(folder).ask(3.0)
    """

    def __init__(self, folder: Path, host: str = HOST) -> None:
        self._folder = folder
        self._host = host
        self._contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None

    async def ask(self, seconds: float) -> float:
        """How long it took to say a word and hear it again. `CheckFailed` of kinds of our own when that did not work."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds):
                if self._contexts is None:
                    self._contexts = await threads.run(_contexts, self._folder)
                await self._talk(*self._contexts)
        except TimeoutError as error:
            words = f"TLS with ourselves on loopback took longer than {seconds:g} s"
            raise CheckFailed(Failure.of("host_starved", words)) from error
        except (OSError, EOFError) as error:  # an SSLError is an OSError
            words = f"TLS with ourselves on {self._host} does not work: {getattr(error, 'strerror', None) or error}"
            raise CheckFailed(Failure.of("no_network", words)) from error
        return loop.time() - began

    async def _talk(self, served: ssl.SSLContext, asked: ssl.SSLContext) -> None:
        async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                writer.write(await reader.readline())
                await writer.drain()
            except OSError:  # the client sees it, too
                pass
            finally:
                writer.transport.abort()

        async with await asyncio.start_server(repeat, self._host, 0, ssl=served) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(self._host, port, ssl=asked, server_hostname=NAME)
            try:
                writer.write(WORDS)
                if await reader.readexactly(len(WORDS)) != WORDS:
                    raise OSError("other words came back")
            finally:
                writer.transport.abort()


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's, with a certificate that only they know. Blocks for some milliseconds."""
    # Not at the top: 40 ms that a process without control runs need not spend.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), _BEGIN, _END)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    file = folder / "echo.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.touch(mode=0o600)
    file.write_bytes(pem + certificate)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file)
    asked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asked.verify_flags &= ~ssl.VERIFY_X509_STRICT
    asked.load_verify_locations(cadata=certificate.decode())
    return served, asked
