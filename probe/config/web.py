"""`[web]` → who may see the pages, and how people reach them."""

import re
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from probe.config.fields import VALUE, Duration, Id, OneOrMore, Text, choice, web_address, wrong
from probe.config.findings import Findings
from probe.config.table import Table
from probe.core.access import Access, Oidc, Token, User, WebSettings
from probe.core.secret import Secret

SHORTEST_SECRET: Final = 24
"""Characters of a token: too many to guess."""
LONGEST_SESSION: Final = timedelta(days=90)
MOST_MEMORY: Final = 2**20
"""KiB that a hash may ask for when it is checked."""
OURS: Final = frozenset(
    {"api", "audit", "checks", "events", "healthz", "incidents", "login", "logout", "marks", "metrics", "notices"}
    | {"objectives", "readyz", "runs", "static", "status", "trace"}
)
"""What our own addresses begin with; a prefix that begins so could not be told from them."""
_HASH: Final = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>\d{1,8}),t=(?P<rounds>\d{1,3}),p=\d{1,3}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}"
)


def _address(value: str) -> str:
    example = '"https://ops.example/probe"'
    web_address(value, ("http", "https"), example)
    parts = urlsplit(value)
    if parts.query or parts.fragment or "@" in parts.netloc:
        wrong(f"{VALUE} has more than a host and a path", f"such as {example}")
    return value.rstrip("/")


def _own_address(value: str) -> str:
    value = _address(value)
    path = urlsplit(value).path
    if path and not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", path):
        wrong(f"{VALUE} has a path that cannot be a prefix", "use letters, digits, '-', '_', '.' and '~'")
    if path.split("/")[1:2] and path.split("/")[1] in OURS:
        wrong(f"{VALUE} has a prefix that begins like a page of ours", 'choose another, such as "/probe"')
    return value


def _origin(value: str) -> str:
    value = _address(value)
    if urlsplit(value).path:
        wrong(f"{VALUE} has a path", 'the viewer needs a host of its own: "https://traces.example"')
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        wrong(f"{VALUE} is not a network", 'write the address of the proxy, or its network: "10.0.0.0/8"')
    return value


def _hash(value: str) -> str:
    found = _HASH.fullmatch(value)
    if found is None:
        wrong(
            "this is not the hash of a password (Argon2id)",
            "make one with `probe user hash`, and put what it prints here, or into a file: ${file:secrets/ada}",
        )
    if not 0 < int(found["memory"]) <= MOST_MEMORY or not 0 < int(found["rounds"]) <= 100:
        wrong("this hash would take too long to check", "make one with `probe user hash`")
    return value


def _token(value: str) -> str:
    if len(value) < SHORTEST_SECRET or not re.fullmatch(r"[!-~]+", value):
        wrong(
            f"this is no secret of at least {SHORTEST_SECRET} letters, digits and signs",
            "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return value


def _issuer(value: str) -> str:
    value = value if value.endswith("/") else _address(value)  # its own spelling: the tokens have it, too
    _address(value)
    parts = urlsplit(value)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        wrong(f"{VALUE} is not https", "whoever is in between could say who logs in: use its https:// address")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _not_too_long(value: timedelta) -> timedelta:
    if value > LONGEST_SESSION:
        wrong(f"{VALUE} is longer than 90d")
    return value


Role = Annotated[Access, choice(("viewer", "operator"), "role"), AfterValidator(Access)]
Period = Annotated[Duration, AfterValidator(_not_too_long)]
Hidden = BeforeValidator(lambda value: value if isinstance(value, str) else wrong("this is not a string"))


class UserTable(Table):
    """`[web.users.NAME]`."""

    password: Annotated[str, AfterValidator(_hash), Hidden]
    role: Role = Field(default="viewer", validate_default=True)


class TokenTable(Table):
    """`[web.tokens.NAME]`."""

    secret: Annotated[str, AfterValidator(_token), Hidden]
    role: Role = Field(default="viewer", validate_default=True)


class OidcTable(Table):
    """`[web.oidc]`."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Text
    client_secret: Annotated[Text, Hidden]
    claim: Text = "email"
    viewers: Annotated[tuple[str, ...], OneOrMore] = ()
    operators: Annotated[tuple[str, ...], OneOrMore] = ()
    scopes: Annotated[tuple[Text, ...], OneOrMore] = ("openid", "email", "profile")


class WebTable(Table):
    """`[web]`."""

    examples: ClassVar[dict[str, str]] = {
        "password": 'password = "${file:secrets/ada}"',
        "secret": 'secret = "${env:PROBE_GRAFANA_TOKEN}"',
        "issuer": 'issuer = "https://login.example"',
        "client_id": 'client_id = "probe"',
        "client_secret": 'client_secret = "${env:PROBE_OIDC_SECRET}"',
    }

    url: Annotated[str, AfterValidator(_own_address)] | None = None
    trace_url: Annotated[str, AfterValidator(_origin)] | None = None
    proxies: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], OneOrMore] = ()
    session: Period = Field(default="7d", validate_default=True)
    idle: Period = Field(default="12h", validate_default=True)
    users: dict[Id, UserTable] = Field(default={})
    tokens: dict[Id, TokenTable] = Field(default={})
    oidc: OidcTable | None = None


def web(table: WebTable, findings: Findings) -> WebSettings:
    """How the pages are reached, and by whom."""
    _judge(table, findings)
    return WebSettings(
        url=table.url,
        trace_url=table.trace_url,
        proxies=table.proxies,
        users=tuple(User(name=n, password=Secret(u.password), role=u.role) for n, u in table.users.items()),
        tokens=tuple(Token(name=n, secret=Secret(t.secret), role=t.role) for n, t in table.tokens.items()),
        oidc=None if table.oidc is None else _oidc(table.oidc),
        session=table.session,
        idle=table.idle,
    )


def _judge(table: WebTable, findings: Findings) -> None:
    if table.url is not None and table.trace_url is not None:
        own, other = urlsplit(table.url), urlsplit(table.trace_url)
        if own.hostname == other.hostname:
            findings.error(
                ("web", "trace_url"),
                "this is the host of web.url: what a shop has sent would run where people are logged in",
                'give the viewer another name that leads here, such as "https://traces.example"',
            )
    secrets: dict[str, str] = {}
    for name, token in table.tokens.items():
        if (other_name := secrets.setdefault(token.secret, name)) != name:
            findings.error(
                ("web", "tokens", name, "secret"), f"this is the secret of {other_name!r}, too", "make another"
            )
    oidc = table.oidc
    if oidc is None:
        return
    if not has_oidc():
        findings.error(
            ("web", "oidc"),
            "logging in at an identity provider needs Authlib, which is not installed here",
            "pip install 'probe-synthetics[oidc]'",
        )
    if table.url is None:
        findings.error(
            ("web", "oidc"),
            "the provider must know where to send people back to",
            'set [web] url = "https://ops.example", and register ".../login/oidc/callback" with the provider',
        )
    if not oidc.viewers and not oidc.operators:
        findings.warning(
            ("web", "oidc"), "it lets nobody in", 'list values of the claim: operators = ["ada@example.com"]'
        )
    if "openid" not in oidc.scopes:
        findings.error(("web", "oidc", "scopes"), '"openid" is missing: without it there is no identity', "add it")


def has_oidc() -> bool:
    """Whether the extra `oidc` is installed."""
    return find_spec("authlib") is not None and find_spec("httpx") is not None


def _oidc(table: OidcTable) -> Oidc:
    return Oidc(
        issuer=table.issuer,
        client_id=table.client_id,
        client_secret=Secret(table.client_secret),
        claim=table.claim,
        viewers=table.viewers,
        operators=table.operators,
        scopes=table.scopes,
    )
