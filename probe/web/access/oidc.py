"""Logging in at one's own identity provider: OpenID Connect, code flow with PKCE, by Authlib. Imported when it is used."""

import asyncio
import hmac
import json
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from probe.core.access import Access, Oidc
from probe.web.access.sessions import role_of

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]  # it has no types

LASTS: Final = timedelta(minutes=10)
"""How long somebody may take at the provider."""
ANSWERS: Final = 5.0
"""Seconds for one answer of the provider."""
WHOLE: Final = 15.0
"""Seconds for all that one login asks of it."""
LARGEST: Final = 2**20
"""Bytes of an answer that is read."""
LEEWAY: Final = 60
"""Seconds that its clock may differ from ours."""
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that need the provider's own key: no `none`, and no shared secret."""
LONGEST_NAME: Final = 200


class OidcTrouble(Exception):  # noqa: N818  # what it is
    """Nobody is logged in. `words` are for the log: they may hold what the provider said. `theirs`: the provider is at fault."""

    def __init__(self, words: str, *, theirs: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.theirs = theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One login that was begun: it lies signed in a cookie of whoever began it, so any node of a fleet can end it."""

    state: str
    nonce: str
    verifier: str
    next: str
    until: datetime

    def sealed(self, oidc: Oidc) -> str:
        """The text of the cookie."""
        words = [self.state, self.nonce, self.verifier, self.next, self.until.isoformat()]
        body = urlsafe_b64encode(json.dumps(words).encode()).decode()
        return f"{body}.{_seal(oidc, body)}"

    @classmethod
    def opened(cls, text: str, oidc: Oidc, now: datetime) -> "Flow | None":
        """What was sealed; `None`: it was not us, or it is too old."""
        body, _, seal = text.rpartition(".")
        if not hmac.compare_digest(seal.encode("utf-8", "replace"), _seal(oidc, body).encode()):
            return None
        state, nonce, verifier, next_, until = json.loads(urlsafe_b64decode(body))
        flow = cls(state=state, nonce=nonce, verifier=verifier, next=next_, until=datetime.fromisoformat(until))
        return flow if flow.until > now else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who the provider says it is: a name for people, and the values of the claim that decides."""

    name: str
    values: tuple[str, ...]
    access: Access


async def begin(oidc: Oidc, back: str, next: str, now: datetime) -> tuple[str, Flow]:
    """Where to send the browser, and what must be kept until it comes back to `back`. `OidcTrouble`."""
    flow = Flow(
        state=token_urlsafe(32), nonce=token_urlsafe(32), verifier=token_urlsafe(64), next=next, until=now + LASTS
    )
    async with asyncio.timeout(WHOLE), await _client(oidc, back) as client:
        found = await _discover(client, oidc)
    address, _ = client.create_authorization_url(
        _secure(found, "authorization_endpoint", oidc), state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
    )
    return address, flow


async def finish(oidc: Oidc, back: str, flow: Flow, code: str, now: datetime) -> Known:
    """Who came back with that code. `OidcTrouble` when nobody vouches for them, or they may do nothing here."""
    async with asyncio.timeout(WHOLE), await _client(oidc, back) as client:
        found = await _discover(client, oidc)
        token = await _token(client, _secure(found, "token_endpoint", oidc), code, flow)
        keys = await _json(client, _secure(found, "jwks_uri", oidc))
    claims = await asyncio.to_thread(_verified, token, keys, oidc, flow, now)
    values = _values(claims, oidc.claim)
    access = role_of(oidc, values)
    name = _name(claims)
    if access is None:
        raise OidcTrouble(f"{name} is in none of the lists of [web.oidc] (claim {oidc.claim})")
    return Known(name=name, values=values, access=access)


async def _client(oidc: Oidc, back: str) -> "AsyncOAuth2Client":
    """What speaks with the provider. Made in a thread: the first time it is imported, and authorities are read each time."""
    return await asyncio.to_thread(_make_client, oidc, back)


def _make_client(oidc: Oidc, back: str) -> "AsyncOAuth2Client":
    with warnings.catch_warnings():
        from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]  # it has no types

        # It would rather have httpx2, which hardly anybody packages yet.
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        from authlib.integrations.httpx_client import AsyncOAuth2Client

    return AsyncOAuth2Client(
        client_id=oidc.client_id,
        client_secret=oidc.client_secret.reveal(),
        redirect_uri=back,
        scope=" ".join(oidc.scopes),
        code_challenge_method="S256",
        timeout=ANSWERS,
        follow_redirects=False,
    )


async def _discover(client: "AsyncOAuth2Client", oidc: Oidc) -> Mapping[str, Any]:
    found = await _json(client, f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != oidc.issuer:
        raise OidcTrouble(
            f"the provider calls itself {str(found.get('issuer'))[:200]!r}: write that as issuer", theirs=True
        )
    return found


async def _json(client: "AsyncOAuth2Client", address: str) -> Mapping[str, Any]:
    from httpx import HTTPError, InvalidURL

    try:
        async with client.stream("GET", address, withhold_token=True) as answer:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise OidcTrouble(f"{address} answered with more than {LARGEST} bytes", theirs=True)
            if answer.status_code != 200:
                raise OidcTrouble(f"{address} answered {answer.status_code}", theirs=True)
        found = json.loads(body)
    except (HTTPError, InvalidURL, ValueError, RecursionError) as error:
        raise OidcTrouble(f"{address}: {str(error) or type(error).__name__}", theirs=True) from error
    if not isinstance(found, dict):
        raise OidcTrouble(f"{address} answered something else than a JSON object", theirs=True)
    return found


async def _token(client: "AsyncOAuth2Client", address: str, code: str, flow: Flow) -> str:
    """The identity token for a code. What the provider says against it is no trouble of its own."""
    from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # it has no types
    from httpx import HTTPError, InvalidURL

    try:
        given = await client.fetch_token(
            address, grant_type="authorization_code", code=code, code_verifier=flow.verifier
        )
    except AuthlibBaseError as error:
        raise OidcTrouble(f"the provider did not take the code: {str(error)[:300]}") from error
    except (HTTPError, InvalidURL, ValueError, KeyError, TypeError) as error:
        raise OidcTrouble(f"{address}: {str(error)[:300] or type(error).__name__}", theirs=True) from error
    token = given.get("id_token")
    if not isinstance(token, str):
        raise OidcTrouble("the provider gave no id_token: is `openid` among the scopes?", theirs=True)
    return token


def _verified(token: str, keys: Mapping[str, Any], oidc: Oidc, flow: Flow, now: datetime) -> Mapping[str, Any]:
    """What an identity token says, when it is the provider's word, for us, about this login, and now."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY,
        iss={"essential": True, "value": oidc.issuer},
        aud={"essential": True, "value": oidc.client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": flow.nonce},
    )
    try:
        claims: Mapping[str, Any] = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]  # what they sent: it is judged there
        registry.validate(dict(claims))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise OidcTrouble(f"the id_token is not to be trusted: {str(error)[:300] or type(error).__name__}") from error
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != oidc.client_id:
        raise OidcTrouble("the id_token is not to be trusted: it was made for several, and not at our asking")
    return claims


def _values(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The values of the claim. An address that the provider has not verified could be anybody's."""
    value = claims.get(claim)
    if claim == "email" and claims.get("email_verified") in (False, "false"):
        raise OidcTrouble("the provider has not verified the address of whoever logs in")
    found = value if isinstance(value, list) else [value]
    return tuple(one for one in found if isinstance(one, str))


def _name(claims: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "email", "name", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:LONGEST_NAME]
    return "somebody"


def _secure(found: Mapping[str, Any], key: str, oidc: Oidc) -> str:
    """An address that the provider says; as safe as its own."""
    address = found.get(key)
    wanted = urlsplit(oidc.issuer).scheme
    if not isinstance(address, str) or urlsplit(address).scheme not in {"https", wanted}:
        raise OidcTrouble(f"the provider says no {key} that can be used", theirs=True)
    return address


def _seal(oidc: Oidc, body: str) -> str:
    key = sha256(b"probe: a login that was begun\0" + oidc.client_secret.reveal().encode()).digest()
    return hmac.new(key, body.encode("utf-8", "replace"), "sha256").hexdigest()
