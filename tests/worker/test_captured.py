"""What a journey keeps to be compared with another: its pages, their scripts and texts, and how it looks when all is well."""

import os
import ssl
import struct
import time
import zipfile
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from probe.core.fault import Drill
from probe.core.run import Observation, StepOutcome, Why
from probe.core.target import BrowserKind, Evidence, EvidencePolicy, Region
from probe.ports import RunContext
from probe.worker.reference import TAKEN
from tests.net.servers import Authority, authority
from tests.worker.conftest import Bench, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILE = Path(__file__).parent / "data" / "captured.py"
HEADERS = {
    "X-Build": "117",
    "X-Release-Token": "not-to-be-told",
    "Server": "shop" + "!" * 300,
    "ETag": '"abc"',
    "Set-Cookie": "sid=1",
    "Content-Language": "en",
}
PAGE = """<!doctype html><meta charset=utf-8><title>t</title><link rel=icon href="data:,"><h1>Coat</h1>
<p>costs
  24.00 </p><p style="display:none">hidden</p><p style="visibility:hidden">unseen</p><p class=card>4242 <b>4242</b></p>
<script src="/app.js?v=3#x"></script><script src="/missing.js"></script><script src="data:text/javascript,1"></script>"""
FORM = """<!doctype html><link rel=icon href="data:,"><h1>In</h1>
<style>input {position: fixed; inset: 0; width: 100%; height: 100%; border: 0}</style><input id=first type=password value=x><p class=card>secret</p>"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(ca: Authority) -> AsyncIterator[Shop]:
    """Over HTTP and, under the same path, over HTTPS, whose address is in `seen`."""

    def answers(body: str, kind: str = "text/html") -> Any:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=body, content_type=kind, headers=HEADERS)

        return answer

    def leads(to: str) -> Any:
        async def answer(_request: web.Request) -> web.Response:
            raise web.HTTPFound(to)

        return answer

    app = web.Application()
    app.add_routes(
        [
            web.get("/old", leads("/older?token=abc")),
            web.get("/older", leads("/coat?access_token=abc&q=1")),
            web.get("/coat", answers(PAGE)),
            web.get("/plain", answers("<!doctype html><h1>Bye</h1>")),
            web.get("/form", answers(FORM)),
            web.get("/app.js", answers("1", "text/javascript")),
        ]
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.ca.issue_cert("127.0.0.1", common_name="shop.example").configure_cert(context)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    plain, secure = (address[1] for address in runner.addresses)
    yield Shop(f"http://127.0.0.1:{plain}", {"secure": {"url": f"https://127.0.0.1:{secure}"}})
    await runner.cleanup()


async def walk(bench: Bench, name: str = "buys", context: RunContext | None = None, **more: Any) -> Observation:
    spec = bench.spec(
        name, file=FILE, browser=BrowserKind.HEADLESS_SHELL, timeout=more.pop("timeout", 4), steps=(), **more
    )
    return await bench.pool.run(spec, context or bench.context())


def with_reference(bench: Bench, folder: Path, **more: Any) -> RunContext:
    return replace(bench.context(**more), reference_dir=folder)


# ------------------------------------------------------------------------------------------------ documents and texts


async def test_the_pages_it_went_to(bench: Bench) -> None:
    seen = await walk(bench, evidence=Evidence(mask=(".card",)))
    assert seen.failures == ()
    port = bench.shop.url.rpartition(":")[2]
    first, last = seen.documents
    assert (first.step, first.status, first.address, first.certificate) == ("arrive", 200, f"127.0.0.1:{port}", None)
    assert first.url == f"{bench.shop.url}/coat?access_token=***&q=1"
    assert first.redirects == (f"{bench.shop.url}/old", f"{bench.shop.url}/older?token=***")
    assert first.headers == (("etag", '"abc"'), ("server", ("shop" + "!" * 300)[:200]), ("x-build", "117"))
    assert (last.step, last.redirects) == ("leave", ())
    assert seen.scripts == (f"{bench.shop.url}/app.js",)
    assert [(t.step, t.text) for t in seen.texts] == [
        ("arrive", "Coat costs 24.00 ***"),
        ("read it", "Coat costs 24.00 ***"),
        ("leave", "Bye"),
    ]


async def test_the_certificate_the_browser_saw(bench: Bench, ca: Authority) -> None:
    secure = bench.shop.seen["secure"]["url"]
    seen = await walk(bench, context=bench.context(url=secure, ca=str(ca.file)))
    assert seen.failures == ()
    certificate = seen.documents[0].certificate
    assert certificate is not None
    assert certificate.subject == "shop.example"
    assert certificate.not_before < certificate.not_after
    assert seen.documents[0].address == secure.removeprefix("https://")


async def test_the_peer_behind_our_own_egress(bench: Bench) -> None:
    """The browser sees a proxy of ours; what is told is whom that has reached."""
    context = replace(bench.context(), region=Region(name="here", source_address="127.0.0.1"))
    seen = await walk(bench, context=context)
    assert seen.failures == ()
    assert seen.documents[0].address == bench.shop.url.removeprefix("http://")


async def test_a_lean_run_keeps_none_of_it(bench: Bench) -> None:
    seen = await walk(bench, evidence=Evidence.nothing())
    assert seen.failures == ()
    assert (seen.documents, seen.scripts, seen.texts) == ((), (), ())


async def test_a_page_that_hangs_costs_its_step_nothing(bench: Bench) -> None:
    """Nobody waits for its text: the journey goes on, and passes."""
    seen = await walk(bench, "meets_a_page_that_hangs", timeout=1.5)
    assert seen.failures == ()
    assert [s.outcome for s in seen.steps] == [StepOutcome.PASSED] * 2
    assert seen.texts == ()
    assert [d.status for d in seen.documents] == [200]


async def test_the_failing_step_has_a_text(bench: Bench) -> None:
    seen = await walk(bench, heading="never")
    assert [t.step for t in seen.texts] == ["arrive", "read it"]


# ------------------------------------------------------------------------------------------------ how it looks when all is well


async def test_pictures_of_a_good_run_stand_beside_a_failure(bench: Bench, tmp_path: Path) -> None:
    """Taken when they are due, replaced together, discarded when the run fails; who needs one gets one of its own."""
    folder = tmp_path / "reference" / "here"
    failed = await walk(bench, context=with_reference(bench, folder), heading="never")
    assert {a.kind for a in failed.artifacts} == {"screenshot", "har", "console"}
    assert not folder.exists(), "nothing is kept of a run that did not pass"
    good = await walk(bench, context=with_reference(bench, folder))
    assert good.failures == ()
    assert good.artifacts == ()
    pictures = {p.name: p for p in folder.iterdir()}
    assert set(pictures) == {"1-arrive.jpg", "2-read-it.jpg", "3-leave.jpg", TAKEN}
    assert pictures["1-arrive.jpg"].read_bytes().startswith(b"\xff\xd8\xff")
    first = pictures["2-read-it.jpg"].stat().st_ino
    await walk(bench, context=with_reference(bench, folder))
    assert (folder / "2-read-it.jpg").stat().st_ino == first, "they are young"
    context = with_reference(bench, folder)
    failed = await walk(bench, context=context, heading="never")
    (beside,) = [a for a in failed.artifacts if a.kind == "reference"]
    assert context.evidence_dir is not None
    assert Path(beside.path) == context.evidence_dir / "reference.jpg"
    assert beside.size == Path(beside.path).stat().st_size > 0
    assert Path(beside.path).stat().st_ino == first
    old = time.time() - 7200
    os.utime(folder / TAKEN, (old, old))
    await walk(bench, context=with_reference(bench, folder))
    assert (folder / "2-read-it.jpg").stat().st_ino != first
    assert Path(beside.path).read_bytes().startswith(b"\xff\xd8\xff"), "it outlives them"
    assert [p.name for p in folder.parent.iterdir()] == ["here"]


@pytest.mark.parametrize("why", ["off", "no screenshots", "a drill", "a confirmation"])
async def test_who_takes_no_pictures(bench: Bench, tmp_path: Path, why: str) -> None:
    folder = tmp_path / "here"
    context = with_reference(bench, folder)
    evidence = Evidence()
    if why == "off":
        evidence = Evidence(reference=None)
    elif why == "no screenshots":
        evidence = Evidence(screenshot=EvidencePolicy.OFF)
    elif why == "a drill":
        context = replace(context, drill=Drill(record=True))
    else:
        context = replace(context, why=Why.CONFIRM)
    seen = await walk(bench, context=context, evidence=evidence)
    assert seen.failures == ()
    assert not folder.exists()


async def test_the_clock_of_a_run_stands_still_for_its_pictures(bench: Bench, tmp_path: Path) -> None:
    """What they took, which the journey has measured itself, is in no step, not between two, and not in the run."""
    seen = await walk(bench, "times_itself", context=with_reference(bench, tmp_path / "here"))
    assert seen.failures == ()
    assert sorted(p.name for p in (tmp_path / "here").iterdir()) == ["1-one.jpg", "2-two.jpg", TAKEN]
    whole, pictures = map(float, seen.log[-1].split())
    assert seen.duration is not None
    assert seen.duration < whole - pictures / 2
    one, two = seen.steps
    assert one.start is not None
    assert one.duration is not None
    assert two.start is not None
    assert 0 <= two.start - (one.start + one.duration) < pictures / 2


# ------------------------------------------------------------------------------------------------ masks


async def test_fields_for_passwords_are_always_covered(bench: Bench) -> None:
    """Also where no secret is configured; the selectors of the configuration are besides."""
    context = bench.context()
    seen = await walk(bench, "types", context=context)
    assert context.evidence_dir is not None
    assert seen.failures
    # The field fills the page: all of it is black, which is 0 in whatever way a PNG filters its rows.
    assert set(pixels((context.evidence_dir / "screenshot.png").read_bytes())) == {0}


def pixels(png: bytes) -> bytes:
    """The rows of an 8-bit picture as they are stored, without the byte of each that says how it is filtered."""
    width, _, _, color = struct.unpack(">IIBB", png[16:26])
    packed, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += 12 + length
    raw, row = zlib.decompress(packed), width * (4 if color == 6 else 3) + 1
    return b"".join(raw[start + 1 : start + row] for start in range(0, len(raw), row))


async def test_what_is_to_be_masked_is_in_no_picture_and_no_trace(bench: Bench) -> None:
    evidence = Evidence(trace=EvidencePolicy.ON, mask=(".card",))
    context = bench.context()
    seen = await walk(bench, "types", context=context, evidence=evidence)
    (trace,) = [a for a in seen.artifacts if a.kind == "trace"]
    with zipfile.ZipFile(trace.path) as archive:
        names = archive.namelist()
        lines = archive.read("trace.trace").decode()
    assert not [name for name in names if name.endswith((".jpeg", ".png"))]
    assert "frame-snapshot" not in lines
    assert "screencast-frame" not in lines
    assert '"method":"fill"' in lines
    assert "checkVisibility" not in lines, "what we ask of a page is none of its journey"
    assert "***" in seen.texts[0].text
    assert "secret" not in seen.texts[0].text


async def test_a_selector_that_is_none_means_no_picture(bench: Bench) -> None:
    seen = await walk(bench, "types", evidence=Evidence(mask=("p:no-such-thing(1)",)))
    assert "screenshot" not in {a.kind for a in seen.artifacts}
    assert any(line.startswith("no screenshot: ") for line in seen.log), seen.log
    assert seen.texts == ()
