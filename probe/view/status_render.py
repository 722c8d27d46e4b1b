"""The status page as HTML, as an Atom feed (RFC 4287), and as badges: pure functions of its document."""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from markupsafe import Markup, escape

from probe.core.people import Standing
from probe.core.uptime import DEGRADED, DOWN, MAINTENANCE, OK, UNKNOWN, WORDS
from probe.view.documents import Day, PublicComponent, PublicNotice, StatusDocument
from probe.view.texts import pages

HERE: Final = Path(__file__).parent
SIGNS: Final = {OK: "●", DEGRADED: "▲", DOWN: "■", MAINTENANCE: "◆", UNKNOWN: "○"}
"""A shape for each state, for whoever does not tell colours apart."""
HEIGHTS: Final = {OK: 20, DEGRADED: 30, DOWN: 40, UNKNOWN: 3}
"""How high the bar of a day is, of 40: trouble stands out."""
HEADLINES: Final = {
    OK: "All parts are operational",
    DEGRADED: "Some parts are degraded",
    DOWN: "There is an outage",
    MAINTENANCE: "Maintenance is under way",
    UNKNOWN: "Not everything is known at the moment",
}
STANDINGS: Final = {
    Standing.INVESTIGATING.value: "Investigating",
    Standing.IDENTIFIED.value: "Identified",
    Standing.MONITORING.value: "Monitoring",
    Standing.RESOLVED.value: "Resolved",
    Standing.SCHEDULED.value: "Planned",
    Standing.IN_PROGRESS.value: "In progress",
    Standing.COMPLETED.value: "Completed",
}
COLOURS: Final = {OK: "#1a7f43", DEGRADED: "#8a5a00", DOWN: "#b3201f", MAINTENANCE: "#1f5fae", UNKNOWN: "#616a75"}
"""Of badges, under white text: each has a contrast of at least 4.5."""
_CSS: Final = (HERE / "static" / "status.css").read_bytes()
_TEMPLATES: Final = {path.name: path.read_text("utf-8") for path in (HERE / "templates").glob("status*.html")}
"""Read at once: a page is also made where nothing may wait for the disk."""
_ATOM: Final = "http://www.w3.org/2005/Atom"
_UNWRITABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document can hold."""


def status_files(document: StatusDocument, *, base: str, report: str | None, url: str | None) -> dict[str, bytes]:
    """All that the page consists of but its style, by name: `index.html` is the page itself.

    `base` and `report` are as for `status_html`, `url` as for `status_atom`.
    """
    files = {
        "feed.atom": status_atom(document, url),
        "status.json": status_json(document).encode("utf-8", "replace"),
        "badge.svg": badge_svg(document["title"], document["state"]).encode("utf-8", "replace"),
    }
    for part in document["components"]:
        files[f"badge/{part['slug']}.svg"] = badge_svg(part["name"], part["state"]).encode("utf-8", "replace")
    return {**files, "index.html": status_html(document, base=base, report=report).encode("utf-8", "replace")}


def status_html(document: StatusDocument, *, base: str, report: str | None) -> str:
    """The page. `base` is what addresses of its files begin with; `report` is where visitors report to, if they may."""
    # Nothing is known of any part, since the same moment: it is we who are in trouble.
    ages = {part["since"] if part["state"] == UNKNOWN else None for part in document["components"]}
    names = {part["slug"]: part["name"] for part in document["components"]}
    return (
        pages()
        .get_template("status.html")
        .render(
            doc=document,
            base=base,
            report=report if document["reports"] else None,
            gone=next(iter(ages)) if len(ages) == 1 else None,
            headline=HEADLINES[document["state"]],
            days=max((len(part["days"]) for part in document["components"]), default=0),
            words=WORDS,
            signs=SIGNS,
            heights=HEIGHTS,
            moment=moment,
            percent=percent,
            of_day=of_day,
            troubled=_troubled,
            alternative=_alternative,
            told=partial(_told, names=names),
        )
    )


def word_html(*, title: str, heading: str, text: str, base: str, back: str | None) -> str:
    """A page of a few words: thanks, or what cannot be done."""
    template = pages().get_template("status_word.html")
    return template.render(title=title, heading=heading, text=text, base=base, back=back)


def status_json(document: StatusDocument) -> str:
    """The document itself."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def status_css() -> bytes:
    """What the page looks like."""
    return _CSS


def status_atom(document: StatusDocument, url: str | None) -> bytes:
    """The notices as a feed, last said first. `url` is where the page is published; `None`: nobody knows that."""
    names = {part["slug"]: part["name"] for part in document["components"]}
    notices = sorted([*document["notices"], *document["past"]], key=lambda n: (_last(n), n["id"]), reverse=True)
    feed = ET.Element("feed", xmlns=_ATOM)
    _add(feed, "title", document["title"])
    _add(feed, "id", _id(url, document["title"]))
    _add(feed, "updated", _last(notices[0]) if notices else f"{document['now'][:10]}T00:00:00Z")
    _add(_add(feed, "author"), "name", document["title"])
    if url is not None:
        _add(feed, "link", rel="alternate", type="text/html", href=url)
        _add(feed, "link", rel="self", type="application/atom+xml", href=f"{url}/feed.atom")
    for notice in notices:
        entry = _add(feed, "entry")
        first = notice["updates"][0]["at"]
        _add(entry, "title", f"{STANDINGS[notice['standing']]}: {notice['title']}")
        _add(entry, "id", _id(url, f"{notice['id']} {first}", f"#notice-{notice['id']}"))
        _add(entry, "published", first)
        _add(entry, "updated", _last(notice))
        if url is not None:
            _add(entry, "link", rel="alternate", type="text/html", href=f"{url}#notice-{notice['id']}")
        for slug in notice["components"]:
            _add(entry, "category", term=slug, label=names.get(slug, slug))
        _add(entry, "content", _content(notice), type="html")
    text = ET.tostring(feed, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def badge_svg(name: str, state: str) -> str:
    """A badge: the name of a part (or of the whole), and its state in words and colour."""
    left, right = writable(name), WORDS[state]
    width, word = 12 + 7 * min(len(left), 40), 12 + 7 * len(right)
    shown = left if len(left) <= 40 else f"{left[:39]}…"
    said = escape(f"{left}: {right}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + word}" height="20" role="img" aria-label="{said}">'
        f"<title>{said}</title>"
        f'<rect width="{width + word}" height="20" rx="3" fill="#30363d"/>'
        f'<path d="M{width} 0h{word - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H{width}z" fill="{COLOURS[state]}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{width / 2:g}" y="14" textLength="{width - 10}" lengthAdjust="spacingAndGlyphs">{escape(shown)}</text>'
        f'<text x="{width + word / 2:g}" y="14" textLength="{word - 10}" lengthAdjust="spacingAndGlyphs">{right}</text>'
        "</g></svg>\n"
    )


def percent(share: float) -> str:
    """A share, never rounded up: what was not perfect does not look so.

    >>> percent(0.99999), percent(1.0), percent(0.5)
    ('99.99 %', '100 %', '50 %')
    """
    hundredths = int(share * 10_000 + 1e-9)
    return f"{hundredths / 100:g} %" if hundredths % 100 else f"{hundredths // 100} %"


def moment(text: str) -> Markup:
    """A moment for people and for programs, to the minute."""
    at = datetime.fromisoformat(text)
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{at:%Y-%m-%dT%H:%MZ}", f"{at:%Y-%m-%d %H:%M}")


def of_day(day: Day) -> str:
    """A day in words."""
    share = "" if day["uptime"] is None else f", {percent(day['uptime'])} good"
    return f"{day['day']}: {WORDS[day['state']].lower()}{share}"


def writable(text: str) -> str:
    """A text without what XML cannot hold."""
    return _UNWRITABLE.sub("\ufffd", text)


def _told(notice: PublicNotice, names: Mapping[str, str]) -> Markup:
    parts = [names[slug] for slug in notice["components"]]
    template = pages().get_template("status_notice.html")
    return Markup(template.render(notice=notice, parts=parts, moment=moment, standings=STANDINGS))  # noqa: S704  # escaped by the template


def _troubled(part: PublicComponent) -> list[Day]:
    return [day for day in reversed(part["days"]) if day["state"] in (DEGRADED, DOWN)]


def _alternative(part: PublicComponent) -> str:
    """The bars in words."""
    states = [day["state"] for day in part["days"]]
    counts = ", ".join(f"{states.count(state)} {WORDS[state].lower()}" for state in HEIGHTS if state in states)
    return f"{part['name']}, the last {len(states)} days: {counts}"


def _last(notice: PublicNotice) -> str:
    return notice["updates"][-1]["at"]


def _content(notice: PublicNotice) -> str:
    parts = (
        Markup("<p><strong>{}</strong>, {}</p><p>{}</p>").format(
            STANDINGS[update["standing"]], moment(update["at"]), Markup("<br>").join(update["text"].splitlines())
        )
        for update in reversed(notice["updates"])
    )
    return str(Markup("").join(parts))


def _id(url: str | None, name: str, fragment: str = "") -> str:
    """An id that stays: an address, or a number made of what does not change."""
    if url is not None:
        return f"{url}{fragment}"
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'probe:{writable(name)}')}"


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, {key: writable(value) for key, value in attributes.items()})
    child.text = writable(text) or None
    return child
