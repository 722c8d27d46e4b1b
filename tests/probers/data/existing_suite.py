"""An existing pytest-playwright file, as its owner wrote it."""

import time

import pytest
from playwright.sync_api import Page, expect


def test_passes(page: Page, base_url: str):
    page.goto("/ok")
    expect(page.get_by_role("heading")).to_have_text("ok")
    assert "probe/0.1.0" in page.evaluate("navigator.userAgent")


def test_fails(page: Page):
    page.goto("/ok")
    expect(page.get_by_role("heading")).to_have_text("Your cart")


def test_asserts(page: Page):
    page.goto("/ok")
    assert page.title() == "other", "wrong title"


def test_bug(page: Page):
    {}["nothing"]


def test_refused(page: Page):
    page.goto("http://127.0.0.1:9/" if False else "http://localhost:4/")


def test_sleeps(page: Page):
    time.sleep(60)


def test_spins(page: Page):
    page.goto("/ok")
    page.evaluate("() => { while (true) {} }")


@pytest.mark.skip(reason="not today")
def test_skipped(page: Page):
    pass
