"""The body of an answer: read and decompressed within a limit, whatever the server sends."""

import zlib
from typing import Final

import aiohttp

from probe.core.failure import CheckFailed, Failure

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What Python can decompress without more packages."""
_KNOWN: Final = frozenset({"gzip", "x-gzip", "deflate"})
MOST_ENCODINGS: Final = 3
"""Layers of compression that are taken off; more is an attack, or nonsense."""


class _Layer:
    """One layer of gzip or deflate, undone a piece at a time."""

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding != "deflate"
        self._held = b""
        self._inflate = zlib.decompressobj(wbits=31) if self._gzip else None
        self.begun = False

    def feed(self, data: bytes, most: int) -> bytes:
        """At most `most` bytes more of the plain text that `data` makes."""
        self.begun = True
        if self._inflate is None:
            # "deflate" means zlib (RFC 9110), but many a server sends the raw stream: the header tells which.
            self._held += data
            if len(self._held) < 2:
                return b""
            data, self._held = self._held, b""
            zlib_header = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._inflate = zlib.decompressobj(wbits=15 if zlib_header else -15)
        plain = bytearray()
        while data:
            if self._inflate.eof:
                if not self._gzip or not data.startswith(b"\x1f\x8b"):
                    break  # padding or rubbish behind the end is ignored, as browsers do
                self._inflate = zlib.decompressobj(wbits=31)  # a further gzip member
            plain += self._inflate.decompress(data, most - len(plain))
            if len(plain) >= most:
                break
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        return bytes(plain)

    @property
    def complete(self) -> bool:
        """Whether the stream came to its end (or never began)."""
        return not self.begun or (self._inflate is not None and self._inflate.eof)


class Body:
    """Collects a body. `limit` bytes at most, both as sent and as plain text; more is `body_too_large`."""

    __slots__ = ("_decode", "_encoding", "_layers", "_limit", "_parts", "plain_size", "wire_size")

    def __init__(self, encoding: str, limit: int, *, decode: bool = True) -> None:
        self._encoding = encoding
        self._decode = decode and bool(encoding)
        self._layers: list[_Layer] = []
        self._limit = limit
        self._parts: list[bytes] = []
        self.wire_size = 0
        self.plain_size = 0

    def feed(self, data: bytes) -> None:
        """One piece as it came from the wire."""
        if self._decode and not self.wire_size:  # only now: an answer without a body may name any encoding
            self._layers = _layers(self._encoding)
        self.wire_size += len(data)
        if self.wire_size > self._limit:
            raise _too_large(self._limit, "as sent")
        for layer in self._layers:
            try:
                data = layer.feed(data, self._limit - self.plain_size + 1)
            except zlib.error as error:
                raise CheckFailed(Failure.of("bad_encoding", f"the body cannot be decompressed: {error}")) from error
        self.plain_size += len(data)
        if self.plain_size > self._limit:
            raise _too_large(self._limit, "decompressed")
        if data:
            self._parts.append(data)

    def end(self) -> bytes:
        """The plain body."""
        if not all(layer.complete for layer in self._layers):
            raise CheckFailed(Failure.of("bad_encoding", "the compressed body ends in the middle"))
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


def _layers(encoding: str) -> list[_Layer]:
    names = [n for n in (part.strip().lower() for part in encoding.split(",")) if n not in ("", "identity")]
    if len(names) > MOST_ENCODINGS or not _KNOWN.issuperset(names):
        shown = encoding[:80]
        raise CheckFailed(
            Failure.of(
                "bad_encoding",
                f"the body is encoded as {shown!r}, which was not asked for",
                expected=ACCEPT_ENCODING,
                actual=shown,
            )
        )
    return [_Layer(name) for name in reversed(names)]


def _too_large(limit: int, how: str) -> CheckFailed:
    return CheckFailed(
        Failure.of(
            "body_too_large",
            f"the body is larger than {limit} bytes {how}",
            expected=f"at most {limit} bytes",
            actual="more",
        )
    )


async def read_into(body: Body, content: aiohttp.StreamReader) -> None:
    """Everything that is left of the answer."""
    while not content.at_eof():
        body.feed(await content.readany())
