"""A config and its checks become the rules of judgement; names that are none are told, with their line."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe import loader
from probe.config.load import load_config
from probe.config.rules import rules_of
from probe.config.settings import Config
from probe.core.check import CheckId, CheckSpec, Function, HttpCall, PytestFunction, Source
from probe.core.rules import Calendar, Objective, Route, Watched
from probe.errors import ConfigError

Load = Callable[[str], Config]
SHOP = '[targets.shop]\nurl = "https://shop.example:8443/eu"\n'


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def from_text(text: str) -> Config:
        path = tmp_path / "config.toml"
        path.write_text(SHOP + text)
        return load_config(path, environ={}).config

    return from_text


def check(id: str, *steps: str, slo: str | None = None, tags: tuple[str, ...] = ()) -> CheckSpec:
    """A journey, whose steps are known if there are any."""
    return CheckSpec(
        id=CheckId(id),
        kind="browser",
        target="shop",
        every=timedelta(minutes=1),
        timeout=timedelta(seconds=30),
        work=Function(file="a.py", name=id),
        source=Source(file="a.py", line=7),
        steps=steps,
        slo=slo,
        tags=tags,
    )


def said(config: Config, *checks: CheckSpec) -> list[str]:
    _, diagnostics = rules_of(config, checks)
    return [str(d).replace(f"{config.folder}/", "") for d in diagnostics]


def test_what_is_watched(load: Load) -> None:
    config = load("[regions.us]\n")
    everywhere = replace(check("buy", tags=("t",)), description="A guest buys.")
    rules, diagnostics = rules_of(config, [everywhere, replace(check("eu"), regions=("us",))])
    assert diagnostics == ()
    assert rules.checks == {
        "buy": Watched(
            id=CheckId("buy"),
            target="shop",
            cause="shop.example",
            regions=("local", "us"),
            every=timedelta(minutes=1),
            timeout=timedelta(seconds=30),
            promise="A guest buys.",
            tags=("t",),
        ),
        "eu": Watched(
            id=CheckId("eu"),
            target="shop",
            cause="shop.example",
            regions=("us",),
            every=timedelta(minutes=1),
            timeout=timedelta(seconds=30),
        ),
    }


def test_objectives_count_checks_that_they_name_and_that_name_them(load: Load) -> None:
    config = load(
        '[slo.checkout]\nobjective = "99.9%"\nwindow = "month"\nchecks = ["a", "b"]\nstep = "pay"\ncoverage = "80%"\n'
        'latency = { under = "1500ms", objective = "95%" }\n'
    )
    rules, diagnostics = rules_of(config, [check("a", "pay"), check("b"), check("c", slo="checkout"), check("d")])
    assert diagnostics == ()
    counted = frozenset(map(CheckId, "abc"))
    availability = Objective(
        name="checkout",
        checks=counted,
        target=0.999,
        window=Calendar.MONTH,
        step="pay",
        coverage=0.8,
    )
    latency = replace(availability, name="checkout/latency", target=0.95, step=None, under=1.5)
    assert rules.objectives == {"checkout": availability, "checkout/latency": latency}
    assert rules.counted[CheckId("c")] == (availability, latency)
    assert CheckId("d") not in rules.counted


def test_routes_windows_and_controls(load: Load) -> None:
    config = load(
        '[channels.team]\nkind = "terminal"\n[regions.local]\ncontrol = "https://anchor.example"\n'
        '[[maintenance]]\nname = "w"\nduration = "1h"\ncron = "0 2 * * *"\nchecks = ["a"]\ntags = ["t"]\n'
    )
    rules, diagnostics = rules_of(config, [check("a", tags=("t",))])
    assert diagnostics == ()
    assert rules.routes == (Route(channels=("team",)),)
    assert rules.windows == config.windows
    assert rules.controls == {"local": "control.local"}
    assert "control.local" not in rules.checks


SLO = '[slo.checkout]\nobjective = "99%"\n'
TEAM = '[channels.team]\nkind = "terminal"\n'
WINDOW = '[[maintenance]]\nname = "w"\nduration = "1h"\ncron = "0 2 * * *"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SLO, 'config.toml:3: slo.checkout: no check counts for it; name some with checks = […], or say slo = "checkout" in a check'),
        (SLO + 'checks = [\n"buy",\n"by"]', "config.toml:7: slo.checkout.checks[1]: there is no check 'by'; did you mean 'buy'?"),
        (SLO + 'checks = ["zzz"]', "config.toml:5: slo.checkout.checks[0]: there is no check 'zzz'; known: api, buy, dark, old"),
        (SLO + 'checks = ["buy"]\nstep = "pya"', "config.toml:6: slo.checkout.step: the check 'buy' has no step 'pya'; did you mean 'pay'?"),
        (SLO + 'checks = ["buy"]\nlatency = { step = "pya", under = "1s", objective = "9%" }', "config.toml:6: slo.checkout.latency.step: the check 'buy' has no step 'pya'; did you mean 'pay'?"),
        (SLO + 'checks = ["api"]\nstep = "pay"', "config.toml:6: slo.checkout.step: the check 'api' has no step 'pay'; it is a single request: leave the step out, or the check"),
        (TEAM + '[[route]]\nchannels = "team"\nchecks = ["by"]', "config.toml:7: route[0].checks[0]: there is no check 'by'; did you mean 'buy'?"),
        (TEAM + '[[route]]\nchannels = "team"\ntags = ["slwo"]', "config.toml:7: route[0].tags[0]: there is no check with the tag 'slwo'; did you mean 'slow'?"),
        (WINDOW + 'checks = ["by"]', "config.toml:7: maintenance[0].checks[0]: there is no check 'by'; did you mean 'buy'?"),
        ('[[drill]]\ncheck = "bu"\ncron = "0 9 * * mon"\n', "config.toml:4: drill[0].check: there is no check 'bu'; did you mean 'buy'?"),
        ('[[drill]]\ncheck = "old"\ncron = "0 9 * * mon"\n', "config.toml:4: drill[0].check: 'old' is a pytest file, which drives a browser of its own; name a journey or an HTTP check"),
        (WINDOW + 'tags = ["slwo"]', "config.toml:7: maintenance[0].tags[0]: there is no check with the tag 'slwo'; did you mean 'slow'?"),
        ('[regions.x]\ncontrol = "https://a.example"\n[regions.buy]\n', None),
    ],
)  # fmt: skip
def test_names_that_are_none(load: Load, text: str, message: str | None) -> None:
    # "dark" and "old" have steps that nobody knows before they run.
    pytest_check = replace(check("old"), work=PytestFunction(file="b.py", node="test_b"))
    api = replace(check("api", tags=("slow",)), work=HttpCall())
    assert said(load(text), check("buy", "cart", "pay"), check("dark"), pytest_check, api) == [message][: bool(message)]


def test_an_objective_over_a_step_that_may_be_there(load: Load) -> None:
    assert said(load(SLO + 'checks = ["dark"]\nstep = "pay"'), check("dark")) == []


def test_a_check_with_the_id_of_a_control(load: Load) -> None:
    config = load('[regions.us]\ncontrol = "https://anchor.example"')
    assert said(config, check("control.us")) == [
        'a.py:7: control.us: the control of a region has that id; give the check another: id = "…"'
    ]


def test_loading_tells_them_and_gives_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    (tmp_path / "checks").mkdir()
    code = 'from probe import check\n@check(slo="checkout", cron="0 6 * * *", timezone="Europe/Amsterdam")\nasync def buy(t): ...\n'
    (tmp_path / "checks" / "a.py").write_text(code)
    path.write_text(SHOP + SLO)
    loaded = loader.load(path, environ={})
    assert loaded.warnings == ()
    assert loaded.rules.objectives["checkout"].checks == {"buy"}
    assert loaded.rules.checks[CheckId("buy")].every == timedelta(hours=25)
    path.write_text(SHOP + SLO + 'checks = ["by"]')
    with pytest.raises(ConfigError, match=r"slo.checkout.checks\[0\]: there is no check 'by'; did you mean 'buy'"):
        loader.load(path, environ={})
    with pytest.raises(ConfigError, match="there is no check 'by'"):
        loader.load_checks(load_config(path, environ={}).config)


def test_a_broken_check_file_does_not_make_its_checks_unknown(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "a.py").write_text("async def buy(t\n")
    path.write_text(SHOP + SLO + 'checks = ["buy"]')
    with pytest.raises(ConfigError) as raised:
        loader.load(path, environ={})
    assert [d.what for d in raised.value.diagnostics] == ["this is not Python: '(' was never closed"]


@pytest.mark.parametrize(
    ("slos", "message"),
    [
        (SLO + 'checks = ["other"]', "a.py:2: error: buy: there is no objective 'chekout'; did you mean 'checkout'?"),
        ("", "a.py:2: warning: buy: there is no objective 'chekout': the check counts for none; add [slo.NAME] to the config"),
    ],
)  # fmt: skip
def test_a_check_in_python_that_names_no_objective(tmp_path: Path, slos: str, message: str) -> None:
    path = tmp_path / "config.toml"
    (tmp_path / "checks").mkdir()
    code = 'from probe import check\n@check(slo="chekout")\nasync def buy(t): ...\n@check\nasync def other(t): ...\n'
    (tmp_path / "checks" / "a.py").write_text(code)
    path.write_text(SHOP + slos)
    try:
        diagnostics = loader.load(path, environ={}).warnings
    except ConfigError as error:
        diagnostics = error.diagnostics
    assert [
        f"{Path(d.file).name}:{d.line}: {d.severity}: {d.key.partition('.')[0]}: {d.what}; {d.hint}"
        for d in diagnostics
    ] == [message]
