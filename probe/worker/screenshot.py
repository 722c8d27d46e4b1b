"""Screenshots without secrets: what holds one, and what is to be masked, is covered first, or there is no picture."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from probe.core.secret import Redactor, encodings
from probe.worker.cleaning import OURS, SECRET_INPUTS

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

MOST_FRAMES: Final = 10
_FIELDS: Final = "input, textarea, select, [contenteditable]"
_VALUES: Final = OURS + "els => els.map(e => e.type === 'password' ? null : String(e.value ?? e.textContent ?? ''))"


QUALITY: Final = 60
"""Of a JPEG, which is what a path that ends so gets."""


async def take_screenshot(
    page: "Page", path: Path, redactor: Redactor, limit: float, mask: tuple[str, ...] = ()
) -> str | None:
    """Write what the page shows to `path`, within `limit` seconds; the reason when there is no picture.

    Covered is what shows a secret, fields for passwords, and what the CSS selectors in `mask` find.
    """
    from playwright.async_api import Error

    try:
        async with asyncio.timeout(limit):
            masks = await _masks(page, redactor, mask)
            form: dict[str, Any] = {"type": "jpeg", "quality": QUALITY} if path.suffix == ".jpg" else {"type": "png"}
            # Past the limit by Playwright's own clock, too: it would go on in the driver.
            await page.screenshot(
                path=path,
                mask=masks,
                mask_color="#000000",
                animations="allow",
                caret="initial",
                timeout=limit * 1000,
                **form,
            )
    except (Error, TimeoutError) as error:
        return str(error).strip().partition("\n")[0] or f"the page did not draw itself within {limit:.1f} s"
    return None


async def _masks(page: "Page", redactor: Redactor, selectors: tuple[str, ...]) -> "list[Locator]":
    """Locators of all that shows a secret, as text or in a field. The secrets themselves never enter the page.

    A selector that is none makes Playwright refuse the picture.
    """
    shown = _pattern(redactor) if redactor.values else None
    masks: list[Locator] = []
    for frame in page.frames[:MOST_FRAMES]:
        masks += [frame.locator(f"css={selector}") for selector in (SECRET_INPUTS, *selectors)]
        if shown is not None:
            masks.append(frame.get_by_text(shown))
            fields = frame.locator(_FIELDS)
            values = await fields.evaluate_all(_VALUES)
            masks += [fields.nth(i) for i, value in enumerate(values) if value is None or redactor.text(value) != value]
    if len(page.frames) > MOST_FRAMES:
        masks += [page.locator("iframe")]
    return masks


def _pattern(redactor: Redactor) -> re.Pattern[str]:
    """One expression that finds every form of every secret; white space as loosely as pages show it."""
    forms = {form.decode() for value in redactor.values for form in encodings(value)}
    parts = sorted((re.sub(r"(\\?\s)+", r"\\s+", _escaped(form)) for form in forms), key=len, reverse=True)
    return re.compile("|".join(parts))


def _escaped(text: str) -> str:
    """`text` as an expression that means itself in JavaScript too, where only these may be escaped."""
    return re.sub(r"([.*+?^${}()|\[\]\\/])", r"\\\1", text)
