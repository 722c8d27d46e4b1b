"""A post-mortem, begun: what was recorded of an incident, laid out for those who have to write one.

Markdown for an editor, or one HTML file with its pictures, without a script and without an address of another host.
"""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Literal

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from probe.core.duration import format_duration
from probe.errors import StoreUnavailable
from probe.view.documents import IncidentDocument, Line
from probe.view.evidence import PICTURES
from probe.view.markdown import code, markdown, one_line, visible
from probe.view.sources import Sources
from probe.view.texts import TEMPLATES

POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""The `Content-Security-Policy` under which the HTML report is to be served: it needs nothing else."""
LARGEST: Final = 8 * 2**20
"""Bytes of a picture at most."""
CAPTIONS: Final = {"screenshot": "The page as the step failed", "reference": "The same step in the last good run"}
WRITERS: Final = ("What went well", "What went wrong", "Actions")
"""Headings that are left to those who were there."""
_SIGNS: Final = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def incident_report(document: IncidentDocument, format: Literal["md", "html"], pictures: Mapping[str, bytes]) -> str:
    """The draft. `pictures` are those of `document["first_run"]`, by `picture_path`; others are not shown."""
    first = document["first_run"]
    shown = []
    for row in [] if first is None else first["evidence"]:
        path = "" if first is None else picture_path(first["run"]["id"], row["name"])
        body = pictures.get(path)
        if body is not None and row["kind"] in PICTURES and (kind := picture_type(body)) is not None:
            data = f"data:{kind};base64,{base64.b64encode(body).decode()}"
            # Both are of letters, digits and a few signs.
            safe, data = Markup(path), Markup(data)  # noqa: S704  # nothing in them is to be escaped
            shown.append({"path": safe, "caption": CAPTIONS[row["kind"]], "data": data})
    return (
        _environment(format)
        .get_template(f"incident_report.{format}")
        .render(
            doc=document,
            incident=document["incident"],
            first=first,
            told=_told(document),
            pictures=shown,
            writers=WRITERS,
            policy=POLICY.removesuffix("; sandbox"),
        )
    )


def timeline_markdown(document: IncidentDocument) -> str:
    """The timeline alone, as a table in Markdown."""
    head = f"# Timeline of {markdown(document['incident']['title'])}\n\n"
    return head + _environment("md").get_template("incident_timeline.md").render(doc=document)


def pictures_of(sources: Sources, document: IncidentDocument, *, restricted: bool) -> dict[str, bytes]:
    """The pictures for a report, by `picture_path`. `restricted`: also those that are for operators alone."""
    first = document["first_run"]
    run = None if first is None else sources.reader.run(first["run"]["id"])
    found: dict[str, bytes] = {}
    for row in [] if first is None or run is None else first["evidence"]:
        if row["kind"] in PICTURES and row["available"] and (restricted or not row["restricted"]):
            assert run is not None  # there would be no rows
            try:
                body = sources.evidence.read(run, row["name"])
            except StoreUnavailable:  # the words are worth having without it
                continue
            if body is not None and len(body) <= LARGEST and sources.redactor.data(body) == body:
                found[picture_path(run.id, row["name"])] = body
    return found


def picture_path(run: str, name: str) -> str:
    """The path of a file of evidence in a bundle.

    >>> picture_path("0193-ab", "../screen shot.png")
    'evidence/0193-ab/_screen_shot.png'
    """
    return f"evidence/{safe_name(run)}/{safe_name(name)}"


def safe_name(name: str) -> str:
    r"""A name as it can be that of a file anywhere.

    >>> safe_name("..\con: x.png"), safe_name("...")
    ('_con__x.png', '_')
    """
    kept = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-._") else "_" for sign in name)
    return kept.lstrip(".")[:120] or "_"


def picture_type(body: bytes) -> str | None:
    """The content type of a picture, by what it begins with; `None`: it is none that we make."""
    return next((kind for sign, kind in _SIGNS.items() if body.startswith(sign)), None)


def _told(document: IncidentDocument) -> dict[str, str | None]:
    """How long it took until it was known: from the first bad run, in words; `None`: it did not happen."""
    since = document["incident"]["since"]
    found = {}
    for name, what in (("detected", "opened"), ("told", "told"), ("acknowledged", "acknowledged")):
        line = next((line for line in document["timeline"] if line["what"] == what and _counts(line)), None)
        found[name] = None if line is None else _lasted((_at(line["at"]) - _at(since)).total_seconds())
    return found


def _counts(line: Line) -> bool:
    return line["what"] != "told" or line["fate"] == "sent"


@cache
def _environment(format: Literal["md", "html"]) -> Environment:
    """HTML escapes whatever is shown, and so does Markdown, in its own way."""
    html = format == "html"
    made = Environment(
        loader=DictLoader(dict(TEMPLATES)),
        autoescape=html,  # noqa: S701  # where it is off, `finalize` escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown if html else markdown,
    )
    made.filters |= {"moment": _moment, "lasted": _lasted, "percent": _percent, "code": code, "line": one_line}
    return made


def _shown(value: Any) -> Any:
    return "" if value is None else visible(value) if type(value) is str else value


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(text: str) -> str:
    return f"{_at(text):%Y-%m-%d %H:%M:%S}"


def _lasted(seconds: float) -> str:
    return format_duration(timedelta(seconds=max(1, round(seconds))))


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share * 100:.5g} %"
