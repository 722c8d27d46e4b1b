"""`expect`: Playwright's own for what is in a page, ours for the answer to an HTTP request."""

from typing import TYPE_CHECKING, Any, overload

from probe.authoring.response import Response

if TYPE_CHECKING:
    from playwright.async_api import APIResponse, Locator, Page
    from playwright.async_api._generated import APIResponseAssertions, LocatorAssertions, PageAssertions

    from probe.authoring.http import ResponseExpectation


@overload
def expect(actual: "Page", message: str | None = None) -> "PageAssertions": ...
@overload
def expect(actual: "Locator", message: str | None = None) -> "LocatorAssertions": ...
@overload
def expect(actual: "APIResponse", message: str | None = None) -> "APIResponseAssertions": ...
@overload
def expect(actual: Response, message: str | None = None) -> "ResponseExpectation": ...
def expect(actual: Any, message: str | None = None) -> Any:
    """What is expected of a page, a locator or an answer.

    For pages and locators it is Playwright's `expect`, which waits until the expectation holds or its timeout is over:
    `await expect(t.page.get_by_role("heading")).to_have_text("Your cart")`. For the answer of `t.http` it gives the
    same expectations as `answer.expect(...)`.
    """
    if isinstance(actual, Response):
        from probe.authoring.http import expect_response

        return expect_response(actual, message)
    from playwright.async_api import expect as of_page

    return of_page(actual, message)
