"""Who may see the pages, and do what: plain values that the configuration is read into."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from probe.core.secret import Secret


class Access(StrEnum):
    """What a door asks for. Each includes the one before."""

    PUBLIC = "public"
    VIEWER = "viewer"
    OPERATOR = "operator"

    def allows(self, wanted: "Access") -> bool:
        """Whether who has this may go where `wanted` is asked for.

        >>> Access.VIEWER.allows(Access.PUBLIC), Access.VIEWER.allows(Access.OPERATOR)
        (True, False)
        """
        order = list(Access)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who logs in with a password. `password` is an Argon2 hash as `probe user hash` prints it."""

    name: str
    password: Secret
    role: Access = Access.VIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A program that asks with `Authorization: Bearer …`."""

    name: str
    secret: Secret
    role: Access = Access.VIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """An identity provider to log in at. `claim` is the claim whose values (`groups`, `email`) are looked up in the two lists."""

    issuer: str
    client_id: str
    client_secret: Secret
    claim: str = "email"
    viewers: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The pages. `url` is how people reach them (`https://ops.example/probe`), with the prefix of a reverse proxy; `None`: as they listen.

    `trace_url` is another origin that leads here, where the trace viewer is isolated. `proxies` are networks whose
    `X-Forwarded-For` is believed. A session ends after `session`, or after `idle` without a request.
    """

    url: str | None = None
    trace_url: str | None = None
    proxies: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()
    oidc: Oidc | None = None
    session: timedelta = timedelta(days=7)
    idle: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whoever asks: their name, what they may do, and how they came in (`password`, `oidc`, `link`, `token`)."""

    name: str
    access: Access
    by: str
