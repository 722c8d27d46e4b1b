"""A secret that a hostile shop says back everywhere is in no byte of what is kept, nor of what is printed."""

import asyncio
import base64
import logging
import os
import sqlite3
import sys
import zipfile
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from probe.cli.selection import select_jobs
from probe.compose import compose
from probe.core.run import Outcome, Why
from probe.ports import Record
from probe.store.settings import StoreSettings
from probe.store.sqlite import open_store
from tests.canary import SQLITE, leaks, told
from tests.hostile import COOKIE, TOKEN, TYPED, hostile_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET = 'Ca"nary &s+cret/é7<9>'
"""Every way to write it differs from the others."""
ENVIRON = {**os.environ, "CANARY": SECRET, "CANARY_IN_URL": quote(SECRET)}

JOURNEY = f"""
from playwright.async_api import expect
from probe import journey

@journey(every="1h", timeout="20s", evidence="full")
async def account(t):
    secret = t.secrets["password"]
    async with t.step("log in"):
        await t.page.goto(t.url("/"))
        await t.page.locator("[type=password]").fill("{TYPED}")
        await t.page.locator("[type=password]").fill(secret)
        await t.page.get_by_role("button", name="Go").click()
        await t.page.wait_for_url("**/home**")
        t.log(f"logged in with {{secret}}")
        print(secret)
    async with t.step("read"):
        await expect(t.page.locator("p").first).to_have_text("never " + secret, timeout=300)
"""


def configured(folder: Path, shop: str) -> Path:
    (folder / "checks").mkdir()
    (folder / "checks" / "account.py").write_text(JOURNEY)
    path = folder / "config.toml"
    path.write_text(
        f'[probe]\ndata = "{folder}/data"\n[targets.shop]\nurl = "{shop}"\n'
        'headers = { authorization = "Bearer ${env:CANARY}" }\nsecrets = { password = "${env:CANARY}" }\n'
        '[[check]]\nname = "api"\npath = "/api/told?password=${env:CANARY_IN_URL}"\nheaders = { x-again = "${env:CANARY}" }\n'
        'expect = { status = 200, body = ["never"], json = { "$.password" = "never" }, headers = { x-told = "never" } }\n'
    )
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[str]:
    async with hostile_shop() as url:
        yield url


async def test_no_byte_that_is_kept_holds_it(
    tmp_path: Path, shop: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run that fails, one that confirms it, and a check over HTTP, stored as the daemon does."""
    caplog.set_level(logging.DEBUG)
    config_path = await asyncio.to_thread(configured, tmp_path, shop)
    chosen = await asyncio.to_thread(select_jobs, config_path, (), environ=ENVIRON)
    config, runs = chosen.config, []
    async with compose(config, config.evidence_dir) as runner, open_store(StoreSettings(path=config.data)) as store:
        for job in chosen.jobs:
            for why in (Why.SCHEDULED, Why.CONFIRM) if job.spec.needs_browser else (Why.SCHEDULED,):
                runs.append(await runner.run(job, why))
        await store.commit(Record(runs=tuple(runs), alive=datetime.now(UTC)))
        kept = await asyncio.to_thread(leaks, tmp_path / "data", SECRET)
    assert {run.outcome for run in runs} == {Outcome.FAILED}, [run.failure for run in runs]
    assert kept == []
    assert await asyncio.to_thread(leaks, tmp_path / "data", SECRET) == [], "with the log of the database written back"
    said = capfd.readouterr()
    assert told("what was said", (said.out + said.err + caplog.text).encode(), SECRET) == []
    assert told("what was seen", repr(runs).encode(), SECRET) == []
    # What was looked at is what there is: the run that failed has it all.
    browser = [run for run in runs if run.kind == "browser"]
    assert {a.kind for run in browser for a in run.observation.artifacts} >= {"screenshot", "trace", "har", "console"}
    for seen in (run.observation for run in browser):
        assert [(d.step, d.status, len(d.redirects)) for d in seen.documents] == [
            ("log in", 200, 0),
            ("log in", 200, 1),
        ]
        assert {"x-build", "etag", "server"} <= {name for name, _ in seen.documents[-1].headers}
        assert any("***.js" in script for script in seen.scripts)
        assert [text.step for text in seen.texts] == ["log in", "read"]
        assert "You said ***" in seen.texts[-1].text
    evidence = config.evidence_dir
    for value in (COOKIE, TOKEN, TYPED):
        assert await asyncio.to_thread(leaks, evidence, value) == [], "told by its name alone"


async def test_no_byte_that_is_printed_holds_it(tmp_path: Path, shop: str) -> None:
    """The command as a user types it, who asks for everything."""
    config_path = await asyncio.to_thread(configured, tmp_path, shop)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "probe", "check", "--once", "--trace", "--config", str(config_path)),
        cwd=tmp_path,
        env={**ENVIRON, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 1, err.decode()
    assert b"***" in out
    assert told("what was printed", out + err, SECRET) == []
    assert await asyncio.to_thread(leaks, tmp_path / "data", SECRET) == []


async def test_the_search_finds_what_is_hidden(tmp_path: Path) -> None:
    """Or it would prove nothing: packed, packed twice, in a cell, in the log of a database, in a name, in base64."""
    raw = f"<{SECRET}>".encode()

    def plant() -> None:
        (tmp_path / "plain.txt").write_bytes(raw)
        (tmp_path / "base64.txt").write_bytes(base64.b64encode(b"1" + raw))
        with zipfile.ZipFile(tmp_path / "trace.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.bin", zlib.compress(raw))
        with closing(sqlite3.connect(tmp_path / "probe.db")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE details (body BLOB)")
            connection.execute("INSERT INTO details VALUES (?)", (zlib.compress(raw * 9),))
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("INSERT INTO details VALUES (?)", (raw.decode(),))
            connection.commit()
            found.extend(leaks(tmp_path, SECRET))

    found: list[str] = []
    await asyncio.to_thread(plant)
    places = {line.partition(":")[0] for line in found}
    assert places >= {
        "plain.txt",
        "base64.txt",
        "trace.zip › a.bin › inflated",
        "probe.db table details",
        "probe.db table details › inflated",
        "probe.db-wal",
    }
    assert (tmp_path / "probe.db").read_bytes().startswith(SQLITE)
