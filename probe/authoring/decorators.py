"""`@journey` and `@check`: they note what was said about a function and return the function unchanged.

Nothing is judged here but what only the decorator can see; the loader reads the notes, checks the values together with
the config, and reports every mistake with its file and line. There is no registry: the loader looks for `__probe__`
on what a module holds.
"""

import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, overload

from probe.core.check import Source
from probe.core.diagnostic import Diagnostic

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, object]])
Browser = Literal["chromium-headless-shell", "chromium"]
Policy = Literal["on", "off", "retain-on-failure", "retain-on-confirmation"]

ATTRIBUTE: Final = "__probe__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a decorator was told: `kind` is `journey` or `check`, `given` the keyword arguments as they were written.

    `source` is where the decorator stands. `mistakes` are uses of it that make no sense, whatever the values are.
    """

    kind: Literal["journey", "check"]
    source: Source
    given: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    mistakes: tuple[Diagnostic, ...] = ()


@overload
def journey(function: F, /) -> F: ...
@overload
def journey(
    *,
    every: str = ...,
    cron: str | None = None,
    timezone: str | None = None,
    timeout: str = ...,
    target: str = ...,
    slo: str | None = None,
    id: str | None = None,
    name: str | None = None,
    tags: Iterable[str] = (),
    regions: Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    side_effects: str | None = None,
    confirm_with: str | None = None,
    browser: Browser = "chromium-headless-shell",
    evidence: Mapping[str, Policy | bool | str | Iterable[str]] | Literal["off", "full"] | None = None,
) -> Callable[[F], F]: ...
def journey(*positional: Any, **given: Any) -> Any:
    """Declare a coroutine function as a journey: a check that walks through pages in a real browser.

    `every` and `timeout` are durations with a unit (`"30s"`, `"1m"`, `"1h30m"`); the timeout holds for the whole run
    and is not longer than the interval. `target` names a `[targets.…]` table of the config; all three come from
    `[defaults]` when they are not given, and the only target needs no name. `cron` stands instead of `every`: five
    fields (`"*/5 9-17 * * mon-fri"`), read in `timezone` (`"Europe/Amsterdam"`; UTC without it). `slo` names the objective the journey
    counts for. `id` is what results are kept under, and is the function's name unless given; `name` is its title.
    `tags` group checks (`probe check tag:NAME`); `regions` are those it runs from, all when empty. `params` is handed
    to the function as `t.params`. `side_effects` names the step from which on a run does something in the shop that
    stays, such as an order: runs that are made beside the schedule, to confirm a failure, end before it. `confirm_with`
    is the id of another check that is run in its place for that, such as the same purchase over HTTP. `evidence` says what is kept of a run: `"off"`, `"full"`, or a policy (`"on"`,
    `"off"`, `"retain-on-failure"`, `"retain-on-confirmation"`) for each of `screenshot`, `trace`, `har`, `console`, and
    `har_bodies=True`; `mask` (CSS selectors of what no picture shows, beside those of the config), `reference` and `access` are as in the config.

    Returns the function unchanged. Raises nothing: mistakes are reported by `probe validate`, with file and line.

    >>> @journey(every="1m", timeout="45s", target="shop")
    ... async def checkout(t):
    ...     async with t.step("view product"):
    ...         await t.page.goto(t.url("/product/1"))
    >>> checkout.__name__
    'checkout'
    """
    return _declare("journey", positional, given, sys._getframe(1).f_code.co_filename, sys._getframe(1).f_lineno)


@overload
def check(function: F, /) -> F: ...
@overload
def check(
    *,
    every: str = ...,
    cron: str | None = None,
    timezone: str | None = None,
    timeout: str = ...,
    target: str = ...,
    slo: str | None = None,
    id: str | None = None,
    name: str | None = None,
    tags: Iterable[str] = (),
    regions: Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    side_effects: str | None = None,
    confirm_with: str | None = None,
) -> Callable[[F], F]: ...
def check(*positional: Any, **given: Any) -> Any:
    """Declare a coroutine function as a check over HTTP. The arguments are those of `journey`, without the browser's.

    >>> @check(every="30s", timeout="10s", target="shop")
    ... async def cart_api(t):
    ...     r = await t.http.post("/api/cart", json={"sku": "X1"})
    ...     r.expect(status=200, within="500ms")
    """
    return _declare("check", positional, given, sys._getframe(1).f_code.co_filename, sys._getframe(1).f_lineno)


def declaration_of(thing: object) -> Declaration | None:
    """What was declared about a function; `None` for anything that was not decorated."""
    found = getattr(thing, "__dict__", {}).get(ATTRIBUTE)
    return found if isinstance(found, Declaration) else None


def _declare(
    kind: Literal["journey", "check"], positional: tuple[Any, ...], given: dict[str, Any], file: str, line: int
) -> Any:
    source = Source(file=file, line=line)

    def attach(thing: Any) -> Any:
        mistakes = list(_about_arguments(kind, positional, bare)) + list(_about_function(kind, thing))
        name = getattr(thing, "__name__", "")
        thing.__probe__ = Declaration(
            kind=kind,
            source=source,
            given=MappingProxyType(given),
            mistakes=tuple(
                Diagnostic(file=file, line=line, key=str(name), what=what, hint=hint) for what, hint in mistakes
            ),
        )
        return thing

    bare = len(positional) == 1 and (inspect.isroutine(positional[0]) or inspect.isclass(positional[0]))
    return attach(positional[0]) if bare else attach


def _about_arguments(kind: str, positional: tuple[Any, ...], bare: bool) -> Iterable[tuple[str, str]]:
    if positional and not bare:
        guess = f"@{kind}(name={positional[0]!r})" if isinstance(positional[0], str) else f'@{kind}(every="1m")'
        yield f"@{kind} takes keyword arguments only", f"write {guess}"


def _about_function(kind: str, thing: Any) -> Iterable[tuple[str, str]]:
    example = f"write @{kind} above `async def name(t):`"
    if declaration_of(thing) is not None:
        yield "it is declared twice", "leave one of @journey and @check"
    if inspect.isclass(thing):
        yield f"@{kind} stands on a class", example
    elif not inspect.isfunction(thing):
        yield f"@{kind} stands on {type(thing).__name__!r}, which is not a function", example
    elif inspect.isasyncgenfunction(thing):
        yield "the function yields", "a check runs from its beginning to its end; remove `yield`"
    elif not inspect.iscoroutinefunction(thing):
        yield "the function is not asynchronous", f"write `async def {thing.__name__}(t):`"
    elif (count := _required(thing)) != 1:
        yield f"the function takes {count} arguments, not one", f"write `async def {thing.__name__}(t):`"


def _required(function: Any) -> int:
    """How many arguments a call needs; a single one that has a default, or `*args`, counts as the one."""
    parameters = inspect.signature(function).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if any(p.kind is p.KEYWORD_ONLY for p in required):
        return len(required) + 1
    takes_one = any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    return 1 if not required and takes_one else len(required)
