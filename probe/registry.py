"""Names of kinds → the classes that do their work, as strings: nothing is imported before it is used.

A kind of our own is one line here. Packages of others add theirs by an entry point in the group of the same name as
the table, and cannot take a name that is built in.
"""

from importlib import import_module
from typing import Any, Final

from probe.errors import ProbeError

PROBERS: Final[dict[str, str]] = {
    "http": "probe.probers.http:HttpProber",
    "control": "probe.probers.control:ControlProber",
    "function": "probe.probers.function:FunctionProber",
    "playwright-pytest": "probe.probers.pytest_file:PytestProber",
}
NOTIFIERS: Final[dict[str, str]] = {
    "alertmanager": "probe.notifiers.alertmanager:AlertmanagerNotifier",
    "apprise": "probe.notifiers.apprise:AppriseNotifier",
    "terminal": "probe.notifiers.terminal:TerminalNotifier",
    "webhook": "probe.notifiers.webhook:WebhookNotifier",
}
TABLES: Final[dict[str, dict[str, str]]] = {"probe.probers": PROBERS, "probe.notifiers": NOTIFIERS}
"""Group of entry points → what is built in."""


def load(group: str, name: str) -> Any:
    """The class that `name` stands for in a group (`"probe.probers"`).

    Raises `ProbeError` for a name that is not known, that two packages claim, or whose module cannot be imported.

    >>> load("probe.probers", "http").__name__
    'HttpProber'
    """
    place = TABLES[group].get(name) or _others(group).get(name)
    if place is None:
        raise ProbeError(f"{group}: there is no {name!r}; known: {', '.join(names(group))}")
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ProbeError(f"{group}: {name!r} cannot be loaded from {place}: {error}") from error


def names(group: str) -> tuple[str, ...]:
    """Every name of a group, sorted: built in and of other packages."""
    return tuple(sorted({*TABLES[group], *_others(group)}))


def _others(group: str) -> dict[str, str]:
    """What other packages add. Read only when asked for a name that is not built in: it looks through all packages."""
    from importlib.metadata import entry_points

    found: dict[str, str] = {}
    for point in entry_points(group=group):
        if (taken := TABLES[group].get(point.name) or found.get(point.name)) not in (None, point.value):
            raise ProbeError(
                f"{group}: the name {point.name!r} is claimed by {point.value} and by {taken}; uninstall one of them"
            )
        found[point.name] = point.value
    return found
