"""`t.http`: what authors touch, against real servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from probe.authoring.findings import Findings
from probe.authoring.http import HttpClient, Response, expect_response
from probe.core.failure import CheckFailed
from probe.core.secret import Secret
from probe.core.target import Target
from probe.ports import Marks
from tests.net.servers import HERE, moved, ok, paths, says, serving

MARKS = Marks(user_agent="probe/9", headers={"X-Synthetic-Check": "cart"}, trace_id="ab" * 16)


@asynccontextmanager
async def client(
    port: int, findings: Findings | None = None, seconds: float = 5.0, **target: Any
) -> AsyncIterator[HttpClient]:
    shop = Target(name="shop", url=f"http://127.0.0.1:{port}/eu", **target)
    found = findings or Findings()
    async with HttpClient(shop, HERE, MARKS, found, deadline=time.monotonic() + seconds) as http:
        yield http


async def answer(body: bytes = b"hello", *headers: str) -> tuple[Response, Findings]:
    findings = Findings()
    async with serving(says(ok(body, *headers))) as port, client(port, findings) as http:
        return await http.get("/"), findings


async def test_requests() -> None:
    """Each method and each sort of body, as it reaches the server."""
    seen: list[str] = []
    async with serving(paths({}, seen)) as port, client(port, headers={"X-Key": Secret("k3y!")}) as http:
        await http.get("/cart", params={"a": [1, 2], "b": "x y"})
        await http.get("cart?c=1", params=[("d", True)])
        await http.post("/cart", json={"sku": "Ü1", "pin": Secret("1234")})
        await http.put("/cart", data={"user": Secret("ada"), "tags": ["a", "b"]})
        await http.patch("/cart", content="text", headers={"content-type": "application/merge-patch+json"})
        await http.delete("/cart", content=b"\x01")
        await http.head("/cart")
        await http.options("/cart")
    starts = [asked.split("\r\n", 1)[0].removesuffix(" HTTP/1.1") for asked in seen]
    assert starts == [
        "GET /eu/cart?a=1&a=2&b=x+y",
        "GET /eu/cart?c=1&d=true",
        "POST /eu/cart",
        "PUT /eu/cart",
        "PATCH /eu/cart",
        "DELETE /eu/cart",
        "HEAD /eu/cart",
        "OPTIONS /eu/cart",
    ]
    bodies = [asked.partition("\r\n\r\n")[2] for asked in seen]
    assert bodies[2:6] == ['{"sku": "Ü1", "pin": "1234"}', "user=ada&tags=a&tags=b", "text", "\x01"]
    types = [line for asked in seen for line in asked.split("\r\n") if line.lower().startswith("content-type")]
    assert types == [
        "Content-Type: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        "content-type: application/merge-patch+json",
    ]
    assert all("X-Synthetic-Check: cart" in asked and "X-Key: k3y!" in asked for asked in seen)
    assert [e.method for e in http.exchanges] == ["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


async def test_other_origins_get_nothing_of_ours() -> None:
    """An absolute URL elsewhere: User-Agent, and no more."""
    seen: list[str] = []
    async with serving(paths({}, seen)) as other, client(1, headers={"X-Key": Secret("k3y!")}) as http:
        await http.get(f"http://127.0.0.1:{other}/x")
    assert "User-Agent: probe/9" in seen[0]
    assert "synthetic" not in seen[0].lower()
    assert "x-key" not in seen[0].lower()


async def test_cookies_over_steps() -> None:
    """Cookies are kept for the run, also those set on a redirect, on a loopback address; and can be seen and changed."""
    seen: list[str] = []
    answers = {
        "/eu/login": moved("/eu/home", 302, "Set-Cookie: id=a=b,c; Path=/; Secure; HttpOnly"),
        "/eu/home": ok(b"", "Set-Cookie: theme=dark; Path=/eu"),
    }
    async with serving(paths(answers, seen)) as port, client(port) as http:
        await http.post("/login", data={"user": "ada"})
        assert dict(http.cookies) == {"id": "a=b,c", "theme": "dark"}
        assert "ada" not in repr(http.cookies)
        http.cookies["consent"] = "yes"
        del http.cookies["theme"]
        await http.get("/cart")
        assert len(http.cookies) == 2
        with pytest.raises(KeyError):
            del http.cookies["theme"]
        await http.get(f"http://localhost:{port}/elsewhere")
    assert "Cookie: id=a=b,c\r\n" in seen[1]
    assert {"id=a=b,c", "consent=yes"} == set(_cookie(seen[2]).split("; "))
    assert _cookie(seen[3]) == ""  # localhost is another host than 127.0.0.1


def _cookie(asked: str) -> str:
    return next((line.partition(": ")[2] for line in asked.split("\r\n") if line.startswith("Cookie:")), "")


async def test_connections_are_kept_within_a_run() -> None:
    """The second request has no connect phase; `close` ends them."""
    async with serving(paths({})) as port, client(port) as http:
        first, second = await http.get("/a"), await http.get("/b")
        assert first.exchange.phases.connect is not None
        assert second.exchange.phases.connect is None
        await http.close()
        assert (await http.get("/c")).exchange.phases.connect is not None


async def test_an_answer() -> None:
    """What a response offers."""
    r, _ = await answer(b'{"items": [{"sku": "X1"}, {"sku": "X2"}]}', "X-A: 1", "Set-Cookie: id=s3cret")
    assert (r.status, r.headers["x-a"], "x-b" in r.headers, r.url.endswith("/eu/")) == (200, "1", False, True)
    assert set(r.headers) == {"content-length", "x-a", "set-cookie"}
    assert len(r.headers) == 3
    assert r.body.decode() == r.text
    assert 0 < r.elapsed < 2
    assert r.json()["items"][0]["sku"] == "X1"
    assert r.json("$.items[*].sku") == ["X1", "X2"]
    assert "s3cret" not in repr(r) + repr(r.headers)
    with pytest.raises(CheckFailed, match=r"\$\.nope is missing"):
        r.json("$.nope")
    with pytest.raises(ValueError, match="JSON path"):
        r.json("$[")
    html, findings = await answer(b"<html>")
    findings.step = "cart"
    with pytest.raises(CheckFailed, match="not JSON") as failed:
        html.json()
    assert (failed.value.failures[0].kind, failed.value.failures[0].step) == ("json", "cart")


async def test_everything_holds() -> None:
    """A chain of expectations that all hold finds nothing."""
    r, findings = await answer(b'{"items": [{"sku": "X1"}], "tags": ["a"]}', "Cache-Control: no-store, private")
    (
        r.expect(status=200, within="5s", body="items", redirects=0)
        .status((200, 204))
        .json("$.items[0].sku", "X1")
        .json("$.items[0].sku", matches="^X")
        .json("$.tags", has="a", lacks="b")
        .json("$.items", exists=True)
        .json("$.items")
        .header("cache-control", has="no-store", lacks="public")
        .header("cache-control", "no-store, private")
        .header("x-powered-by", lacks="PHP")
        .body(has="X1", lacks="Traceback", matches=r'"sku": "X\d"')
        .body('{"items": [{"sku": "X1"}], "tags": ["a"]}')
        .size(under=1000, at_least=10)
        .phase("ttfb", under=5)
        .within(timedelta(seconds=5))
        .redirects(0)
    )
    assert len(findings.pending) == 0
    findings.raise_if_any()


async def test_all_that_fails_is_collected() -> None:
    """Nothing stops at the first; the next request raises all, with the step in which they were seen."""
    r, findings = await answer(b'{"total": 5}')
    findings.step = "checkout"
    r.expect(status=201, within=0).json("$.total", 6).header("etag", exists=True).size(under=3).phase("tls", under="1s")
    r.expect(tls_days=14)
    expect_response(r, "the page").body(has="Thanks")
    assert len(findings.pending) == 8
    async with client(1, findings) as http:
        with pytest.raises(CheckFailed) as failed:
            await http.get("/")
    kinds = [f.kind for f in failed.value.failures]
    assert kinds == ["status", "slow", "json", "header", "size", "slow", "certificate_expires_soon", "body"]
    assert {f.step for f in failed.value.failures} == {"checkout"}
    assert failed.value.failures[2].actual == "5"
    assert failed.value.failures[7].message.startswith("the page: ")
    assert len(findings.pending) == 0


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        pytest.param(lambda e: e.phase("download", under="1s"), ValueError, "ttfb", id="phase"),
        pytest.param(lambda e: e.within("fast"), ValueError, "500ms", id="duration"),
        pytest.param(lambda e: e.within(True), TypeError, "500ms", id="no duration"),
        pytest.param(lambda e: e.within(-1), ValueError, "-1", id="negative"),
        pytest.param(lambda e: e.body(matches="("), ValueError, "regular expression", id="pattern"),
        pytest.param(lambda e: e.body(matches=5), TypeError, "regular expression", id="no pattern"),
        pytest.param(lambda e: e.body(), TypeError, "has=", id="nothing of the body"),
        pytest.param(lambda e: e.json("$..["), ValueError, "JSON path", id="path"),
        pytest.param(lambda e: e.size(), TypeError, "under=", id="size"),
        pytest.param(lambda e: e.size(under="1k"), TypeError, "bytes", id="no size"),
        pytest.param(lambda e: e.status("200"), TypeError, "number", id="status"),
        pytest.param(lambda e: e.tls_days("14"), TypeError, "days", id="days"),
    ],
)
async def test_wrong_use_is_told_at_the_call(wrong: Callable[[Any], Any], error: type[Exception], words: str) -> None:
    """The author's mistake is an exception that helps, not a failure of the shop."""
    r, findings = await answer()
    with pytest.raises(error, match=words):
        wrong(r.expect())
    assert len(findings.pending) == 0


async def test_requests_that_make_no_sense() -> None:
    """Told at the call, without secrets."""
    async with client(1) as http:
        with pytest.raises(TypeError, match="one body"):
            await http.post("/", json={}, data={})
        with pytest.raises(TypeError, match="content="):
            await http.post("/", data="a=b")
        with pytest.raises(TypeError, match="not data that JSON can hold"):
            await http.post("/", json={1, 2})
        with pytest.raises(TypeError, match="a URL is a text"):
            await http.get(5)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(ValueError, match="begins with http://"):
            await http.get("ftp://ada:hunter2@x/")
        with pytest.raises(ValueError, match="begins with http://"):
            await http.get("localhost:8080/cart")
        with pytest.raises(ValueError, match="500ms"):
            await http.get("/", timeout="soon")


async def test_trouble_has_its_step_and_no_secrets() -> None:
    """Network trouble raises, in the step, without what is private."""
    findings = Findings()
    findings.step = "add to cart"
    async with serving(says()) as port, client(port, findings) as http:
        with pytest.raises(CheckFailed) as failed:
            await http.get("/cart", params={"token": "s3cret-value"}, headers={"Authorization": "Bearer s3cret-value"})
    (failure,) = failed.value.failures
    assert (failure.kind, failure.step) == ("closed_early", "add to cart")
    assert "s3cret" not in str(failed.value) + repr(failure)


async def test_timeouts() -> None:
    """A request ends by its own timeout, or with the run, whichever is first."""
    async with serving(says(stay=True)) as port:
        for options, seconds in (({"timeout": "100ms"}, 5.0), ({"timeout": 5}, 0.1), ({}, 0.1)):
            async with client(port, seconds=seconds) as http:
                began = time.monotonic()
                with pytest.raises(CheckFailed, match="did not answer within"):
                    await http.get("/", **options)
                assert time.monotonic() - began < 0.5


async def test_redirects_and_limits() -> None:
    """`follow_redirects` and `max_body` are the request's."""
    async with serving(paths({"/eu/a": moved("/eu/b"), "/eu/b": ok(b"x" * 100)})) as port, client(port) as http:
        assert (await http.get("/a", follow_redirects=False)).status == 302
        (await http.get("/a")).expect(status=200, redirects=1)
        with pytest.raises(CheckFailed, match="larger than 10 bytes"):
            await http.get("/b", max_body=10)


def test_findings() -> None:
    """Taken or raised, they are gone."""
    findings = Findings()
    findings.raise_if_any()
    assert findings.take() == ()
    assert asyncio.iscoroutinefunction(HttpClient.get)
