"""What is wrong with `side_effects` and `confirm_with` is told with file and line, before anybody gets an order."""

from pathlib import Path

import pytest

from probe import loader
from probe.core.check import WHOLE_RUN, CheckId
from probe.core.diagnostic import Diagnostic
from probe.errors import ConfigError

SHOP = '[targets.shop]\nurl = "https://shop.example"\n[regions.us]\n'
REQUEST = '[[check]]\nname = "pay"\nmethod = "POST"\n'
API = "@check(regions=['local'])\nasync def api(t): ...\n"
JOURNEY = """@journey(every="1m"{given})
async def buy(t):
    t.undo(cancel, t)
    async with t.step("cart"): ...
    async with t.step("pay"): ...
"""


def journey(*given: str, more: str = "") -> str:
    """A journey with these arguments, the first of which stands in line 3."""
    return JOURNEY.format(given="".join(f",\n    {argument}" for argument in given)) + more


def load(folder: Path, code: str, config: str = "") -> loader.LoadedChecks:
    (folder / "config.toml").write_text(SHOP + config)
    (folder / "checks").mkdir(exist_ok=True)
    (folder / "checks" / "a.py").write_text(f"from probe import check, journey\n{code}")
    return loader.load(folder / "config.toml", environ={})


def said(folder: Path, code: str, config: str = "") -> list[str]:
    try:
        found: tuple[Diagnostic, ...] = load(folder, code, config).warnings
    except ConfigError as error:
        found = error.diagnostics
    return [f"{Path(d.file).name}:{d.line}: {d.key}: {d.what}; {d.hint}" for d in found]


def test_what_is_judged_by(tmp_path: Path) -> None:
    code = journey('side_effects="pay"', 'confirm_with="api"', 'regions=["local"]', more=API)
    loaded = load(tmp_path, code, f'{REQUEST}side_effects = true\nconfirm_with = "api"\nregions = ["local"]\n')
    assert loaded.warnings == ()
    buy, pay = (loaded.rules.checks[CheckId(name)] for name in ("buy", "pay"))
    assert (buy.spared, buy.confirm_with) == (("pay",), "api")
    assert (pay.spared, pay.confirm_with) == ((WHOLE_RUN,), "api")
    assert loaded.rules.checks[CheckId("api")].spared == ()
    assert {s.id: s.side_effects for s in loaded.checks} == {"buy": "pay", "pay": WHOLE_RUN, "api": None}


@pytest.mark.parametrize(
    ("code", "config", "message"),
    [
        (journey('side_effects="pya"'), "", "a.py:3: buy.side_effects: there is no step 'pya'; did you mean 'pay'?"),
        (
            "@check(side_effects='pay')\nasync def api(t): ...\n",
            "",
            "a.py:2: api.side_effects: there is no step 'pay'; write `async with t.step(\"pay\"):` around what has them",
        ),
        (
            journey('side_effects="pya"', more="    await further(t)\n"),
            "",
            "a.py:3: buy.side_effects: no step 'pya' can be seen in the source; make sure that there is one: without it, "
            "runs that are to confirm a failure go to their end",
        ),
        (
            journey('side_effects="pya"', more="    async with t.step(name): ...\n"),
            "",
            "a.py:3: buy.side_effects: no step 'pya' can be seen in the source; make sure that there is one: without it, "
            "runs that are to confirm a failure go to their end",
        ),
        (
            journey('side_effects="cart"'),
            "",
            "a.py:3: buy.side_effects: 'cart' is its first step: no run that is to confirm a failure would do anything; "
            "divide the step, or name a check that is run in its place with confirm_with",
        ),
        (
            journey('confirm_with="apy"', more=API),
            "",
            "a.py:2: buy.confirm_with: there is no check 'apy'; did you mean 'api'?",
        ),
        (
            journey('confirm_with="buy"'),
            "",
            "a.py:2: buy.confirm_with: it cannot be confirmed with itself; leave confirm_with out: it is run again as it is",
        ),
        (
            journey('confirm_with="api"', more=API),
            "",
            "a.py:2: buy.confirm_with: 'api' does not run from us; both must run from the same regions: a failure is "
            "confirmed where it was seen, too",
        ),
        (
            journey('confirm_with="pay"'),
            f'{REQUEST}confirm_with = "more"\n[[check]]\nname = "more"\n',
            "a.py:2: buy.confirm_with: 'pay' is itself confirmed with another check; name one that can be run as it is",
        ),
        (
            API,
            f"{REQUEST}side_effects = true\n",
            "config.toml:7: check.pay.side_effects: it has no steps to stop before: each run that is to confirm a failure "
            'would do it again; name a check without side effects that is run in its place: confirm_with = "…"',
        ),
        (API, f'{REQUEST}confirm_with = "zzz"\n', "config.toml:4: pay.confirm_with: there is no check 'zzz'; known: api"),
    ],
    ids=["typo", "no steps", "hidden", "computed", "first", "no twin", "itself", "regions", "chain", "whole", "toml"],
)  # fmt: skip
def test_what_is_wrong(tmp_path: Path, code: str, config: str, message: str) -> None:
    assert said(tmp_path, code, config) == [message]


def test_in_a_pytest_file_each_test_is_a_whole(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text("def test_buy(page): ...\ndef test_pay(page): ...\n")
    table = '[[check]]\nkind = "playwright-pytest"\nfile = "test_shop.py"\nside_effects = true\n'
    (message,) = said(tmp_path, API, table)
    assert message.startswith("config.toml:7: check.test_shop.side_effects: it has no steps to stop before")
    loaded = load(tmp_path, API, f'{table}confirm_with = "api"\nregions = ["local"]\n')
    wholes = [spec.id for spec in loaded.checks if spec.side_effects == WHOLE_RUN]
    assert wholes == ["test_shop.test_buy", "test_shop.test_pay"]
