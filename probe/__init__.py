"""What authors of checks import: `from probe import check, expect, journey`.

    check, journey                  declare a coroutine function as a check
    expect                          what is expected of a page, a locator or an answer
    CheckContext, JourneyContext    the type of the function's one argument, `t`
    Response                        the answer to a request of `t.http`

`probe.testing` runs a check in a test of your own. Names are imported when they are first asked for, so that
`import probe` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.authoring.decorators import check, journey
    from probe.authoring.expect import expect
    from probe.authoring.response import Response
    from probe.authoring.session import CheckContext, JourneyContext

__version__ = "0.1.0"

__all__ = ["CheckContext", "JourneyContext", "Response", "check", "expect", "journey"]

_HOMES = {
    "CheckContext": "probe.authoring.session",
    "JourneyContext": "probe.authoring.session",
    "Response": "probe.authoring.response",
    "check": "probe.authoring.decorators",
    "expect": "probe.authoring.expect",
    "journey": "probe.authoring.decorators",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'probe' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
