"""The overview in pieces: what a page is made of at first, and what open pages are sent when a piece changes. Pure."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from probe.view.documents import Overview
from probe.web.cells import is_large
from probe.web.render import render

PARTS: Final = ("headline", "incidents", "visitors", "objectives", "health", "recent")
"""The pieces beside the grid: `part-…` in the page, `_overview_….html` among the templates."""


def glance(overview: Overview) -> dict[str, Any]:
    """What the templates of the overview need."""
    return {
        "o": overview,
        "now": overview["now"],
        "large": is_large(overview),
        "layout": layout(overview),
        "counts": Counter(check["verdict"] for target in overview["targets"] for check in target["checks"]),
    }


def layout(overview: Overview) -> str:
    """What the grid consists of, in short: with another one a page must be loaded anew."""
    checks = sorted((target["target"], check["check"]) for target in overview["targets"] for check in target["checks"])
    return hashlib.sha256(repr((overview["regions"], checks)).encode()).hexdigest()[:16]


def parts(overview: Overview) -> Mapping[str, str]:
    """The pieces as HTML that says the same until something happens: ages are left to the browser, addresses are relative."""
    values = glance(overview) | {"now": None, "prefix": ".", "csrf": ""}
    return {name: render(f"_overview_{name}.html", **values) for name in PARTS}


def targets(overview: Overview) -> Mapping[str, str]:
    """The line over the checks of each target."""
    return {t["target"]: render("_overview_target.html", t=t, now=None, prefix=".") for t in overview["targets"]}


def order(overview: Overview) -> list[tuple[str, list[str]]]:
    """Targets and their checks as they stand, the worst first."""
    return [(target["target"], [check["check"] for check in target["checks"]]) for target in overview["targets"]]
