"""`t`: the one argument of a check."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from probe.authoring.findings import Findings
from probe.authoring.http import HttpClient
from probe.authoring.steps import Book, StepContext
from probe.authoring.undo import Undo
from probe.core.run import RunId
from probe.core.secret import Secret
from probe.core.target import Region, Target

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page


class Secrets(Mapping[str, str]):
    """The secrets of the target, by the names of the config. `repr()` shows names only.

    >>> Secrets("shop", {"password": Secret("hunter2")})
    <secrets of 'shop': password>
    """

    __slots__ = ("_target", "_values")

    def __init__(self, target: str, values: Mapping[str, Secret]) -> None:
        self._target = target
        self._values = values

    def __getitem__(self, name: str) -> str:
        try:
            return self._values[name].reveal()
        except KeyError:
            known = ", ".join(sorted(self._values)) or "none"
            raise KeyError(f"target {self._target!r} has no secret {name!r} (there are: {known})") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<secrets of {self._target!r}: {', '.join(sorted(self._values)) or 'none'}>"


class CheckContext:
    """What a `@check` gets as `t`: an HTTP client, steps, secrets, and the book of the run.

    >>> from probe import check
    >>> @check(every="30s", timeout="10s", target="shop")
    ... async def cart_api(t: CheckContext) -> None:
    ...     async with t.step("add to cart", within="2s"):
    ...         answer = await t.http.post("/api/cart", json={"sku": "X1"})
    ...         answer.expect(status=200)
    """

    def __init__(
        self,
        *,
        target: Target,
        region: Region,
        run: RunId,
        params: Mapping[str, Any],
        http: HttpClient,
        findings: Findings,
        book: Book,
        undo: Undo,
    ) -> None:
        self._target = target
        self._region = region
        self._run = run
        self._params = params
        self._http = http
        self._findings = findings
        self._book = book
        self._undo = undo
        self._secrets = Secrets(target.name, target.secrets)

    @property
    def target(self) -> Target:
        """The target the check is pointed at."""
        return self._target

    @property
    def region(self) -> str:
        """The name of the region this run leaves from."""
        return self._region.name

    @property
    def run(self) -> RunId:
        """The id of this run: put it where it marks what the run makes in the shop (an order's note, a user's name)."""
        return self._run

    @property
    def params(self) -> Mapping[str, Any]:
        """What the check was declared with as `params`."""
        return self._params

    @property
    def secrets(self) -> Mapping[str, str]:
        """The target's secrets as plain strings, masked in everything probe writes. `KeyError` names those there are."""
        return self._secrets

    @property
    def http(self) -> HttpClient:
        """The HTTP client of this run: one cookie jar, paths are joined to the target's URL."""
        return self._http

    @property
    def findings(self) -> Findings:
        """The failed expectations collected so far; they end the run at the end of the step."""
        return self._findings

    def url(self, path: str = "/") -> str:
        """The absolute address of `path` on the target."""
        return self._target.join(path)

    def step(self, name: str, *, within: str | None = None, soft: bool = False) -> StepContext:
        """A named stage: `async with t.step("view product", within="4s"):`.

        `within` is a limit on the step's duration, with a unit: a step that took longer fails after it has ended
        (`step_slow`). When a step fails, the run ends and later steps are `skipped`; with `soft=True` the failure is
        recorded and the run goes on. Steps do not nest and each has a name of its own: `ValueError` otherwise.
        """
        return StepContext(self._book, name, within, soft)

    def undo(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Register clean-up, plain or `async`: run with these arguments when the run ends, however it does.

        Last registered, first run; all together have five seconds, also after the deadline. A function that needs one
        argument and is given none gets `t`. What fails is noted in the log and does not change the outcome.
        """
        self._undo.add(self, function, args, kwargs)

    def order(self, id: str) -> None:
        """Enter an order that this run placed into the ledger of orders."""
        self._book.order(str(id))

    def log(self, line: object) -> None:
        """Write a line into the run's log. Secrets are masked."""
        self._book.note(str(line))


class JourneyContext(CheckContext):
    """What a `@journey` gets as `t`: all of `CheckContext`, and a fresh page of a real browser."""

    def __init__(self, *, page: "Page", **rest: Any) -> None:
        super().__init__(**rest)
        self._page = page

    @property
    def page(self) -> "Page":
        """A fresh Playwright page in a context of its own: what `playwright codegen` writes pastes in."""
        return self._page

    @property
    def context(self) -> "BrowserContext":
        """The page's context: cookies, permissions, further pages."""
        return self._page.context

    @property
    def browser(self) -> "Browser":
        """The browser. It is shared with later runs: do not close it."""
        browser = self._page.context.browser
        if browser is None:  # pragma: no cover  # our contexts are always a browser's
            raise RuntimeError("the page's context belongs to no browser")
        return browser
