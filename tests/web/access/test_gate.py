"""Who is let through, where to, and what every answer says to a browser."""

import re
from dataclasses import replace
from datetime import timedelta

from probe.core.access import Access, User
from probe.core.secret import Secret
from probe.core.status_page import StatusPage
from probe.web.render import POLICY
from tests.web.access.door import ACTS, HTML, LOOKS, OPERATOR, OTHER, VIEWER, Door


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


class TestClosed:
    async def test_every_route_is_closed_that_is_not_said_to_be_open(self, door: Door) -> None:
        closed = 0
        for known, route in door.table.items():
            path = re.sub(r"\{[^}]+\}", "x", route.path)
            answer = await door.ask(known.method, path)
            if route.access is Access.PUBLIC:
                assert answer.status != 401, path
            else:
                closed += 1
                assert answer.status == 401, path
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="probe"'
                assert answer.headers["Cache-Control"] == "no-store"
        assert closed > 10

    async def test_who_looks_at_pages_is_led_to_the_login_and_back(self, door: Door) -> None:
        answer = await door.get("/checks/a%2Fb?from=7d&region=eu", **HTML)
        assert (answer.status, answer.headers["Location"]) == (
            303,
            "/login?next=/checks/a%252Fb%3Ffrom%3D7d%26region%3Deu",
        )
        assert (await door.get("/", **HTML)).headers["Location"] == "/login"
        page = await door.get(answer.headers["Location"], **HTML)
        assert 'name="next" value="/checks/a%2Fb?from=7d&amp;region=eu"' in await page.text()
        back = await door.log_in(next="/checks/a%2Fb?from=7d&region=eu")
        assert (back.status, back.headers["Location"]) == (303, "/checks/a%2Fb?from=7d&region=eu")
        assert (await door.get(back.headers["Location"], **HTML)).status == 200

    async def test_programs_are_told(self, door: Door) -> None:
        for path, headers in (
            ("/api/v1/overview", HTML),
            ("/events", {"Accept": "text/event-stream"}),
            ("/whoami", {}),
        ):
            answer = await door.get(path, **headers)
            assert answer.status == 401, path
            assert await answer.json() == {"ok": False, "error": "nobody known asks", "hint": "log in, or send a token"}

    async def test_what_does_not_exist_is_closed_too(self, door: Door) -> None:
        assert (await door.get("/nothing")).status == 401
        assert (await door.get("/nothing", **HTML)).status == 303
        assert (await door.ask("DELETE", "/healthz")).status == 401
        assert (await door.get("/nothing", **bearer(LOOKS.secret.reveal()))).status == 404
        assert (await door.ask("DELETE", "/healthz", headers=bearer(ACTS.secret.reveal()))).status == 405

    async def test_a_form_without_a_session_goes_to_the_login_and_is_not_done_later(self, door: Door) -> None:
        answer = await door.ask("POST", "/incidents/1/ack", headers=HTML, data={"csrf": "x"})
        assert (answer.status, answer.headers["Location"]) == (303, "/login")


class TestTokens:
    async def test_let_programs_in_as_what_they_are(self, door: Door) -> None:
        answer = await door.get("/api/v1/overview", **bearer(LOOKS.secret.reveal()))
        assert await answer.json() == {"name": "grafana", "access": "viewer", "by": "token", "csrf": ""}
        assert (await door.ask("POST", "/api/v1/incidents/7/ack", headers=bearer(LOOKS.secret.reveal()))).status == 403
        done = await door.ask("POST", "/api/v1/incidents/7/ack", headers=bearer(ACTS.secret.reveal()))
        assert (await done.json())["did"] == "deploy"
        assert await door.audited() == [
            ("grafana", "post", "/api/v1/incidents/7/ack", False),
            ("deploy", "act", "7", True),
        ]

    async def test_that_are_none_are_refused_whatever_else_is_sent(self, door: Door) -> None:
        await door.log_in()
        for sent in ("", "x", LOOKS.secret.reveal()[:-1], LOOKS.secret.reveal() + "x", "ü"):
            answer = await door.get("/whoami", **bearer(sent))
            assert answer.status == 401, sent
            assert "token" in (await answer.json())["hint"]

    async def test_what_a_proxy_put_there_is_not_one(self, door: Door) -> None:
        await door.log_in()
        assert (await door.get("/whoami", Authorization="Basic YTpi")).status == 200

    async def test_count_no_more_once_they_are_not_configured(self, door: Door) -> None:
        door.configure(tokens=(ACTS,))
        assert (await door.get("/whoami", **bearer(LOOKS.secret.reveal()))).status == 401


class TestSessions:
    async def test_a_viewer_may_look_and_not_act(self, door: Door) -> None:
        await door.log_in()
        assert (await (await door.get("/whoami")).json())["name"] == "ada"
        refused = await door.ask("POST", "/incidents/1/ack", data={"csrf": await door.csrf()})
        assert refused.status == 403
        assert await refused.json() == {
            "ok": False,
            "error": "this is for those who may act (operator)",
            "hint": "you may look (viewer)",
        }
        assert (await door.audited())[-1] == ("ada", "post", "/incidents/1/ack", False)
        assert (await door.get("/audit")).status == 403

    async def test_ends_after_its_time_and_after_idling(self, door: Door) -> None:
        await door.log_in()
        for _ in range(15):
            door.later(timedelta(hours=11, minutes=10))
            assert (await door.get("/whoami")).status == 200
        door.later(timedelta(minutes=31))
        assert (await door.get("/whoami")).status == 401
        await door.log_in()
        door.later(timedelta(hours=12, seconds=1))
        assert (await door.get("/whoami")).status == 401
        door.later(-timedelta(hours=1))
        assert (await door.get("/whoami")).status == 401  # it has ended, it does not come back

    async def test_ends_with_the_right_that_it_rests_on(self, door: Door) -> None:
        for changed in ((), (OPERATOR,), (_with(VIEWER, role=Access.OPERATOR),), (_with(VIEWER, password=OTHER),)):
            door.configure(users=(VIEWER, OPERATOR))
            await door.log_in()
            assert (await door.get("/whoami")).status == 200
            door.configure(users=changed)
            assert (await door.get("/whoami")).status == 401
            door.configure(users=(VIEWER, OPERATOR))
            assert (await door.get("/whoami")).status == 401

    async def test_a_long_or_foreign_cookie_is_nobody(self, door: Door) -> None:
        for value in ("x", "x" * 201, "%00", "ü"):
            answer = await door.get("/whoami", Cookie=f"probe_session={value}")
            assert answer.status == 401

    async def test_that_cannot_be_looked_up_says_nothing_of_the_place(self, door: Door) -> None:
        await door.log_in()
        door.desk.broken = True
        answer = await door.get("/whoami")
        assert answer.status == 503
        assert "secret" not in await answer.text()
        assert (await door.get("/whoami", **bearer(LOOKS.secret.reveal()))).status == 200


class TestForgery:
    async def test_what_changes_something_needs_the_word_of_the_session(self, door: Door) -> None:
        await door.log_in("grace")
        word = await door.csrf()
        for data, headers, status in (
            ({}, {}, 403),
            ({"csrf": "x"}, {}, 403),
            ({"csrf": word + "x"}, {}, 403),
            ({"csrf": word}, {}, 200),
            ({}, {"X-CSRF-Token": word}, 200),
            ({"csrf": word}, {"X-CSRF-Token": "x"}, 403),
            ({"csrf": word}, {"Origin": door.address}, 200),
            ({"csrf": word}, {"Origin": "https://evil.example"}, 403),
            ({"csrf": word}, {"Origin": "null"}, 403),
            ({"csrf": word}, {"Sec-Fetch-Site": "same-origin"}, 200),
            ({"csrf": word}, {"Sec-Fetch-Site": "same-site"}, 403),
            ({"csrf": word}, {"Sec-Fetch-Site": "cross-site", "Origin": door.address}, 403),
        ):
            answer = await door.ask("POST", "/incidents/1/ack", data=data, headers=headers)
            assert answer.status == status, (data, headers)

    async def test_the_api_does_with_a_cookie_and_not_with_a_token(self, door: Door) -> None:
        await door.log_in("grace")
        assert (await door.ask("POST", "/api/v1/incidents/1/ack", json={})).status == 403
        headers = {"X-CSRF-Token": await door.csrf()}
        assert (await door.ask("POST", "/api/v1/incidents/1/ack", json={}, headers=headers)).status == 200
        headers = bearer(ACTS.secret.reveal()) | {"Sec-Fetch-Site": "cross-site"}
        assert (await door.ask("POST", "/api/v1/incidents/1/ack", json={}, headers=headers)).status == 200

    async def test_of_another_session_is_worth_nothing(self, door: Door) -> None:
        await door.log_in("grace")
        word = await door.csrf()
        door.forget()
        await door.log_in("grace")
        assert (await door.ask("POST", "/incidents/1/ack", data={"csrf": word})).status == 403

    async def test_a_broken_form_is_told(self, door: Door) -> None:
        await door.log_in("grace")
        headers = {"Content-Type": "multipart/form-data"}
        assert (await door.ask("POST", "/incidents/1/ack", data=b"x", headers=headers)).status == 400

    async def test_visitors_of_the_status_page_need_no_session(self, door: Door) -> None:
        assert (await door.ask("POST", "/status/report", data={"component": "a"})).status == 200


class TestHosts:
    async def test_that_can_only_mean_us(self, door: Door) -> None:
        for host in (
            "127.0.0.1:1",
            "localhost",
            "LOCALHOST.:9464",
            "[::1]:9464",
            "x.localhost",
            "192.0.2.7",
            "probe.internal:80",
        ):
            assert (await door.get("/status", Host=host)).status == 200, host

    async def test_that_others_own_are_refused(self, door: Door) -> None:
        for host in (
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost:x",
            "a@localhost",
            "localhost/x",
            "xlocalhost",
        ):
            assert (await door.get("/status", Host=host)).status == 421, host
        assert (await door.get("/healthz", Host="evil.example")).status == 200

    async def test_are_those_that_are_configured(self, door: Door) -> None:
        assert (await door.get("/status", Host="ops.example")).status == 421
        door.configure(url="https://ops.example:8443", trace_url="https://traces.example")
        assert (await door.get("/status", Host="ops.example")).status == 200
        assert (await door.get("/trace/x", Host="traces.example")).status == 200

    async def test_the_public_page_has_the_one_at_which_it_is_published(self, door: Door) -> None:
        door.desk.status_page = StatusPage(url="https://status.example")
        assert (await door.get("/status", Host="status.example")).status == 200
        for path in ("/whoami", "/login", "/nothing"):
            assert (await door.get(path, Host="status.example")).status == 421, path

    async def test_the_viewer_of_traces_has_one_of_its_own(self, door: Door) -> None:
        assert (await door.get("/trace/x", Host="trace.localhost:9")).status == 200
        assert (await door.get("/trace/x")).status == 404
        for path in ("/status", "/whoami", "/login", "/nothing"):
            assert (await door.get(path, Host="trace.localhost:9")).status == 404
        assert (await door.get("/healthz", Host="trace.localhost:9")).status == 200


class TestPrefix:
    async def test_works_with_a_proxy_that_takes_it_off_and_one_that_does_not(self, door: Door) -> None:
        door.configure(url="http://ops.example/probe")
        answer = await door.get("/probe/checks/a%2Fb?x=%2F", **HTML)
        assert answer.headers["Location"] == "/probe/login?next=/checks/a%252Fb%3Fx%3D/"
        assert (await door.get("/checks/a", **HTML)).headers["Location"] == "/probe/login?next=/checks/a"
        assert 'action="/probe/login"' in await (await door.get("/probe/login")).text()
        back = await door.ask(
            "POST", "/probe/login", data={"name": "grace", "password": "a long password", "next": "/checks/a"}
        )
        assert back.headers["Location"] == "/probe/checks/a"
        assert "Path=/probe;" in back.headers["Set-Cookie"]
        session = {"Cookie": back.headers["Set-Cookie"].partition(";")[0]}
        for path in ("/probe", "/probe/", "/"):
            assert await (await door.get(path, **session)).json() == {"prefix": "/probe", "path": "/", "query": ""}
        assert (await (await door.get("/probe/checks/a%2Fb?x=1", **session)).json()) == {
            "prefix": "/probe",
            "path": "/checks/a/b",
            "query": "x=1",
        }
        assert (await door.get("/probex/", **session)).status == 404
        assert (await door.get("/probe/nothing", **session)).status == 404
        word = (await (await door.get("/probe/whoami", **session)).json())["csrf"]
        for path in ("/probe/incidents/1/ack", "/incidents/1/ack"):
            done = await door.ask("POST", path, data={"csrf": word}, headers=session | {"Origin": "http://ops.example"})
            assert await done.json() == {"did": "grace", "prefix": "/probe"}
        assert (await door.get("/probe/healthz", Host="evil.example")).status == 200
        stream = await door.get("/probe/events")  # with the cookie that the browser keeps
        assert (stream.status, stream.headers["Content-Security-Policy"]) == (200, POLICY)
        door.forget()
        assert (await door.get("/probe/events")).status == 401


class TestHeaders:
    async def test_every_answer_has_them(self, door: Door) -> None:
        await door.log_in()
        for path in ("/", "/events", "/nothing", "/login", "/incidents/1/ack", "/status", "/healthz"):
            answer = await door.get(path)
            found = answer.headers
            assert found["Content-Security-Policy"] == POLICY, path
            assert found["X-Content-Type-Options"] == "nosniff"
            assert found["Referrer-Policy"] == "same-origin"
            assert found["Cross-Origin-Opener-Policy"] == "same-origin"
            assert found["Cross-Origin-Resource-Policy"] == "same-origin"
            assert found["Server"] == "probe"
            assert "Strict-Transport-Security" not in found
            assert found.get("Cache-Control") == (None if path in {"/status", "/healthz"} else "no-store"), path
        assert "default-src 'none'; script-src 'self'" in POLICY
        assert "frame-ancestors 'none'" in POLICY
        assert "unsafe" not in POLICY

    async def test_encryption_is_insisted_on_where_it_is_used(self, door: Door) -> None:
        door.configure(url="https://ops.example")
        assert (await door.get("/status")).headers["Strict-Transport-Security"] == "max-age=31536000"

    async def test_what_is_asked_with_get_may_be_asked_with_head(self, door: Door) -> None:
        assert (await door.ask("HEAD", "/healthz")).status == 200
        assert (await door.ask("HEAD", "/")).status == 401
        await door.log_in()
        assert (await door.ask("HEAD", "/events")).status == 405  # it would never end


def _with(user: User, *, role: Access | None = None, password: str | None = None) -> User:
    return replace(user, role=role or user.role, password=Secret(password) if password else user.password)
