"""The status page as it is configured: what customers know the shop's parts by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of the shop in customers' words, and the checks that say how it is. `slug` is its name in addresses."""

    slug: str
    name: str
    checks: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The public page: there is none without components. `reports`: visitors may say that they have a problem, too."""

    title: str = "Status"
    components: tuple[Component, ...] = ()
    url: str | None = None
    reports: bool = True
