"""The ways in and out: passwords, one-time links, and what is written down of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from probe.core.access import WebSettings
from probe.web.access.links import Links, login_link
from probe.web.access.passwords import MOST_WAITING, NOBODYS, Busy, Passwords
from probe.web.pages.login import WRONG
from tests.web.access.door import HTML, LOOKS, NOW, PASSWORD, VIEWER, Door


class TestPasswords:
    async def test_the_right_one_lets_in(self, door: Door) -> None:
        answer = await door.log_in()
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("probe_session=")
        for attribute in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"):
            assert attribute in cookie.split("; ")
        assert "Secure" not in cookie
        assert len(door.cookie()) == 43
        assert answer.headers["Cache-Control"] == "no-store"
        who = await (await door.get("/whoami")).json()
        assert (who["name"], who["access"], who["by"]) == ("ada", "viewer", "password")
        assert (await door.get("/login?next=/checks/a")).headers["Location"] == "/checks/a"  # who is in goes on

    async def test_the_cookie_is_bound_to_encryption_where_it_is_used(self, door: Door) -> None:
        door.configure(url="https://ops.example")
        cookie = (await door.log_in()).headers["Set-Cookie"]
        assert cookie.startswith("__Host-probe_session=")
        assert {"Secure", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        door.configure(url="https://ops.example/probe")
        cookie = (await door.log_in()).headers["Set-Cookie"]
        assert cookie.startswith("probe_session=")
        assert {"Secure", "Path=/probe"} <= set(cookie.split("; "))

    async def test_only_the_hash_of_the_token_is_stored(
        self, door: Door, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        await door.log_in()
        token = door.cookie().encode()
        files = [path.read_bytes() for path in tmp_path_factory.getbasetemp().rglob("people.sqlite3*")]
        assert len(files) > 1
        assert any(b"probe" in file or b"ada" in file for file in files)
        assert not any(token in file for file in files)

    async def test_whatever_is_wrong_is_one_message(self, door: Door) -> None:
        said = set()
        for name, password in (
            ("ada", "x"),
            ("nobody", PASSWORD),
            ("", ""),
            ("ada", PASSWORD + "x"),
            ("ada", "x" * 2000),
        ):
            answer = await door.log_in(name, password)
            assert answer.status == 403
            assert "Set-Cookie" not in answer.headers
            text = await answer.text()
            assert WRONG in text
            said.add(text.partition("<main")[2].partition("</main>")[0])
        assert len(said) == 1
        assert await door.audited() == [
            ("ada", "log in", "password", False),
            ("somebody unknown", "log in", "password", False),
            ("somebody unknown", "log in", "password", False),
            ("ada", "log in", "password", False),
            ("ada", "log in", "password", False),
        ]

    async def test_a_few_failures_are_enough(self, door: Door) -> None:
        for _ in range(5):
            assert (await door.log_in("ada", "x")).status == 403
        answer = await door.log_in()  # the right one, too
        assert (answer.status, answer.headers["Retry-After"]) == (429, "901")
        assert "try again in 15 minutes" in await answer.text()
        assert (await door.log_in("grace")).status == 303  # others from there can
        door.later(timedelta(minutes=15))
        assert (await door.log_in()).status == 303

    async def test_one_address_cannot_try_many_names(self, door: Door) -> None:
        names = [f"name-{number}" for number in range(20)]  # known ones: their hashes are cheap
        door.configure(users=(*door.desk.settings.users, *(replace(VIEWER, name=name) for name in names)))
        for name in names:
            assert (await door.log_in(name, "x")).status == 403
        assert (await door.log_in("grace")).status == 429
        door.configure(proxies=("127.0.0.0/8",))
        assert (await door.log_in("grace", headers={"X-Forwarded-For": "192.0.2.1"})).status == 303
        assert (await door.log_in("grace", headers={"X-Forwarded-For": "192.0.2.1, 127.0.0.1"})).status == 303

    async def test_who_says_to_come_from_elsewhere_is_not_believed(self, door: Door) -> None:
        for number in range(5):
            await door.log_in("ada", "x", headers={"X-Forwarded-For": f"192.0.2.{number}"})
        assert (await door.log_in("ada", headers={"X-Forwarded-For": "192.0.2.99"})).status == 429

    async def test_the_session_before_is_worth_nothing_afterwards(self, door: Door) -> None:
        await door.log_in()
        before = door.cookie()
        await door.log_in("grace")
        assert door.cookie() != before
        door.forget()
        assert (await door.get("/whoami", Cookie=f"probe_session={before}")).status == 401

    async def test_another_site_cannot_log_somebody_in(self, door: Door) -> None:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await door.log_in(headers=headers)).status == 403
            ticket = door.links.issue("eve")
            answer = await door.ask("POST", "/login/link", data={"ticket": ticket}, headers=headers)
            assert answer.status == 403
        assert door.cookie() == ""

    async def test_leads_nowhere_else(self, door: Door) -> None:
        for wanted in (
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "/x\r\nSet-Cookie: a=b",
            "",
            "x",
        ):
            answer = await door.log_in(next=wanted)
            assert (answer.status, answer.headers["Location"]) == (303, "/"), wanted

    async def test_on_the_day_when_nothing_can_be_stored_one_still_gets_in(
        self, door: Door, caplog: pytest.LogCaptureFixture
    ) -> None:
        door.desk.broken = True
        assert (await door.get("/login", **HTML)).status == 200
        assert (await door.log_in("grace")).status == 303
        assert "the session of grace is kept in memory only" in caplog.text
        assert (await (await door.get("/whoami")).json())["name"] == "grace"
        assert (await door.ask("POST", "/incidents/1/ack", data={"csrf": await door.csrf()})).status == 200
        door.later(timedelta(hours=11))
        assert (await door.get("/whoami")).status == 200
        token = door.cookie()
        assert (await door.ask("POST", "/logout", data={"csrf": await door.csrf()})).status == 303
        door.desk.broken = False
        assert (await door.get("/whoami", Cookie=f"probe_session={token}")).status == 401
        door.desk.broken = True
        await door.log_in()
        door.later(timedelta(hours=12, seconds=1))
        door.desk.broken = False
        assert (await door.get("/whoami")).status == 401

    async def test_a_broken_form_is_told(self, door: Door) -> None:
        answer = await door.ask("POST", "/login", data=b"x", headers={"Content-Type": "multipart/form-data"})
        assert answer.status == 400

    async def test_many_at_once_wait_or_are_sent_away(self) -> None:
        passwords = Passwords()
        passwords._waiting = MOST_WAITING
        with pytest.raises(Busy):
            await passwords.are_right(VIEWER, PASSWORD)
        passwords._waiting = 0
        assert await passwords.are_right(VIEWER, PASSWORD)
        assert not await passwords.are_right(VIEWER, PASSWORD + "x" * 2000)
        assert not await passwords.are_right(None, PASSWORD)
        assert passwords._waiting == 0

    async def test_nobodys_hash_costs_as_much_as_those_that_we_make(self) -> None:
        from argon2 import PasswordHasher

        made = PasswordHasher()
        assert not made.check_needs_rehash(NOBODYS)

    async def test_the_page_offers_what_there_is(self, door: Door) -> None:
        text = await (await door.get("/login")).text()
        assert 'type="password"' in text
        assert "Not encrypted" not in text
        assert "identity provider" not in text
        assert "Not encrypted" in await (await door.get("/login", Host="192.0.2.1")).text()
        door.configure(users=())
        text = await (await door.get("/login")).text()
        assert 'type="password"' not in text
        assert "probe open" in text
        assert (await door.get("/login/oidc")).status == 404
        assert (await door.get("/login/oidc/callback")).status == 404


class TestLinks:
    async def test_let_in_once_and_for_a_minute(self, door: Door) -> None:
        ticket = door.links.issue("linus")
        assert len(ticket) == 43
        page = await door.get("/login/link")
        assert page.status == 200
        assert 'src="/static/login-link.js' in await page.text()
        answer = await door.ask("POST", "/login/link", data={"ticket": ticket})
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        who = await (await door.get("/whoami")).json()
        assert (who["name"], who["access"], who["by"]) == ("linus", "operator", "link")
        for old in (ticket, "", "x"):
            again = await door.ask("POST", "/login/link", data={"ticket": old})
            assert again.status == 403
            assert "used already, or is too old" in await again.text()
        late = door.links.issue("linus")
        door.later(timedelta(seconds=60))
        assert (await door.ask("POST", "/login/link", data={"ticket": late})).status == 403
        assert (await door.audited())[:2] == [
            ("linus", "log in", "link", True),
            ("somebody unknown", "log in", "link", False),
        ]

    async def test_need_no_user_and_outlive_a_reload(self, door: Door) -> None:
        door.configure(users=(), tokens=())
        await door.ask("POST", "/login/link", data={"ticket": door.links.issue("linus")})
        assert (await door.get("/whoami")).status == 200
        door.later(timedelta(hours=12, minutes=1))
        assert (await door.get("/whoami")).status == 401

    async def test_a_hundred_may_wait(self) -> None:
        links = Links(lambda: NOW)
        tickets = [links.issue("a") for _ in range(101)]
        assert links.use(tickets[0]) is None
        assert links.use(tickets[1]) == "a"
        assert links.use(tickets[100]) == "a"

    async def test_are_made_on_the_control_socket(self) -> None:
        links, settings = Links(lambda: NOW), WebSettings()
        app = web.Application()
        app.router.add_post("/login-link", login_link(links, lambda: settings))
        async with TestServer(app) as server, ClientSession() as client:

            async def ask(body: object) -> tuple[int, dict[str, Any]]:
                async with client.post(server.make_url("/login-link"), json=body) as answer:
                    return answer.status, await answer.json()

            status, said = await ask({"by": "linus"})
            assert (status, said["error"]) == (404, "the pages are served nowhere")
            for bound, wanted in (
                (("127.0.0.1", 9464), "http://127.0.0.1:9464"),
                (("0.0.0.0", 1), "http://127.0.0.1:1"),
                (("::", 1), "http://[::1]:1"),
                (("192.0.2.1", 1), "http://192.0.2.1:1"),
            ):
                links.bound = bound
                status, said = await ask({"by": "  linus\n torvalds "})
                address, _, ticket = said["url"].partition("/login/link#")
                assert (status, address, said["seconds"]) == (200, wanted, 60)
                assert links.use(ticket) == "linus torvalds"
            settings = WebSettings(url="https://ops.example/probe")
            assert (await ask({"by": "a"}))[1]["url"].startswith("https://ops.example/probe/login/link#")
            for body in ({}, {"by": " "}, {"by": 1}, {"by": "x" * 201}):
                assert (await ask(body))[0] == 400


class TestLeaving:
    async def test_ends_the_session_where_it_is_stored(self, door: Door) -> None:
        await door.log_in()
        token = door.cookie()
        assert (await door.ask("POST", "/logout")).status == 403  # without its word
        answer = await door.ask("POST", "/logout", data={"csrf": await door.csrf()})
        assert (answer.status, answer.headers["Location"]) == (303, "/login")
        assert door.cookie() == ""
        assert (await door.get("/whoami", Cookie=f"probe_session={token}")).status == 401
        assert (await door.audited())[-1] == ("ada", "log out", "", True)

    async def test_a_token_has_nothing_to_end(self, door: Door) -> None:
        answer = await door.ask("POST", "/logout", headers={"Authorization": f"Bearer {LOOKS.secret.reveal()}"})
        assert answer.status == 303


class TestRecord:
    async def test_is_shown_to_operators_with_what_was_sent_as_text(self, door: Door) -> None:
        await door.log_in("grace")
        word = await door.csrf()
        for number in range(101):
            await door.ask("POST", f"/incidents/{number}/ack", data={"csrf": word})
        await door.ask("POST", "/incidents/%3Cscript%3Ex%0A/ack", data={"csrf": word})
        text = await (await door.get("/audit")).text()
        assert "&lt;script&gt;x" in text
        assert "<script>x" not in text
        older = text.partition("/audit?cursor=")[2].partition('"')[0]
        rest = await (await door.get(f"/audit?cursor={older}")).text()
        assert "log in" in rest
        assert "cursor=" not in rest
        assert (await door.get("/audit?cursor=x")).status == 400

    async def test_what_cannot_be_written_down_is_in_the_log(
        self, door: Door, caplog: pytest.LogCaptureFixture
    ) -> None:
        await door.log_in("grace")
        word = await door.csrf()
        headers = {"Authorization": "Bearer a-token-that-may-act-as-well"}
        door.desk.broken = True
        assert (await door.ask("POST", "/incidents/1/ack", data={"csrf": word}, headers=headers)).status == 200
        assert "not written down: deploy act 1" in caplog.text
