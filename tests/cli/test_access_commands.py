"""`probe open` and `probe user hash`."""

import asyncio
import json
import webbrowser
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import typer
from aiohttp import web
from argon2 import PasswordHasher
from typer.testing import CliRunner, Result

from probe.cli import user
from probe.cli.open import PAGE, open_pages
from probe.config.load import load_config
from probe.core.access import WebSettings
from probe.web.access.links import Links, login_link
from probe.web.answers import telling
from tests.web.daemon import unix_sockets_allowed

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _unix_sockets() -> Iterator[None]:
    """Control is a unix socket."""
    with unix_sockets_allowed():
        yield


def call(*arguments: str, input: str | None = None) -> Result:
    app = typer.Typer()
    app.command("open")(open_pages)
    app.add_typer(user.app, name="user")
    return CliRunner().invoke(app, list(arguments), input=input)


@asynccontextmanager
async def control(folder: Path, links: Links) -> AsyncIterator[None]:
    """A control socket that makes links, and nothing else."""
    app = web.Application(middlewares=[telling])
    app.router.add_post("/login-link", login_link(links, WebSettings))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "probe.sock")).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "config.toml").write_text('[probe]\ndata = "."\n')
    return str(tmp_path / "config.toml")


class TestOpen:
    async def test_prints_a_link_that_lets_in(
        self, tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SUDO_USER", "linus")
        links = Links()
        links.bound = ("127.0.0.1", 9464)
        async with control(tmp_path, links):
            printed = await asyncio.to_thread(call, "open", "--print", "-c", config)
            told = await asyncio.to_thread(call, "open", "--json", "-c", config)
            links.bound = None
            nowhere = await asyncio.to_thread(call, "open", "-c", config)
        address, _, ticket = printed.stdout.strip().partition("#")
        assert (printed.exit_code, address) == (0, "http://127.0.0.1:9464/login/link")
        assert links.use(ticket) == "linus"
        assert "once, within a minute" in printed.stderr
        assert links.use(json.loads(told.stdout)["url"].partition("#")[2]) == "linus"
        assert nowhere.exit_code == 3
        assert 'set [probe] listen to "127.0.0.1:9464"' in nowhere.stderr

    async def test_gives_the_browser_a_file_that_nobody_else_can_read(
        self, tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A ticket in the arguments of a process would be everybody's."""
        seen = tmp_path / "seen"
        browser = tmp_path / "browser"
        browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
        browser.chmod(0o700)
        monkeypatch.setenv("BROWSER", f"{browser} %s")
        monkeypatch.setattr(webbrowser, "_tryorder", None)
        links = Links()
        links.bound = ("127.0.0.1", 9464)
        (tmp_path / PAGE).write_text("left over")
        async with control(tmp_path, links):
            result = await asyncio.to_thread(call, "open", "-c", config)
        assert result.exit_code == 0
        assert "opened http://127.0.0.1:9464/login/link in your browser" in result.stdout
        assert await asyncio.to_thread(seen.read_text) == f"file://{tmp_path}/{PAGE}"
        page = await asyncio.to_thread((tmp_path / PAGE).read_text)
        assert (await asyncio.to_thread((tmp_path / PAGE).stat)).st_mode & 0o777 == 0o600
        ticket = page.partition("/login/link#")[2].partition('"')[0]
        assert ticket not in result.stdout + result.stderr
        assert links.use(ticket) is not None

    async def test_without_a_browser_the_link_is_printed(
        self, tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        links = Links()
        links.bound = ("127.0.0.1", 9464)
        monkeypatch.setattr(webbrowser, "_tryorder", None)
        for browser in ("", "no-such-browser-4711"):
            for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
                monkeypatch.delenv(name, raising=False)
            if browser:
                monkeypatch.setenv("BROWSER", browser)
            monkeypatch.setenv("PATH", str(tmp_path))
            async with control(tmp_path, links):
                result = await asyncio.to_thread(call, "open", "-c", config)
            assert result.stdout.startswith("http://127.0.0.1:9464/login/link#")

    def test_without_a_daemon_there_is_none(self, config: str) -> None:
        result = call("open", "-c", config)
        assert result.exit_code == 3
        assert "start it with `probe run`" in result.stderr


class TestHash:
    def test_asks_twice_and_prints_what_the_configuration_takes(self, tmp_path: Path) -> None:
        result = call("user", "hash", "ada", input=f"{PASSWORD}\n{PASSWORD}\n")
        assert result.exit_code == 0
        assert PASSWORD not in result.stdout + result.stderr
        (tmp_path / "config.toml").write_text(result.stdout)
        (found,) = load_config(tmp_path / "config.toml", environ={}).config.web.users
        assert found.name == "ada"
        assert PasswordHasher().verify(found.password.reveal(), PASSWORD)

    def test_alone_for_a_file(self, tmp_path: Path) -> None:
        result = call("user", "hash", "--stdin", input=f"{PASSWORD}\n")
        (tmp_path / "ada").write_text(result.stdout)
        (tmp_path / "config.toml").write_text('[web.users.ada]\npassword = "${file:ada}"\n')
        (found,) = load_config(tmp_path / "config.toml", environ={}).config.web.users
        assert PasswordHasher().verify(found.password.reveal(), PASSWORD)

    def test_refuses_what_can_be_guessed_or_is_cut_off(self) -> None:
        for password in ("", "eleven-char", "x" * 1025):
            result = call("user", "hash", "--stdin", input=f"{password}\n")
            assert result.exit_code == 2
            assert "from 12 to 1024" in result.stderr
            assert "$argon2" not in result.stdout
        result = call("user", "hash", input=f"{PASSWORD}\nanother password\n\n\n")
        assert result.exit_code != 0
