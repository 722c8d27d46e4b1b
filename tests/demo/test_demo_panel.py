"""The fault panel over HTTP, and the command line's way to it."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from probe.demo import remote
from probe.demo.errors import DemoError
from probe.demo.faults import FAULTS
from probe.demo.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAYERS = {"dns", "connect", "tls", "http", "content", "script", "third_party", "timing"}


async def test_page_and_api(shop: Shop, customer: aiohttp.ClientSession) -> None:
    panel = shop.urls.panel
    async with customer.get(panel) as page:
        assert "<h1>Fault panel</h1>" in await page.text()
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    async with customer.get(f"{panel}/api/faults") as answer:
        faults = (await answer.json())["faults"]
    assert [fault["name"] for fault in faults] == [fault.name for fault in FAULTS]
    assert {fault["layer"] for fault in faults} <= LAYERS
    assert not any(fault["on"] for fault in faults)
    async with customer.put(f"{panel}/api/faults/cdn-missing", json={"on": True}) as answer:
        assert (await answer.json())["on"] is True
    assert [state.name for state in shop.faults if state.on] == ["cdn-missing"]
    async with customer.delete(f"{panel}/api/faults") as answer:
        assert answer.status == 200
    assert not any(state.on for state in shop.faults)


async def test_about_the_shop(shop: Shop, customer: aiohttp.ClientSession) -> None:
    await shop.set_fault("hung-process", True)
    await shop.set_fault("cache-lost", True)
    async with customer.get(f"{shop.urls.panel}/api/shop") as answer:
        about = await answer.json()
    assert about["urls"]["http"] == shop.urls.http
    assert about["ports"]["https"] == urlsplit(shop.urls.https).port
    assert about["nameserver"] == shop.urls.nameserver
    assert Path(about["ca"]).read_text().startswith("-----BEGIN CERTIFICATE")
    states = {service["name"]: service["state"] for service in about["services"]}
    assert [states[f"app-{number}"] for number in (1, 2, 3)] == ["stopped"] * 3
    assert (states["cache"], states["database"]) == ("down", "running")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "rebound.example"},
    ],
)
async def test_refuses_other_origins(shop: Shop, customer: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    url = f"{shop.urls.panel}/api/faults"
    async with customer.put(f"{url}/db-down", json={"on": True}, headers=headers) as answer:
        assert answer.status == 403
    async with customer.delete(url, headers=headers) as answer:
        assert answer.status == 403
    assert not any(state.on for state in shop.faults)


async def test_a_form_cannot_set_a_fault(shop: Shop, customer: aiohttp.ClientSession) -> None:
    url = f"{shop.urls.panel}/api/faults/db-down"
    async with customer.put(url, data='{"on": true}', headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 415
    for body in ("{}", "[]", "{", '{"on": 1}'):
        async with customer.put(url, data=body, headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 400
    async with customer.post(url, json={"on": True}) as answer:
        assert answer.status == 405
    assert not any(state.on for state in shop.faults)


async def test_remote(shop: Shop) -> None:
    panel = shop.urls.panel
    faults = await asyncio.to_thread(remote.list_faults, panel)
    assert len(faults) == len(FAULTS)
    assert (await asyncio.to_thread(remote.set_fault, f"{panel}/", "cdn-missing", True))["on"] is True
    assert [state.name for state in shop.faults if state.on] == ["cdn-missing"]
    assert not any(fault["on"] for fault in await asyncio.to_thread(remote.clear_faults, panel))
    assert (await asyncio.to_thread(remote.describe, panel))["ca"] == str(shop.urls.ca)
    with pytest.raises(DemoError, match="did you mean 'db-down'"):
        await asyncio.to_thread(remote.set_fault, panel, "db-dow", True)
    with pytest.raises(DemoError, match="no fault is called"):
        await asyncio.to_thread(remote.set_fault, panel, "a/b?c", True)
    with pytest.raises(DemoError, match="no demo shop answers at"):
        await asyncio.to_thread(remote.list_faults, shop.urls.cdn)


async def test_remote_says_what_to_do_when_nobody_answers() -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{made.getsockname()[1]}"
        with pytest.raises(DemoError, match=f"no demo shop answers at {url}: start one with `probe demo shop`"):
            await asyncio.to_thread(remote.list_faults, url)
    with pytest.raises(DemoError, match="begins with http://"):
        remote.list_faults("127.0.0.1:8906")


async def test_remote_and_ports_import_nothing_heavy() -> None:
    program = (
        "import sys, probe.demo.remote, probe.demo.ports, probe.demo.faults;"
        "assert not {'aiohttp', 'asyncio', 'structlog'} & set(sys.modules)"
    )
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
