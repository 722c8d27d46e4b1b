"""The public page in its forms: a valid feed, badges that hold anything, bars that can be read aloud."""

import json
import re
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest

from probe.view.documents import Day, PublicComponent, PublicNotice, PublicUpdate, StatusDocument
from probe.view.status_render import badge_svg, percent, status_atom, status_files, status_html, writable

ATOM = "{http://www.w3.org/2005/Atom}"
NASTY = "<script>alert(1)</script> & \"'> ]]> \x00\x1b\ud800 \u202e"
STATES = ("ok", "degraded", "down", "unknown")


def document(**given: Any) -> StatusDocument:
    days = [
        Day(
            day=f"2026-09-{n:02}",
            state=STATES[0 if n < 28 else n % 4],
            uptime=None if n % 4 == 3 and n > 27 else 1 - n / 9000,
        )
        for n in range(1, 31)
    ]
    parts = [
        PublicComponent(
            slug=f"part-{state}",
            name=f"{state} {NASTY}",
            description=NASTY,
            state=state,
            since="2026-09-30T11:00:00Z",
            uptime=0.999949,
            days=days,
        )
        for state in (*STATES, "maintenance")
    ]
    values: Any = {
        "title": f"Shop {NASTY}",
        "now": "2026-09-30T12:34:56Z",
        "state": "down",
        "components": parts,
        "notices": [notice(7, "monitoring", "2026-09-30T10:00:00Z", "2026-09-30T11:30:00Z")],
        "past": [
            notice(
                5,
                "completed",
                "2026-09-01T10:00:00Z",
                "2026-09-02T11:30:00Z",
                kind="maintenance",
                ends="2026-09-02T12:00:00Z",
            )
        ],
        "reports": True,
        **given,
    }
    return cast("StatusDocument", values)


def notice(id: int, standing: str, *at: str, **given: Any) -> PublicNotice:
    updates = [PublicUpdate(at=one, standing=standing, text=f"{NASTY}\nsecond line") for one in at]
    values: Any = {
        "kind": "incident",
        "title": NASTY,
        "components": ["part-down"],
        "begins": at[0],
        "ends": None,
        **given,
    }
    return cast("PublicNotice", {"id": id, "standing": standing, "updates": updates, **values})


def test_the_feed_is_atom() -> None:
    """All that RFC 4287 asks for, newest first, whatever is in the texts; ids and moments do not change by themselves."""
    body = status_atom(document(), "https://status.example")
    feed = ET.fromstring(body)
    assert feed.tag == f"{ATOM}feed"
    assert [feed.findtext(f"{ATOM}{name}") for name in ("id", "updated")] == [
        "https://status.example",
        "2026-09-30T11:30:00Z",
    ]
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == feed.findtext(f"{ATOM}title") == writable(f"Shop {NASTY}")
    links = {(link.get("rel"), link.get("href")) for link in feed.findall(f"{ATOM}link")}
    assert links == {("alternate", "https://status.example"), ("self", "https://status.example/feed.atom")}
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}id") for entry in entries] == [
        "https://status.example#notice-7",
        "https://status.example#notice-5",
    ]
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [
        f"{word}: {writable(NASTY)}" for word in ("Monitoring", "Completed")
    ]
    first = entries[0]
    assert [first.findtext(f"{ATOM}{name}") for name in ("published", "updated")] == [
        "2026-09-30T10:00:00Z",
        "2026-09-30T11:30:00Z",
    ]
    content = first.find(f"{ATOM}content")
    assert content is not None
    assert content.get("type") == "html"
    assert "&lt;script&gt;" in (content.text or "")
    assert "<script" not in (content.text or "")
    assert (content.text or "").index("11:30") < (content.text or "").index("10:00")
    later = document(now="2026-09-30T19:00:00Z", components=[])
    assert [
        e.findtext(f"{ATOM}id")
        for e in ET.fromstring(status_atom(later, "https://status.example")).findall(f"{ATOM}entry")
    ] == [e.findtext(f"{ATOM}id") for e in entries]


def test_a_feed_of_nowhere() -> None:
    """Without an address its ids are numbers of their own, which stay when the title or the words change."""
    before = ET.fromstring(status_atom(document(), None))
    after = ET.fromstring(
        status_atom(document(state="ok", notices=[notice(7, "resolved", "2026-09-30T10:00:00Z")]), None)
    )
    ids = [[entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")] for feed in (before, after)]
    assert ids[0] == ids[1]
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", str(one)) for one in ids[0])
    assert len(set(ids[0])) == 2
    assert before.find(f"{ATOM}link") is None
    empty = ET.fromstring(status_atom(document(notices=[], past=[]), None))
    assert empty.findtext(f"{ATOM}updated") == "2026-09-30T00:00:00Z"


@pytest.mark.parametrize("state", [*STATES, "maintenance"])
def test_badges(state: str) -> None:
    """Well-formed, with the state in words, whatever the name is."""
    for name in ("Pay", NASTY, "x" * 300):
        svg = ET.fromstring(badge_svg(name, state))
        assert svg.get("role") == "img"
        assert str(svg.get("aria-label")).startswith(writable(name))
        assert [child.tag.rpartition("}")[2] for child in svg] == ["title", "rect", "path", "g"]
        assert len(svg.findall(".//{http://www.w3.org/2000/svg}text")) == 2
    assert {"ok": "Operational", "down": "Outage", "unknown": "Unknown"}.get(state, "") in badge_svg("Pay", state)


def test_the_page_escapes_and_can_be_read_aloud() -> None:
    text = status_html(document(), base="status/", report="status/report")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert text.count("<h1>") == 1
    bars = re.findall(r'role="img" aria-label="([^"]*)"', text)
    assert all(
        bar.endswith("the last 30 days: 28 operational, 1 degraded, 1 outage") or "unknown" in bar for bar in bars
    )
    assert len(bars) == 5
    assert text.count("<rect") == text.count("</title></rect>") == 150
    for state, word in (
        ("degraded", "▲</span> Degraded"),
        ("down", "■</span> Outage"),
        ("maintenance", "◆</span> Maintenance"),
    ):
        assert f'state--{state}"><span class="sign" aria-hidden="true">{word}' in text
    assert text.count('<form method="post" action="status/report">') == 5
    assert 'datetime="2026-09-30T12:34Z"' in text
    assert "99.99 % good" in text  # 0.999949


def test_no_reports() -> None:
    """Neither where they are not wanted, nor in files that nobody hears of."""
    assert "<form" not in status_html(document(reports=False), base="", report="report")
    assert "<form" not in status_html(document(), base="", report=None)


def test_when_nothing_is_known_it_says_since_when() -> None:
    """And that it is we who are in trouble, not the shop."""
    parts = [{**part, "state": "unknown", "since": "2026-09-30T12:03:00Z"} for part in document()["components"]]
    gone = status_html(document(components=parts, state="unknown"), base="", report=None)
    assert re.search(r"Nothing is known since <time[^>]*>2026-09-30 12:03 UTC</time>: our monitoring itself", gone)
    assert "Nothing is known since" not in status_html(document(), base="", report=None)


def test_all_files() -> None:
    files = status_files(document(), base="", report=None, url=None)
    assert json.loads(files["status.json"]) == json.loads(json.dumps(document()).replace("\\ud800", "?"))
    assert b'href="feed.atom"' in files["index.html"]
    assert b'href="/' not in files["index.html"]


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100 %"), (0.99999, "99.99 %"), (0.29, "29 %"), (0.9985, "99.85 %"), (0.0, "0 %")]
)
def test_shares_are_not_rounded_up(share: float, text: str) -> None:
    assert percent(share) == text
