"""The decorators: a function stays what it was, and carries a note."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from probe.authoring.decorators import ATTRIBUTE, check, declaration_of, journey
from probe.core.check import Source


async def plain(t: list[str]) -> None:
    t.append("ran")


async def test_the_function_stays_the_function() -> None:
    async def mine(t: list[str]) -> int:
        t.append("ran")
        return 3

    decorated = journey(every="5m")(mine)
    assert decorated is mine
    seen: list[str] = []
    result: int = await decorated(seen)  # mypy knows the type still
    assert (seen, result) == (["ran"], 3)


def test_what_was_said_is_noted() -> None:
    @journey(every="5m", tags=["a"], params={"x": 1}, evidence="off", browser="chromium")
    async def mine(t: Any) -> None: ...

    declaration = declaration_of(mine)
    assert declaration is not None
    assert (declaration.kind, declaration.mistakes) == ("journey", ())
    assert dict(declaration.given) == {
        "every": "5m",
        "tags": ["a"],
        "params": {"x": 1},
        "evidence": "off",
        "browser": "chromium",
    }
    assert declaration.source == Source(file=__file__, line=mine.__code__.co_firstlineno)
    with pytest.raises(AttributeError):
        declaration.kind = "check"  # type: ignore[misc]  # frozen: what this shows


@pytest.mark.parametrize("decorator", [journey, check])
def test_without_parentheses(decorator: Callable[..., Any]) -> None:
    @decorator
    async def mine(t: Any) -> None: ...

    declaration = declaration_of(mine)
    assert declaration is not None
    assert (declaration.kind, dict(declaration.given), declaration.mistakes) == (decorator.__name__, {}, ())
    assert declaration.source.line == mine.__code__.co_firstlineno


def test_what_was_not_decorated() -> None:
    class Odd:
        def __getattr__(self, name: str) -> str:
            return name

    assert declaration_of(plain) is None
    assert declaration_of(Odd()) is None
    assert declaration_of(3) is None
    assert not hasattr(plain, ATTRIBUTE)


class Methods:
    @staticmethod
    async def static(t: Any) -> None: ...

    async def one(self, t: Any) -> None: ...


def _lambda() -> Any:
    return lambda t: None


@pytest.mark.parametrize(
    ("use", "mistakes"),
    [
        (journey, []),
        (check("checkout"), ["@check takes keyword arguments only"]),  # type: ignore[call-overload]  # the mistake
        (check("a", "b"), ["@check takes keyword arguments only"]),  # type: ignore[call-overload]  # the mistake
        (check(None), ["@check takes keyword arguments only"]),  # type: ignore[call-overload]  # the mistake
        (check(nonsense=1), []),  # type: ignore[call-overload]  # the loader's to say
        (lambda f: check(journey(f)), ["it is declared twice"]),
        (lambda f: journey(_lambda()), ["the function is not asynchronous"]),
        (lambda f: journey(Methods.one), ["the function takes 2 arguments, not one"]),
        (lambda f: journey(Methods.static), []),
    ],
)  # fmt: skip
def test_mistakes_are_noted_and_not_raised(use: Callable[[Any], Any], mistakes: list[str]) -> None:
    async def mine(t: Any) -> None: ...

    declaration = declaration_of(use(mine))
    assert declaration is not None
    assert [mistake.what for mistake in declaration.mistakes] == mistakes
    assert all(m.file == __file__ and m.line and m.hint for m in declaration.mistakes)


@pytest.mark.parametrize(
    "source", ["async def f(*a): ...", "async def f(t=None): ...", "async def f(t, x=1): ...", "async def f(t, /): ..."]
)
def test_signatures_that_take_one_argument(source: str) -> None:
    scope: dict[str, Any] = {}
    exec(source, scope)
    declaration = declaration_of(check(scope["f"]))
    assert declaration is not None
    assert declaration.mistakes == ()


def test_importing_it_is_cheap() -> None:
    program = "import sys, probe.authoring.decorators; print(sorted({'pydantic', 'asyncio', 'playwright', 'aiohttp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
