"""`[status_page]` → what customers know the shop's parts by. Whether its checks exist is known when all are loaded: `probe.config.rules`."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from probe.config.fields import VALUE, Flag, OneOrMore, Text, wrong
from probe.config.findings import Findings
from probe.config.service_fields import HttpUrl
from probe.config.table import Table
from probe.core.status_page import Component, StatusPage

LONGEST: Final = 60
"""Characters of a slug."""


def _slug(value: str) -> str:
    if not re.fullmatch(rf"(?=.{{1,{LONGEST}}}$)[a-z0-9]+(-[a-z0-9]+)*", value):
        wrong(f"{VALUE} cannot be part of an address", 'use small letters, digits and single hyphens: "check-out"')
    return value


class ComponentTable(Table):
    """`[[status_page.component]]`."""

    name: Text
    checks: Annotated[tuple[str, ...], OneOrMore]
    description: str = ""
    slug: Annotated[str, AfterValidator(_slug)] | None = None


class StatusPageTable(Table):
    """`[status_page]`."""

    examples: ClassVar[dict[str, str]] = {"name": 'name = "Paying"', "checks": 'checks = ["checkout"]'}

    title: Text = "Status"
    url: HttpUrl | None = None
    reports: Flag = True
    component: tuple[ComponentTable, ...] = Field(default=())


def status_page(table: StatusPageTable, findings: Findings) -> StatusPage:
    """The public page. Each component is found by an address of its own."""
    components = tuple(_components(table, findings))
    return StatusPage(
        title=table.title,
        components=components,
        url=None if table.url is None else table.url.rstrip("/"),
        reports=table.reports,
    )


def _components(table: StatusPageTable, findings: Findings) -> Iterator[Component]:
    taken: dict[str, str] = {}
    for index, part in enumerate(table.component):
        path = ("status_page", "component", index)
        slug = part.slug or slug_of(part.name)
        if not slug:
            findings.error(
                (*path, "name"),
                f"no address can be made of {findings.show((*path, 'name'), part.name)}",
                'say slug = "check-out", for example, in it',
            )
        elif slug in taken:
            findings.error(
                (*path, "slug" if part.slug else "name"),
                f"{findings.show((*path, 'name'), part.name)} and {taken[slug]!r} have the same address, {slug!r}",
                "give one of them another slug",
            )
        taken.setdefault(slug, part.name)
        if not part.checks:
            findings.error((*path, "checks"), "no check says how it is", 'name some: checks = ["checkout"]')
        yield Component(slug=slug, name=part.name, checks=part.checks, description=part.description)


def slug_of(name: str) -> str:
    """A name as a part of an address; `""` where nothing of it can be.

    >>> slug_of("Bezahlen & Größe wählen")
    'bezahlen-grosse-wahlen'
    """
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-")
