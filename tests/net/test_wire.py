"""One exchange against real servers: what is measured, what follows a redirect, and every way an answer can be bad."""

import asyncio
import gzip
import time
import tracemalloc
import zlib

import pytest

from probe.core.secret import Secret
from probe.core.target import IpVersion, Region
from probe.net.address import parse_address
from probe.net.wire import ExchangeFailed, Home, Request, Wire
from tests.net.servers import HERE, Talk, ask, head, moved, name_server, ok, paths, says, serving, trouble

# ---------------------------------------------------------------------------------------- measuring


async def test_an_answer_in_whole() -> None:
    """Status, headers, body, address and phases of a plain answer."""
    async with serving(says(ok(b"hello", "X-A: 1", "X-A: 2", "X-Old: caf\xe9"))) as port:
        exchange = await ask(f"http://127.0.0.1:{port}/x?y=1")
    assert (exchange.status, exchange.reason, exchange.body, exchange.wire_size) == (200, "OK", b"hello", 5)
    assert exchange.header("x-a") == "1, 2"
    assert exchange.header("x-old") == "café"
    assert exchange.hops[0].address == f"127.0.0.1:{port}"
    phases = exchange.phases
    assert (phases.dns, phases.tls) == (None, None)
    assert None not in (phases.connect, phases.ttfb, phases.transfer)
    assert phases.total <= exchange.duration


async def test_a_name_has_a_dns_phase() -> None:
    """A name is resolved, by the system, each time."""
    async with serving(says(ok())) as port:
        exchange = await ask(f"http://localhost:{port}/", region=Region(name="v4", ip_version=IpVersion.V4))
    assert exchange.phases.dns is not None
    assert exchange.hops[0].answers == ("127.0.0.1",)


async def test_all_answers_are_told_and_an_address_has_none() -> None:
    """Sorted, so that two runs can be compared; each hop has its own, also over a connection that was kept."""
    routes = {"/": moved("/there"), "/there": ok(b"x")}
    names = {"shop.example": ["127.0.0.9", "127.0.0.1"]}
    async with (
        serving(paths(routes), host="0.0.0.0") as port,
        name_server(names) as (server, _),
    ):  # of all loopback addresses
        region = Region(name="r", nameserver=server)
        async with Wire(region, keep_alive=True) as wire:
            home = Home(origin=f"http://shop.example:{port}", user_agent="probe/test")
            request = Request(url=f"http://shop.example:{port}/", home=home)
            exchange = await wire.send(request, deadline=asyncio.get_running_loop().time() + 5)
    assert [hop.answers for hop in exchange.hops] == [("127.0.0.1", "127.0.0.9")] * 2
    async with serving(says(ok())) as port:
        assert (await ask(f"http://127.0.0.1:{port}/")).hops[0].answers == ()


async def test_first_byte_and_body_are_told_apart() -> None:
    """Waiting for the answer is ttfb, waiting for its body is transfer."""
    async with serving(says(0.06, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", 0.12, b"b")) as port:
        exchange = await ask(f"http://127.0.0.1:{port}/")
    assert exchange.phases.ttfb == pytest.approx(0.06, abs=0.04)
    assert exchange.phases.transfer == pytest.approx(0.12, abs=0.05)


async def test_interim_answers_are_passed_over() -> None:
    """103 Early Hints is not the answer."""
    async with serving(says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", ok(b"yes"))) as port:
        assert (await ask(f"http://127.0.0.1:{port}/")).body == b"yes"


async def test_long_header_lines_are_taken() -> None:
    """What browsers take (a long policy or cookie) is no fault."""
    async with serving(says(ok(b"", "X-Long: " + "a" * 30_000))) as port:
        assert len((await ask(f"http://127.0.0.1:{port}/")).header("x-long") or "") == 30_000


async def test_every_run_has_a_new_connection() -> None:
    """Without keep-alive, two requests of one wire make two connections."""
    connections: list[object] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer.get_extra_info("peername"))
        await paths({})(reader, writer)

    async with serving(talk) as port, Wire(HERE) as wire:
        home = Home(origin=f"http://127.0.0.1:{port}", user_agent="probe/test")
        for _ in range(2):
            await wire.send(Request(url=f"http://127.0.0.1:{port}/", home=home), deadline=time.monotonic() + 5)
    assert len(set(connections)) == 2


async def test_the_source_address_is_used() -> None:
    """A region leaves from its own address."""
    peers: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer.get_extra_info("peername")[0])
        await says(ok())(reader, writer)

    async with serving(talk) as port:
        await ask(f"http://127.0.0.1:{port}/", region=Region(name="r", source_address="127.0.0.2"))
    assert peers == ["127.0.0.2"]


async def test_ipv6() -> None:
    """An IPv6 address is asked, and shown in brackets."""
    async with serving(says(ok()), host="::1") as port:
        exchange = await ask(f"http://[::1]:{port}/", region=Region(name="v6", ip_version=IpVersion.V6))
    assert exchange.hops[0].address == f"[::1]:{port}"


# ---------------------------------------------------------------------------------------- requests and redirects


async def test_headers_go_where_they_belong() -> None:
    """Own headers, credentials and the request's own headers stay at home when a redirect leads away."""
    here: list[str] = []
    there: list[str] = []
    async with serving(paths({}, there)) as foreign:
        answers = {"/go": moved(f"http://127.0.0.1:{foreign}/landed")}
        async with serving(paths(answers, here)) as port:
            home = Home(origin=f"http://127.0.0.1:{port}", user_agent="probe/9", headers={"X-Synthetic-Check": "cart"})
            exchange = await ask(
                f"http://ada:p%40ss@127.0.0.1:{port}/go",
                home=home,
                headers={"X-Key": "k", "Cookie": "a=b", "Accept-Language": "de"},
            )
    assert "X-Synthetic-Check: cart" in here[0]
    assert "Authorization: Basic YWRhOnBAc3M=" in here[0]
    assert "X-Key: k" in here[0]
    assert "User-Agent: probe/9" in there[0]
    assert "Accept-Language: de" in there[0]
    for private in ("synthetic", "authorization", "x-key", "cookie"):
        assert private not in there[0].lower()
    assert [hop.status for hop in exchange.hops] == [302, 200]
    assert exchange.hops[0].location == f"http://127.0.0.1:{foreign}/landed"
    assert "p%40ss" not in repr(exchange)
    assert "ada" not in exchange.url


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(303, "POST", "GET"), (302, "POST", "GET"), (301, "PUT", "PUT"), (307, "POST", "POST"), (308, "POST", "POST")],
)
async def test_the_method_after_a_redirect(status: int, method: str, then: str) -> None:
    """RFC 9110: 303 becomes GET, 301 and 302 turn POST into GET, 307 and 308 keep method and body."""
    seen: list[str] = []
    async with serving(paths({"/a": moved("b?x=%7E", status)}, seen)) as port:
        exchange = await ask(
            f"http://127.0.0.1:{port}/a", method=method, body=b"data", headers={"Content-Type": "text/plain"}
        )
    assert seen[1].startswith(f"{then} /b?x=%7E ")
    assert seen[1].endswith("data") == (then != "GET")
    assert ("content-type" in seen[1].lower()) == (then != "GET")
    assert [hop.method for hop in exchange.hops] == [method, then]


async def test_a_redirect_may_be_left_alone() -> None:
    """`follow_redirects=False` gives the redirect itself."""
    async with serving(paths({"/a": moved("/b")})) as port:
        exchange = await ask(f"http://127.0.0.1:{port}/a", follow_redirects=False)
    assert (exchange.status, exchange.hops[0].location) == (302, "/b")


async def test_going_in_circles() -> None:
    """A loop ends, and is called one; the hops that were seen are kept."""
    async with serving(paths({"/a": moved("/b"), "/b": moved("/a")})) as port:
        with pytest.raises(ExchangeFailed) as raised:
            await ask(f"http://127.0.0.1:{port}/a", max_redirects=3)
    failure = raised.value.failures[0]
    assert failure.kind == "too_many_redirects"
    assert "in a circle" in failure.message
    assert len(raised.value.hops) == 4


@pytest.mark.parametrize("location", ["ftp://x/", "mailto:a@b", "http://:80/", "javascript:alert(1)", "http://1.2.3/"])
async def test_redirects_that_lead_nowhere(location: str) -> None:
    """A location that is no http URL cannot be followed."""
    async with serving(paths({"/a": moved(location)})) as port:
        assert (await trouble(f"http://127.0.0.1:{port}/a")).kind == "bad_redirect"


async def test_a_url_that_cannot_be_asked_is_a_value_error() -> None:
    """The author's own mistake is no failure of the target."""
    with pytest.raises(ValueError, match="not an http or https URL"):
        await ask("ftp://shop.example/")


# ---------------------------------------------------------------------------------------- bodies


def _deflated(data: bytes, wbits: int) -> bytes:
    deflate = zlib.compressobj(wbits=wbits)
    return deflate.compress(data) + deflate.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("x-gzip", gzip.compress(b"he") + gzip.compress(b"llo")),
        pytest.param("deflate", _deflated(b"hello", 15), id="deflate with a header"),
        pytest.param("deflate", _deflated(b"hello", -15), id="raw deflate"),
        ("gzip, deflate", _deflated(gzip.compress(b"hello"), 15)),
        ("identity", b"hello"),
    ],
)
async def test_decompression(encoding: str, packed: bytes) -> None:
    """gzip (several members too), both sorts of deflate, one inside the other; a byte at a time."""
    pieces = [packed[i : i + 1] for i in range(len(packed))]
    start = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with serving(says(start, *pieces)) as port:
        exchange = await ask(f"http://127.0.0.1:{port}/")
    assert (exchange.body, exchange.wire_size) == (b"hello", len(packed))


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("gzip", b"not gzip at all", id="rubbish"),
        pytest.param("gzip", gzip.compress(b"hello" * 100)[:-12], id="cut short"),
        pytest.param("br", b"?", id="not asked for"),
        pytest.param("gzip, gzip, gzip, gzip", b"?", id="too many"),
    ],
)
async def test_what_cannot_be_decompressed(encoding: str, packed: bytes) -> None:
    """Rubbish, a stream cut short, an encoding that was not asked for, and too many."""
    async with serving(says(ok(packed, f"Content-Encoding: {encoding}"))) as port:
        assert (await trouble(f"http://127.0.0.1:{port}/")).kind == "bad_encoding"


async def test_no_body_needs_no_encoding() -> None:
    """HEAD, and an empty body, may name any encoding; who asks for one himself gets it as it is."""
    async with serving(says(ok(b"", "Content-Encoding: br"))) as port:
        assert (await ask(f"http://127.0.0.1:{port}/", method="HEAD")).status == 200
        assert (await ask(f"http://127.0.0.1:{port}/")).body == b""
    async with serving(says(ok(b"\x01\x02", "Content-Encoding: br"))) as port:
        assert (await ask(f"http://127.0.0.1:{port}/", headers={"accept-encoding": "br"})).body == b"\x01\x02"


async def test_a_gigabyte_in_a_megabyte() -> None:
    """A bomb ends as too large, and costs no more memory than the limit."""
    deflate = zlib.compressobj(wbits=31)
    bomb = b"".join(deflate.compress(bytes(2**24)) for _ in range(64)) + deflate.flush()
    tracemalloc.start()
    try:
        async with serving(says(ok(bomb, "Content-Encoding: gzip"))) as port:
            failure = await trouble(f"http://127.0.0.1:{port}/", max_body=10 * 2**20)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()
    assert failure.kind == "body_too_large"
    assert "decompressed" in failure.message


async def test_a_body_larger_than_the_limit() -> None:
    """The limit holds for what is sent, too, and is inclusive."""
    async with serving(says(ok(b"a" * 1000))) as port:
        assert (await trouble(f"http://127.0.0.1:{port}/", max_body=999)).kind == "body_too_large"
        assert len((await ask(f"http://127.0.0.1:{port}/", max_body=1000)).body) == 1000


# ---------------------------------------------------------------------------------------- bad answers

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"


@pytest.mark.parametrize(
    ("kind", "talk"),
    [
        pytest.param("closed_early", says(), id="nothing"),
        pytest.param("closed_early", says(b"HTTP/1.1 200 OK\r\nContent-"), id="half a head"),
        pytest.param("connection_reset", says(abort=True), id="reset"),
        pytest.param("http_protocol", says(b"220 smtp.example ESMTP\r\n"), id="not http"),
        pytest.param("http_protocol", says(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), id="bad length"),
        pytest.param(
            "http_protocol", says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), id="bad chunk"
        ),
        pytest.param("http_protocol", says(ok(b"test") + b" and more"), id="more than the length says"),
        pytest.param("http_protocol", says(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000), id="endless header"),
        pytest.param("incomplete_body", says(HALF), id="half a body"),
        pytest.param("incomplete_body", says(HALF, 0.02, abort=True), id="half a body and a reset"),
        pytest.param(
            "incomplete_body", says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), id="half a chunk"
        ),
        pytest.param(
            "incomplete_body",
            says(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf", 0.02, abort=True),
            id="no length and a reset",
        ),
        pytest.param("no_response", says(stay=True), id="silence"),
        pytest.param("no_response", says(b"HTTP/1.1 200 OK\r\nX-A: b\r\n", stay=True), id="half a head and silence"),
        pytest.param("slow_body", says(HALF, stay=True), id="half a body and silence"),
        pytest.param("slow_body", says(HALF, *(0.05, b".") * 20), id="a drop at a time"),
    ],
)
async def test_bad_answers(kind: str, talk: Talk) -> None:
    """Each way in which an answer can be bad has its own kind, within the deadline."""
    async with serving(talk) as port:
        began = time.monotonic()
        failure = await trouble(f"http://ada:hunter2@127.0.0.1:{port}/cart?token=s3cret", within=0.25)
        assert time.monotonic() - began < 0.6
    assert failure.kind == kind
    assert failure.url == f"http://127.0.0.1:{port}/cart"
    assert failure.message.startswith("GET /cart: ")
    assert "hunter2" not in str(failure)
    assert "s3cret" not in str(failure)


async def test_a_server_that_closes_is_asked_once() -> None:
    """The first trouble is the news: nothing is asked again behind the author's back."""
    seen: list[str] = []
    async with serving(says(seen=seen)) as port:
        await trouble(f"http://127.0.0.1:{port}/")
    assert len(seen) == 1


async def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    """A server that drops a kept connection is no failure."""
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await head(reader)
        writer.write(ok())
        await head(reader)  # the second request on this connection is read, and never answered

    async with serving(talk) as port, Wire(HERE, keep_alive=True) as wire:
        request = Request(url=f"http://127.0.0.1:{port}/", home=Home(origin="", user_agent="probe/test"))
        for _ in range(2):
            exchange = await wire.send(request, deadline=time.monotonic() + 2)
    assert count == 2
    assert exchange.phases.connect is not None


async def test_connecting_goes_wrong() -> None:
    """Refused; and no address left to bind to is our own trouble."""
    async with serving(says()) as port:
        pass
    refused = await trouble(f"http://127.0.0.1:{port}/")
    assert (refused.kind, refused.ours) == ("refused", False)
    both = await trouble(f"http://localhost:{port}/")
    assert both.kind == "refused"
    lost = await trouble(f"http://127.0.0.1:{port}/", region=Region(name="r", source_address="192.0.2.77"))
    assert (lost.kind, lost.ours) == ("egress_failed", True)
    assert "192.0.2.77" in lost.message


async def test_a_full_backlog_is_a_connect_timeout() -> None:
    """A server whose queue is full lets us wait: connect_timeout."""
    import socket

    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(address)
            await asyncio.sleep(0.05)
            failure = await trouble(f"http://127.0.0.1:{address[1]}/", within=0.15)
        finally:
            for sock in waiting:
                sock.close()
    assert failure.kind == "connect_timeout"


async def test_the_wrong_family() -> None:
    """An address of the other family is not asked."""
    failure = await trouble("http://127.0.0.1:1/", region=Region(name="v6", ip_version=IpVersion.V6))
    assert failure.kind == "name_without_address"


async def test_a_bad_region_is_refused_at_once() -> None:
    """A source address that is none, and a proxy of an unknown kind, are told when the wire is made."""
    with pytest.raises(ValueError, match="not an IP address"):
        Wire(Region(name="r", source_address="eth0"))
    with pytest.raises(ValueError, match="scheme://host:port"):
        Wire(Region(name="r", proxy=Secret("gopher://x:1")))


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET /x HTTP/1.1\r\nX:", {}), ("GET", {"X": "a\r\nY: b"}), ("GET", {"X\r\nY": "a"}), ("GET", {"X": "\0"})],
    ids=["method", "value", "name", "nul"],
)
async def test_nothing_is_smuggled_into_a_request(method: str, headers: dict[str, str]) -> None:
    """A line break in a header, or a method that is none, is the author's mistake."""
    with pytest.raises(ValueError, match="is not"):
        await ask("http://127.0.0.1:1/", method=method, headers=headers)


async def test_own_cookies_beside_the_jars() -> None:
    """A `Cookie` header of the request wins over the jar, and the rest of the jar is added."""
    from aiohttp import CookieJar

    seen: list[str] = []
    async with serving(paths({}, seen)) as port:
        jar = CookieJar(unsafe=True, quote_cookie=False)
        async with Wire(HERE, cookies=jar) as wire:
            url = parse_address(f"http://127.0.0.1:{port}/").url
            jar.update_cookies({"a": "jar", "b": "jar"}, url)
            request = Request(url=str(url), home=Home(origin="", user_agent="probe/test"), headers={"Cookie": "a=own"})
            await wire.send(request, deadline=time.monotonic() + 5)
    assert "Cookie: a=own; b=jar\r\n" in seen[0]


async def test_an_early_answer_to_a_long_request() -> None:
    """A server may answer before it has read the body."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)

    async with serving(talk) as port:
        exchange = await ask(f"http://127.0.0.1:{port}/", method="POST", body=b"x" * 20_000_000)
    assert exchange.status == 413
