"""A post-mortem, begun: what it says, and that nothing of a hostile shop is more than text in it."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from probe.core.run import Run
from probe.errors import StoreUnavailable
from probe.view.documents import IncidentDocument
from probe.view.evidence import LocalEvidence
from probe.view.incident import incident
from probe.view.markdown import code, markdown
from probe.view.report import incident_report, picture_path, pictures_of, timeline_markdown
from tests.view import outage

GOLDEN = Path(__file__).parent / "data" / "report.md"
HEADINGS = [
    "Summary",
    "Impact",
    "Likely cause",
    "The run that shows it",
    "What changed since the last good run",
    "Timeline",
    "What went well",
    "What went wrong",
    "Actions",
]
PICTURES = {
    picture_path("checkout-eu-0", "screenshot.png"): outage.PNG,
    picture_path("checkout-eu-0", "reference.jpg"): outage.JPEG,
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> IncidentDocument:
    """The hostile outage, with a cause and a budget that nobody tunes."""
    folder = tmp_path_factory.mktemp("outage")
    outage.fill(folder)
    with outage.looking(folder) as sources:
        found = incident(sources, outage.ID)
        assert found is not None
        pictures = pictures_of(sources, found, restricted=False)
    assert pictures == PICTURES
    found["cause_words"] = {
        "layer": "http",
        "words": f"a deploy {outage.MARKUP}",
        "confidence": "likely",
        "evidence_for": [f"the build changed {outage.MARKUP}"],
        "evidence_against": [f"- {outage.MARKUP}"],
        "look_at": [f"1. {outage.MARKUP}"],
    }
    found["incident"]["title"] = f"DOWN: shop.example {outage.MARKUP}"
    found["budgets"][0]["words"] = f"half of it | {outage.MARKUP}"
    return found


def test_it_is_as_it_was_agreed(document: IncidentDocument) -> None:
    """The whole draft, as a writer gets it. Where it is meant to change, the file is written anew, and read."""
    assert incident_report(document, "md", {}) == GOLDEN.read_text()


def test_markdown_has_our_markup_and_no_other(document: IncidentDocument) -> None:
    """Parsed as an editor does: no link, no image but ours, no HTML, no code but the command, tables of their own width."""
    tokens = (
        MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(incident_report(document, "md", PICTURES))
    )
    inside = [child for token in tokens if token.children for child in token.children]
    assert {token.type for token in [*tokens, *inside]} & {
        "html_block",
        "html_inline",
        "fence",
        "code_block",
        "hr",
    } == set()
    assert {child.type for child in inside} <= {"text", "softbreak", "image", "code_inline"}
    assert [child.attrs["src"] for child in inside if child.type == "image"] == list(PICTURES)
    assert [child.content for child in inside if child.type == "code_inline"] == ["probe check checkout --once"]
    headings = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[1:] == HEADINGS
    widths = set()
    for number, token in enumerate(tokens):
        if token.type == "tr_open":
            row = tokens[number : next(n for n in range(number, len(tokens)) if tokens[n].type == "tr_close")]
            widths.add(sum(t.type in ("td_open", "th_open") for t in row))
    assert widths == {3, 5}
    shown = "".join(child.content for child in inside)
    assert "<script>alert(1)</script>" in shown, "it reads as it was written"
    assert "\u202e" not in shown


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_stands_alone_and_holds_text_only(document: IncidentDocument) -> None:
    """No script, no address but those of its own pictures, a policy that allows no more; hostile text is text."""
    html = incident_report(document, "html", {**PICTURES, "evidence/other/x.png": outage.PNG})
    page = Tags()
    page.feed(html)
    names = {tag for tag, _ in page.tags}
    assert names & {"script", "a", "link", "iframe", "object", "form", "input", "base", "svg", "i"} == set()
    assert {name for _, attributes in page.tags for name in attributes} <= {
        "lang", "charset", "http-equiv", "content", "name", "scope", "class", "src", "alt",
    }  # fmt: skip
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert sources == [
        f"data:image/png;base64,{base64.b64encode(outage.PNG).decode()}",
        f"data:image/jpeg;base64,{base64.b64encode(outage.JPEG).decode()}",
    ]
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert [name for name in HEADINGS if name not in page.text] == []
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in html
    assert outage.leaks(html.encode()) == []


def test_a_picture_that_is_none_is_not_shown(document: IncidentDocument) -> None:
    """An agent of a fleet may have sent anything under its name."""
    html = incident_report(document, "html", dict.fromkeys(PICTURES, b"<svg onload=alert(1)>"))
    assert "<img" not in html
    assert "svg" not in html


def test_pictures_with_a_secret_or_for_operators_alone_are_left_out(tmp_path: Path) -> None:
    outage.fill(tmp_path)
    picture = tmp_path / "evidence/checkout/checkout-eu-0/screenshot.png"
    picture.write_bytes(outage.PNG + outage.CANARY.encode())
    with outage.looking(tmp_path, restricted=frozenset({"checkout"})) as sources:
        found = incident(sources, outage.ID)
        assert found is not None
        assert pictures_of(sources, found, restricted=False) == {}
        assert list(pictures_of(sources, found, restricted=True)) == [picture_path("checkout-eu-0", "reference.jpg")]


def test_pictures_that_cannot_be_had_now_hold_nothing_up(tmp_path: Path) -> None:
    outage.fill(tmp_path)

    class Away(LocalEvidence):
        def read(self, run: Run, name: str) -> bytes | None:
            raise StoreUnavailable("the bucket is away")

    with outage.looking(tmp_path, evidence=Away(tmp_path / "evidence")) as sources:
        found = incident(sources, outage.ID)
        assert found is not None
        assert pictures_of(sources, found, restricted=True) == {}


def test_it_says_how_long_it_took_until_it_was_known(document: IncidentDocument) -> None:
    shown = incident_report(document, "md", {})
    assert "- Detected: after 1m\n- Told: after 1m6s\n- Taken on: after 2m, by ada" in shown
    nothing: Any = {**document, "timeline": [], "first_run": None, "checks": [], "budgets": []}
    shown = incident_report(nothing, "md", {})
    assert "- Detected: not known\n- Told: nobody was told\n- Taken on: by nobody" in shown
    assert "The run that shows it" not in shown
    assert incident_report(nothing, "html", {}).count("<img") == 0


def test_a_run_without_anything_to_compare_says_so(document: IncidentDocument) -> None:
    first = document["first_run"]
    assert first is not None
    assert first["compared"] is not None
    alone: Any = {**document, "first_run": {**first, "compared": None}}
    same: Any = {**document, "first_run": {**first, "compared": {**first["compared"], "differences": []}}}
    shown = [(incident_report(alone, way, {}), incident_report(same, way, {})) for way in ("md", "html")]
    for without, unchanged in shown:
        assert "There is no good run that it could be compared with." in without
        assert "Nothing that tells a cause, compared with run" in unchanged


def test_the_timeline_alone_is_a_table(document: IncidentDocument) -> None:
    shown = timeline_markdown(document)
    assert shown.startswith("# Timeline of ")
    assert len(re.findall(r"^\| 2026-11-23 0", shown, re.MULTILINE)) == len(document["timeline"])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("www.evil.example", "www\\.evil.example"),
        ("HTTPS://evil.example", "HTTPS\\://evil.example"),
        ("mailto:a@evil.example", "mailto\\:a\\@evil.example"),
        ("http: 500", "http: 500"),
        ("- a", "\\- a"),
        ("12. a", "12\\. a"),
        ("99.9 %", "99.9 %"),
        ("a | b\n# c", "a \\| b \\# c"),
        ("\\*", "\\\\\\*"),
        ("&lt;", "&amp;lt;"),
        ("x" * 700, "x" * 599 + "…"),
        (None, ""),
    ],
)
def test_a_text_in_markdown(text: str | None, escaped: str) -> None:
    assert markdown(text) == escaped


def test_a_command_is_code_unless_it_is_odd() -> None:
    assert code("probe check 'a b' --once") == "`probe check 'a b' --once`"
    assert code("x `y` <z>") == "x \\`y\\` &lt;z&gt;"
