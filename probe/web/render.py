"""Pages from templates: escaped, under a strict policy, with what every page needs to know."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import jinja2
from aiohttp import web
from markupsafe import Markup

from probe import __version__
from probe.core.access import Access, Identity
from probe.view.documents import Cell
from probe.web import words
from probe.web.assets import ASSETS, TEMPLATES
from probe.web.cells import cell_html, drawing
from probe.web.desk import CSRF, DESK, IDENTITY, only_probes, prefix

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
"""What a page may do: nothing inline, nothing from elsewhere."""
COMPRESSED: Final = 4096
"""Bytes from which a page is worth compressing."""
ASIDE: Final = 32 * 1024
"""Bytes from which compressing is done in a thread."""
_VIEWERS: Final = (
    ("/", "Overview"),
    ("/incidents", "Incidents"),
    ("/runs", "Runs"),
    ("/objectives", "Objectives"),
)
_OPERATORS: Final = (("/notices", "Notices"), ("/audit", "Audit"))


def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page. Every template knows `prefix`, `identity`, `csrf`, `now` and `here` besides what is given.

    Large ones are better rendered in a thread (`asyncio.to_thread(page, ...)`): nothing here waits for the loop.
    """
    identity = request.get(IDENTITY)
    front = prefix(request)
    here = request.path.removeprefix(front) or "/"
    text = render(
        template,
        identity=identity,
        csrf=request.get(CSRF, ""),
        prefix=front,
        here=here,
        only_probes=identity is not None and only_probes(request.app[DESK]),
        navigation=_VIEWERS + (_OPERATORS if _operates(identity) else ()),
        **{"now": datetime.now(UTC), "status": status, **values},
    )
    answer = web.Response(text=text, status=status, content_type="text/html", zlib_executor_size=ASIDE)
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["Cache-Control"] = "no-store"
    if len(text) > COMPRESSED:
        answer.enable_compression()
    return answer


def render(template: str, **values: Any) -> str:
    """The text of a template or a part of one. `now` is needed: `None` writes ages as clock times."""
    now = values["now"]
    values["now"] = words.instant(now) if isinstance(now, str) else now
    return _ENVIRONMENT.get_template(template).render(**values)


def _operates(identity: Identity | None) -> bool:
    return identity is not None and identity.access.allows(Access.OPERATOR)


@jinja2.pass_context
def _ago(context: jinja2.runtime.Context, value: datetime | str | None, after: str = " ago") -> str:
    return words.ago(value, context["now"], after)


@jinja2.pass_context
def _static(context: jinja2.runtime.Context, name: str) -> str:
    """The address of a file of ours, with the version of its content."""
    return f"{context['prefix']}/static/{name}?v={ASSETS[name].version}"


@jinja2.pass_context
def _link(context: jinja2.runtime.Context, *parts: str, **query: object) -> str:
    """An address below our prefix: `link("runs", id)`, `link("runs", check=…, region=…)`. What is `None` or empty is left out."""
    path = "/".join(quote(str(part), safe="") for part in parts)
    return address(context["prefix"], path, query)


def _key(letter: str, word: str) -> Markup:
    """A sample of bars with the word for it."""
    return Markup("{}{}").format(drawing(letter * 3, "454"), word)


def _bars(cell: Cell) -> Markup:
    """The last runs of a cell as bars."""
    return drawing(cell["bars"], cell["heights"])


def address(front: str, path: str, query: Mapping[str, object]) -> str:
    """A path below a prefix with those parameters that say something. `from_` is written `from`."""
    said = [(name.rstrip("_"), str(value)) for name, value in query.items() if value not in (None, "")]
    return f"{front}/{path}" + ("?" + urlencode(said, safe=":") if said else "")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(dict(TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "ago": _ago,
        "age": words.age,
        "cell": lambda cell, large, ages=True: cell_html(cell, large=large, ages=ages),
        "clock": words.clock,
        "day": words.day,
        "duration": words.duration,
        "moment": words.moment,
        "percent": words.percent,
        "plural": words.plural,
        "promise": words.promise,
        "rfc3339": words.rfc3339,
        "spoken": words.spoken,
    }
    environment.globals |= {
        "static": _static,
        "link": _link,
        "version": __version__,
        "key": _key,
        "only_probes": False,
        "bars": _bars,
    }
    return environment


_ENVIRONMENT: Final = _environment()
