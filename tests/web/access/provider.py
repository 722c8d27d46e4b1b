"""An identity provider of the tests' own: it speaks OpenID Connect over HTTP, and lies as it is told."""

import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from aiohttp import BasicAuth, web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT = "probe"
SECRET = "the-client-secret-of-probe"
KEY = RSAKey.generate_key(2048, {"kid": "now", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "now", "use": "sig", "alg": "RS256"})


@dataclass
class Provider:
    """`spoil` changes the claims, `sign` makes the token of them; `answers` replaces whole answers by path."""

    issuer: str = ""
    claims: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u1", "email": "ada@shop.example", "email_verified": True}
    )
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode({"alg": "RS256", "kid": "now"}, claims, KEY)
    answers: dict[str, Callable[[], web.Response]] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def approve(self, address: dict[str, str]) -> str:
        """The user says yes: what the browser is sent back with."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = address
        return urlencode({"code": code, "state": address["state"]})

    async def configuration(self, _request: web.Request) -> web.Response:
        return self._answer(
            "configuration",
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            },
        )

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form.get("code")), None)
        client = BasicAuth.decode(request.headers.get("Authorization", ""))
        if asked is None or (client.login, client.password) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_grant", "error_description": "no such code"}, status=400)
        challenge = urlsafe_b64encode(sha256(str(form["code_verifier"]).encode()).digest()).decode().rstrip("=")
        if asked["code_challenge_method"] != "S256" or asked["code_challenge"] != challenge:
            return web.json_response({"error": "invalid_grant", "error_description": "PKCE"}, status=400)
        if form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant", "error_description": "redirect"}, status=400)
        now = int(self.now())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        given = {"access_token": "at", "token_type": "Bearer", "id_token": self.sign(self.spoil(claims))}
        return self._answer("token", given)

    async def keys(self, _request: web.Request) -> web.Response:
        return self._answer("keys", {"keys": [KEY.as_dict(private=False)]})

    def _answer(self, name: str, usual: dict[str, Any]) -> web.Response:
        self.asked.append(name)
        return self.answers[name]() if name in self.answers else web.json_response(usual)


def unsigned(claims: dict[str, Any]) -> str:
    """A token that says that it needs no signature."""
    import json

    def part(value: dict[str, Any]) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}."


def by_shared_secret(claims: dict[str, Any]) -> str:
    """A token that is signed with what anybody can read: the public key, taken for a shared secret."""
    return jwt.encode({"alg": "HS256", "kid": "now"}, claims, OctKey.import_key(KEY.as_pem(private=False).hex()))


def by_another(claims: dict[str, Any]) -> str:
    """A token that somebody else has signed, in the name of the provider's key."""
    return jwt.encode({"alg": "RS256", "kid": "now"}, claims, OTHER_KEY)


@asynccontextmanager
async def a_provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/realm/.well-known/openid-configuration", provider.configuration)
    app.router.add_post("/realm/token", provider.token)
    app.router.add_get("/realm/keys", provider.keys)
    async with TestServer(app) as server:
        provider.issuer = f"http://127.0.0.1:{server.port}/realm"
        yield provider
