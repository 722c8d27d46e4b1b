"""What we rely on of others' private parts: this fails, loudly, when an upgrade changes it."""

import asyncio
import inspect
import ssl

from aiohttp.client_proto import ResponseHandler

from probe.net.address import parse_address
from probe.net.connector import Connector, Protocol
from probe.net.dial import Dialer
from probe.net.message import answer_to
from probe.net.trace import Stage, Trace
from tests.net.servers import HERE, ok, paths, says, serving


def test_aiohttps_protocol_still_is_what_we_extend() -> None:
    """What we override and what we call is there, with the parameters that we give."""
    for name in ("data_received", "connection_lost", "close"):
        assert name in vars(Protocol)
        assert callable(getattr(ResponseHandler, name))
    given = {"skip_payload", "read_until_eof", "auto_decompress", "max_line_size", "max_field_size", "max_headers"}
    assert given <= set(inspect.signature(ResponseHandler.set_response_params).parameters)
    assert inspect.iscoroutinefunction(ResponseHandler.read)
    assert isinstance(inspect.getattr_static(ResponseHandler, "should_close"), property)


def test_python_still_gives_the_chains() -> None:
    """Private before 3.13, public since."""
    import _ssl

    raw = vars(_ssl)["_SSLSocket"]
    assert (hasattr(raw, "get_verified_chain") and hasattr(raw, "get_unverified_chain")) or hasattr(
        ssl.SSLObject, "get_verified_chain"
    )
    assert vars(_ssl)["ENCODING_DER"] == 2


async def test_the_life_of_a_connection() -> None:
    """Made, used, kept, used again, and thrown away when it rested too long or something is left unread."""
    async with serving(paths({"/": ok(b"hello")})) as port:
        address = parse_address(f"http://127.0.0.1:{port}/")
        connector = Connector(Dialer(HERE), keep_alive=0.05)
        request = f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()

        async def once(*, read: bool) -> Trace:
            trace = Trace()
            protocol = await connector.connect(address, None, trace)
            assert trace.stage is Stage.WAIT
            message, content = await answer_to(protocol, request, "GET")
            assert (message.code, trace.stage) == (200, Stage.HEAD)
            if read:
                assert await content.readany() == b"hello"
            connector.release(protocol, reusable=read)
            return trace

        assert not (await once(read=True)).reused
        assert (await once(read=True)).reused
        await asyncio.sleep(0.06)
        assert not (await once(read=False)).reused
        assert not (await once(read=True)).reused
        connector.close()
        await asyncio.sleep(0)


async def test_what_the_peer_does_not_take_does_not_stay() -> None:
    """A request that is still being sent when the run ends is given up."""
    async with serving(says(stay=True)) as port:
        connector = Connector(Dialer(HERE), keep_alive=None)
        protocol = await connector.connect(parse_address(f"http://127.0.0.1:{port}/"), None, Trace())
        transport = protocol.transport
        assert transport is not None
        transport.write(b"x" * 30_000_000)
        assert transport.get_write_buffer_size() > 0
        connector.release(protocol, reusable=False)
        await asyncio.sleep(0)
        assert transport.get_write_buffer_size() == 0
