"""Logging in at an identity provider: a real one over HTTP, and everything that it, or somebody on the way, could try."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import ClientResponse, web

from probe.core.access import Oidc
from probe.core.secret import Secret
from tests.web.access.door import Door, opened_door
from tests.web.access.provider import CLIENT, SECRET, Provider, a_provider, by_another, by_shared_secret, unsigned

REFUSED = "does not let you in here"
UNUSABLE = "cannot be used now"
Answer = Callable[[], web.Response]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with a_provider() as found:
        yield found


@pytest.fixture
async def door(tmp_path: Path, provider: Provider) -> AsyncIterator[Door]:
    async with opened_door(tmp_path) as found:

        def now() -> float:
            return found.now.timestamp()

        provider.now = now
        oidc = Oidc(
            issuer=provider.issuer,
            client_id=CLIENT,
            client_secret=Secret(SECRET),
            viewers=("ada@shop.example", "staff"),
            operators=("ops@shop.example", "oncall"),
        )
        found.configure(oidc=oidc, url=found.address)
        yield found


async def begin(door: Door, next: str = "/checks/a") -> dict[str, str]:
    answer = await door.get(f"/login/oidc?next={next}")
    assert answer.status == 303
    parts = urlsplit(answer.headers["Location"])
    return dict(parse_qsl(parts.query))


async def come_back(door: Door, provider: Provider) -> ClientResponse:
    return await door.get(f"/login/oidc/callback?{provider.approve(await begin(door))}")


async def refused(door: Door, answer: ClientResponse, words: str = REFUSED) -> None:
    assert answer.status == (403 if words == REFUSED else 502)
    assert words in await answer.text()
    assert door.cookie() == ""
    assert (await door.get("/whoami")).status == 401


async def test_lets_in_whom_the_provider_knows_and_a_list_names(door: Door, provider: Provider) -> None:
    page = await (await door.get("/login?next=/checks/a")).text()
    assert 'href="/login/oidc?next=%2Fchecks%2Fa"' in page
    asked = await begin(door)
    assert asked["redirect_uri"] == f"{door.address}/login/oidc/callback"
    assert (asked["client_id"], asked["response_type"], asked["scope"]) == (CLIENT, "code", "openid email profile")
    assert asked["code_challenge_method"] == "S256"
    assert SECRET not in str(asked)
    answer = await door.get(f"/login/oidc/callback?{provider.approve(asked)}")
    assert (answer.status, answer.headers["Location"]) == (303, "/checks/a")
    who = await (await door.get("/whoami")).json()
    assert (who["name"], who["access"], who["by"]) == ("ada@shop.example", "viewer", "oidc")
    assert await door.audited() == [("ada@shop.example", "log in", "oidc", True)]
    assert [morsel.key for morsel in door.browser.cookie_jar] == ["probe_session"]


async def test_the_session_rests_on_the_lists(door: Door, provider: Provider) -> None:
    oidc = door.desk.settings.oidc
    assert oidc is not None
    provider.claims = {"sub": "u1", "preferred_username": "grace", "groups": ["oncall", "all"]}
    by_group = _with(oidc, claim="groups")
    for changed in (
        None,
        _with(by_group, operators=()),
        _with(by_group, operators=(), viewers=("oncall",)),
        _with(by_group, claim="email"),
        _with(by_group, client_id="another"),
    ):
        door.configure(oidc=by_group)
        assert (await come_back(door, provider)).status == 303
        who = await (await door.get("/whoami")).json()
        assert (who["name"], who["access"]) == ("grace", "operator")
        door.configure(oidc=changed)
        assert (await door.get("/whoami")).status == 401
        door.forget()


SPOILED: dict[str, Any] = {
    "another nonce": lambda claims: claims | {"nonce": "x"},
    "no nonce": lambda claims: {key: value for key, value in claims.items() if key != "nonce"},
    "another audience": lambda claims: claims | {"aud": "another"},
    "several audiences": lambda claims: claims | {"aud": [CLIENT, "another"]},
    "somebody elses": lambda claims: claims | {"aud": [CLIENT, "another"], "azp": "another"},
    "another issuer": lambda claims: claims | {"iss": claims["iss"] + "/"},
    "expired": lambda claims: claims | {"exp": claims["iat"] - 61},
    "no end": lambda claims: {key: value for key, value in claims.items() if key != "exp"},
    "from the future": lambda claims: claims | {"iat": claims["iat"] + 3600, "nbf": claims["iat"] + 3600},
    "no subject": lambda claims: {key: value for key, value in claims.items() if key != "sub"},
    "an address that is not verified": lambda claims: claims | {"email_verified": False},
    "nobody on the lists": lambda claims: claims | {"email": "eve@evil.example"},
    "no such claim": lambda claims: {key: value for key, value in claims.items() if key != "email"},
    "a claim of another sort": lambda claims: claims | {"email": {"ada@shop.example": 1}},
}


async def test_refuses_what_is_not_said_to_us_now_about_somebody_we_know(door: Door, provider: Provider) -> None:
    for spoil in SPOILED.values():
        provider.spoil = spoil
        await refused(door, await come_back(door, provider))
    assert await door.audited() == [("somebody unknown", "log in", "oidc", False)] * len(SPOILED)


SIGNED: dict[str, Any] = {
    "none": unsigned,
    "shared": by_shared_secret,
    "another": by_another,
    "no token": lambda _: "x.y.z",
    "nothing": lambda _: "",
}


async def test_refuses_what_the_provider_has_not_signed(door: Door, provider: Provider) -> None:
    for sign in SIGNED.values():
        provider.sign = sign
        await refused(door, await come_back(door, provider))


async def test_a_login_is_ended_once_and_in_the_browser_in_which_it_was_begun(door: Door, provider: Provider) -> None:
    asked = await begin(door)
    back = provider.approve(asked)
    cookies = {morsel.key: morsel.value for morsel in door.browser.cookie_jar}
    door.forget()
    await refused(door, await door.get(f"/login/oidc/callback?{back}"))  # in another browser
    flow = cookies["probe_login"]
    for spoiled in ("", "x", flow[:-1], "x" + flow, "." + flow.partition(".")[2]):
        await refused(door, await door.get(f"/login/oidc/callback?{back}", Cookie=f"probe_login={spoiled}"))
    assert "token" not in provider.asked
    answer = await door.get(f"/login/oidc/callback?{back}", Cookie=f"probe_login={flow}")
    assert answer.status == 303
    door.forget()
    await refused(door, await door.get(f"/login/oidc/callback?{back}", Cookie=f"probe_login={flow}"))


async def test_refuses_another_state_and_an_old_login(door: Door, provider: Provider) -> None:
    back = provider.approve(await begin(door))
    await refused(door, await door.get(f"/login/oidc/callback?{back}x"))
    back = provider.approve(await begin(door))
    door.later(timedelta(minutes=10))
    await refused(door, await door.get(f"/login/oidc/callback?{back}"))
    asked = await begin(door)
    await refused(door, await door.get(f"/login/oidc/callback?error=access_denied&state={asked['state']}"))
    assert "token" not in provider.asked


async def test_leads_nowhere_else(door: Door, provider: Provider) -> None:
    for wanted in ("//evil.example", "https://evil.example", "/%5Cevil.example"):
        answer = await door.get(f"/login/oidc/callback?{provider.approve(await begin(door, wanted))}")
        assert answer.headers["Location"] == "/"


async def test_a_provider_that_cannot_be_used_is_told_so(door: Door, provider: Provider) -> None:
    answers: tuple[Answer, ...] = (
        lambda: web.Response(status=500),
        lambda: web.Response(text="[1]", content_type="application/json"),
        lambda: web.Response(text="{", content_type="application/json"),
        lambda: web.Response(body=b"x" * (2**20 + 1)),
        lambda: web.json_response({"issuer": "https://evil.example"}),
        lambda: web.json_response({}),
        lambda: web.json_response({"issuer": provider.issuer, "authorization_endpoint": "javascript:alert(1)"}),
    )
    for given in answers:
        provider.answers["configuration"] = given
        answer = await door.get("/login/oidc")
        assert answer.status == 502
        assert UNUSABLE in await answer.text()


async def test_one_that_breaks_off_lets_nobody_in(door: Door, provider: Provider) -> None:
    for name, given, words in BROKEN:
        provider.answers = {name: given}
        await refused(door, await come_back(door, provider), words)


BROKEN: tuple[tuple[str, Answer, str], ...] = (
    ("token", lambda: web.json_response({"access_token": "at", "token_type": "Bearer"}), UNUSABLE),
    ("token", lambda: web.Response(status=500, text="oops"), UNUSABLE),
    ("token", lambda: web.json_response({"error": "invalid_client"}), REFUSED),
    ("keys", lambda: web.json_response({}), REFUSED),
    ("keys", lambda: web.json_response({"keys": [{"kty": "RSA"}]}), REFUSED),
    ("keys", lambda: web.Response(status=404), UNUSABLE),
)


async def test_that_nobody_answers_is_told(door: Door) -> None:
    oidc = door.desk.settings.oidc
    assert oidc is not None
    door.configure(oidc=_with(oidc, issuer="http://127.0.0.1:1"))
    answer = await door.get("/login/oidc")
    assert (answer.status, UNUSABLE in await answer.text()) == (502, True)


def _with(oidc: Oidc, **changes: Any) -> Oidc:
    from dataclasses import replace

    return replace(oidc, **changes)
