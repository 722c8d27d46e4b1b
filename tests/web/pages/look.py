"""Looks at a page as a strict reader would: what is wrong with it, in words."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import axe_core_python  # type: ignore[import-untyped]  # has no types; its folder is all that is asked for
from playwright.async_api import Page

AXE = Path(axe_core_python.__file__).with_name("axe.min.js").read_text("utf-8")
BESIDE = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  const beyond = [...document.querySelectorAll("body *")].filter(e => {
    if (e.closest(".scroll, pre, .hidden, thead, dialog:not([open])")) return false;
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.right > wide + 1;
  });
  return [`${document.documentElement.scrollWidth} of ${wide}`, ...beyond.slice(0, 4).map(e => `${e.parentElement.className} > ${e.tagName.toLowerCase()}.${e.getAttribute("class")}`)];
}"""
SOUND = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.filter(v => ["serious", "critical"].includes(v.impact)).map(v =>
    `axe ${v.id} (${v.impact}): ${v.help}: ` + v.nodes.slice(0, 3).map(n => `${n.target} ${n.failureSummary}`).join(" | "));
}"""


async def inspect(page: Page, url: str, *, accessible: bool = True) -> list[str]:
    """What is wrong with a page in a window as it is (size, theme); empty: nothing.

    Messages on the console, violations of the policy, requests to elsewhere, a page that scrolls sideways, serious findings of axe,
    markup of a target that ran, dialogs, inline styles, not exactly one `h1`. Not `accessible`: axe, which takes longest, is not asked.
    """
    wrong: list[str] = []
    host = urlsplit(url).netloc

    def told(text: str) -> None:
        wrong.append(f"console: {text}")

    page.on("console", lambda message: told(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
    page.on(
        "request",
        lambda request: (
            None
            if urlsplit(request.url).netloc == host or request.url.startswith("data:")
            else wrong.append(f"a request to {request.url}")
        ),
    )
    await page.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
    )
    answer = await page.goto(url, wait_until="load")
    assert answer is not None, "a page was asked for"
    if "default-src 'none'" not in (await answer.header_value("content-security-policy") or ""):
        wrong.append("no strict policy")
    return wrong + await look(page, accessible=accessible)


async def look(page: Page, *, accessible: bool = True) -> list[str]:
    """The same for a page that is open already, without what was told and asked while it loaded."""
    wrong: list[str] = []
    if (pwned := await page.evaluate("window.__pwned")) is not None:
        wrong.append(f"planted markup ran: {pwned}")
    if beside := await page.evaluate(BESIDE):
        wrong.append(f"scrolls sideways: {beside}")
    if (titles := await page.locator("h1").count()) != 1:
        wrong.append(f"{titles} h1")
    if styled := await page.locator("[style]").count():
        wrong.append(f"{styled} inline styles")
    if not accessible:
        return wrong
    await page.evaluate(AXE)
    return wrong + list(await page.evaluate(SOUND))
