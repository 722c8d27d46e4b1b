"""Cells of the grid: what they show, that they are small, and that nothing in them is markup of a target."""

import re
from typing import Any

from probe.view.documents import Overview
from probe.web.cells import cell_html, drawing, is_large
from probe.web.glance import glance, order, parts
from probe.web.render import render
from tests.web.pages import samples

LARGEST = 300_000
"""Bytes of a page at most."""


def whole(overview: Overview) -> str:
    values: dict[str, Any] = {"identity": None, "csrf": "", "prefix": "", "here": "/", "navigation": (), "status": 200}
    return render("overview.html", **values, **glance(overview))


def test_each_outcome_has_a_shape_of_its_own() -> None:
    shapes = {letter: re.findall(r' d="([^"]*)"', drawing(letter, "4")) for letter in "pfem"}
    assert len({tuple(shape) for shape in shapes.values()}) == 4
    assert drawing("a", "4").replace("b-a", "b-m") == drawing("m", "4")


def test_a_failed_cell_leads_to_its_run_and_says_why() -> None:
    html = cell_html(samples.cell("berlin", bars="ppf", state="failed", age=14))
    assert 'class="c-failed"' in html
    assert 'href="./runs/' in html
    assert "Pay by card: POST /api/orders answered 502" in html
    assert ">failed</span>" in html
    assert "<b>14 s</b>" in html


def test_a_check_that_does_not_run_there_is_a_dash() -> None:
    assert cell_html(None) == "<td class=none>–"


def test_what_went_wrong_is_text() -> None:
    cell = samples.cell("berlin", bars="f", state="failed")
    cell["failing"] = samples.failing() | {"message": samples.NASTY}
    html = cell_html(cell)
    assert "<script" not in html
    assert "<img" not in html
    assert html.count('title="') == 1


def test_a_good_cell_of_a_large_grid_is_small_and_says_its_age() -> None:
    small = cell_html(samples.cell("berlin", age=7), large=True)
    assert len(small.encode()) < 90
    assert small.endswith(">7 s")
    assert len(small.split("data-b=")[1].split(">")[0]) == 8
    assert "<svg" in cell_html(samples.cell("berlin", bars="ppppfppp", state="passed"), large=True)


def test_without_ages_the_text_changes_only_when_something_does() -> None:
    early, late = samples.cell("berlin", age=7), samples.cell("berlin", age=7) | {"age": 60.0}
    assert cell_html(early, ages=False) == cell_html(late, ages=False)


def test_five_hundred_checks_in_five_regions_are_a_page_below_300_kb() -> None:
    overview = samples.large_overview()
    assert is_large(overview)
    assert not is_large(samples.overview())
    html = whole(overview)
    assert html.count("<tr data-e") == 500
    assert html.count("<td") >= 2500
    assert len(html.encode()) < LARGEST


def test_what_is_broken_comes_first_and_who_has_it() -> None:
    html = whole(samples.overview())
    places = [
        html.index(text)
        for text in ("2 open incidents", "nobody yet", "Maria Lindqvist", 'id="grid"', "Objectives</h2>")
    ]
    assert places == sorted(places)


def test_a_good_day_says_so_and_a_daemon_that_is_away_does_not() -> None:
    assert "Nothing is broken" in whole(samples.quiet_overview())
    away = samples.quiet_overview()
    away["health"]["daemon"] = None
    assert "Nothing is broken" not in whole(away)
    assert "Nobody watches now" in whole(away)


def test_pieces_do_not_change_while_only_time_passes() -> None:
    early, late = samples.overview(), samples.overview()
    late["now"] = samples.at(-60)
    late["incidents"][0]["lasted"] += 60
    assert parts(early) == parts(late)
    late["incidents"][0]["acknowledged"] = late["now"]
    assert {name for name, html in parts(late).items() if html != parts(early)[name]} == {"incidents"}


def test_order_is_that_of_the_document() -> None:
    assert order(samples.overview())[0] == ("shop", ["buy", "search", "login", "front-page", "gift-card"])
