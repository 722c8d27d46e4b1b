"""`[status_page]`: parts in customers' words, addresses made of them, and what is wrong with it."""

from pathlib import Path

import pytest

from probe.config.load import read_config
from probe.config.publish import for_everyone, for_region
from probe.config.rules import rules_of
from probe.config.status_page import slug_of
from probe.core.status_page import Component, StatusPage
from tests.config.conftest import Load

BASE = '[targets.shop]\nurl = "https://shop.example"\n[[check]]\nname = "home"\n[[check]]\nname = "pay"\n'
PAGE = """
[status_page]
title = "Status of the shop"
url = "https://status.example/"
reports = false
[[status_page.component]]
name = "Bezahlen & Größe"
checks = "pay"
description = "Cards"
[[status_page.component]]
name = "Everything else"
checks = ["home", "pay"]
slug = "rest"
"""


def test_all_of_it(load: Load) -> None:
    assert load(BASE + PAGE).status_page == StatusPage(
        title="Status of the shop",
        url="https://status.example",
        reports=False,
        components=(
            Component(slug="bezahlen-grosse", name="Bezahlen & Größe", checks=("pay",), description="Cards"),
            Component(slug="rest", name="Everything else", checks=("home", "pay")),
        ),
    )
    assert load(BASE).status_page == StatusPage()


@pytest.mark.parametrize(
    ("part", "key", "said"),
    [
        ('name = "Pay"', "status_page.component[0].checks", 'is missing; such as checks = ["checkout"]'),
        ('checks = ["pay"]', "status_page.component[0].name", 'is missing; such as name = "Paying"'),
        ('name = "Pay"\nchecks = []', "status_page.component[0].checks", "no check says how it is"),
        ('name = "支払い"\nchecks = ["pay"]', "status_page.component[0].name", "no address can be made of '支払い'"),
        (
            'name = "Pay"\nchecks = ["pay"]\nslug = "Pay/1"',
            "status_page.component[0].slug",
            "'Pay/1' cannot be part of an address",
        ),
        (
            'name = "Pay"\nchecks = ["pay"]\nslug = ".."',
            "status_page.component[0].slug",
            "'..' cannot be part of an address",
        ),
        (
            'name = "Pay"\nchecks = ["pay"]\nslogan = "x"',
            "status_page.component[0].slogan",
            "there is no such key; did you mean 'slug'",
        ),
        (
            'name = "Pay"\nchecks = ["pay"]\n[[status_page.component]]\nname = "PAY!"\nchecks = ["home"]',
            "status_page.component[1].name",
            "'PAY!' and 'Pay' have the same address, 'pay'; give one of them another slug",
        ),
        (
            'name = "Pay"\nchecks = ["pay", "pai"]',
            "status_page.component[0].checks[1]",
            "there is no check 'pai'; did you mean 'pay'?",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, part: str, key: str, said: str) -> None:
    """Each mistake once, with its line."""
    path = tmp_path / "config.toml"
    path.write_text(f"{BASE}[[status_page.component]]\n{part}\n")
    reading = read_config(path, environ={})
    assert reading.config is not None
    found = [*reading.diagnostics, *rules_of(reading.config, reading.config.declared)[1]]
    assert [d.key for d in found] == [key]
    assert f"{found[0].what}; {found[0].hint}".startswith(said)
    assert found[0].line is not None


def test_it_is_published_to_nodes_that_judge_alone(load: Load) -> None:
    """Every judging node of a fleet serves the same page; an agent knows nothing of it."""
    config = load(BASE + PAGE)
    assert for_everyone(config.document, "local")["status_page"] == config.document["status_page"]
    assert "status_page" not in for_region(config.document, "local", config.declared)


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Pay", "pay"), ("  Log in / log out ", "log-in-log-out"), ("Ça", "ca"), ("?", ""), ("x" * 99, "x" * 60)],
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug
