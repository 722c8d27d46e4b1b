"""The table of kinds: every line is true."""

import inspect
from importlib.metadata import EntryPoint

import pytest

from probe import registry
from probe.core.check import Anchors, Function, HttpCall, PytestFunction
from probe.errors import ProbeError
from probe.ports import Notifier, Prober

GROUP = "probe.probers"


@pytest.mark.parametrize("name", registry.PROBERS)
def test_every_prober_is_there_and_is_one(name: str) -> None:
    found = registry.load(GROUP, name)
    assert inspect.iscoroutinefunction(found.probe)
    wanted = list(inspect.signature(Prober.probe).parameters)
    assert list(inspect.signature(found.probe).parameters) == wanted
    for method in ("__aenter__", "__aexit__"):
        assert hasattr(found, method), f"{name}: a prober is opened with `async with`"


@pytest.mark.parametrize("name", registry.NOTIFIERS)
def test_every_notifier_is_there_and_is_one(name: str) -> None:
    """It has the methods of the port, with the same parameters, and is built from what the port's factory takes."""
    found = registry.load("probe.notifiers", name)
    for method in ("send", "send_digest", "refresh"):
        assert inspect.iscoroutinefunction(getattr(found, method))
        wanted = list(inspect.signature(getattr(Notifier, method)).parameters)
        assert list(inspect.signature(getattr(found, method)).parameters) == wanted
    factory = [p for p in inspect.signature(found).parameters.values() if p.default is inspect.Parameter.empty]
    assert [p.name for p in factory] == ["settings", "redactor"]
    assert hasattr(found, "repeat")
    for method in ("__aenter__", "__aexit__"):
        assert hasattr(found, method), f"{name}: a notifier is opened with `async with`"


def test_every_kind_of_work_has_a_prober() -> None:
    assert len(registry.PROBERS) == len((HttpCall, Anchors, Function, PytestFunction))


def add(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    found = [EntryPoint(name=name, value=value, group=GROUP) for name, value in points]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in found if p.group == group])


def test_other_packages_add_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch, ("decimal", "decimal:Decimal"))
    from decimal import Decimal

    assert registry.load(GROUP, "decimal") is Decimal
    assert registry.names(GROUP) == ("control", "decimal", "function", "http", "playwright-pytest")


def test_unknown_names(monkeypatch: pytest.MonkeyPatch) -> None:
    add(monkeypatch)
    with pytest.raises(
        ProbeError, match=r"^probe.probers: there is no 'htpp'; known: control, function, http, playwright-pytest$"
    ):
        registry.load(GROUP, "htpp")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            [("http", "x:Y")],
            "the name 'http' is claimed by x:Y and by probe.probers.http:HttpProber; uninstall one of them",
        ),
        ([("tcp", "x:Y"), ("tcp", "z:Y")], "the name 'tcp' is claimed by z:Y and by x:Y; uninstall one of them"),
    ],
)
def test_names_that_are_taken(monkeypatch: pytest.MonkeyPatch, points: list[tuple[str, str]], message: str) -> None:
    add(monkeypatch, *points)
    with pytest.raises(ProbeError, match=message):
        registry.names(GROUP)


@pytest.mark.parametrize("place", ["nowhere.at.all:X", "decimal:Nothing"])
def test_what_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    add(monkeypatch, ("odd", place), ("odd", place))
    with pytest.raises(ProbeError, match=f"^probe.probers: 'odd' cannot be loaded from {place}: "):
        registry.load(GROUP, "odd")
