"""Check files: what they become, and the words for what is wrong with them."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe import loader
from probe.config.load import load_config
from probe.core.check import CheckSpec, Function, Source
from probe.core.diagnostic import Diagnostic
from probe.core.target import BrowserKind, Evidence, EvidencePolicy
from probe.errors import ConfigError

SHOP = '[targets.shop]\nurl = "https://shop.example"\n[regions.us]\n'
IMPORT = "from probe.authoring.decorators import check, journey\n"
Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Writes a config and check files, `name__py` for `name.py`; gives the config's path."""

    def write(config: str = SHOP, **files: str) -> Path:
        (tmp_path / "checks").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "checks" / name.replace("__", ".")).write_text(text)
        (tmp_path / "config.toml").write_text(config)
        return tmp_path / "config.toml"

    return write


def checks_of(path: Path, **environ: str) -> tuple[CheckSpec, ...]:
    return loader.load_checks(load_config(path, environ=environ).config)


def said(path: Path, **environ: str) -> list[str]:
    """Everything that is said about a config and its check files."""
    try:
        found = loader.load(path, environ=environ).warnings
    except ConfigError as error:
        found = error.diagnostics
    return [str(d).replace(f"{path.parent}/", "").replace("checks/", "") for d in found]


def test_a_journey(folder: Folder, tmp_path: Path) -> None:
    path = folder(
        a__py=IMPORT
        + '''
@journey(every="5m", timeout="45s", target="shop", slo="checkout", tags=["buy"], regions=("us",),
         params={"sku": "X1"}, browser="chromium", evidence={"trace": "on", "har_bodies": True})
async def checkout(t):
    """A guest buys one item.

    And more."""
    async with t.step("view product", within="4s"):
        await t.page.goto("/")
    if t.params["sku"]:
        async with t.step("pay"): ...
    else:
        async with t.step("pay"): ...
    for n in range(2):
        async with t.step(f"item {n}"): ...
    try:
        async with t.step("done"): ...
    except ValueError:
        async with t.step("done"): ...
    match t.params:
        case {}:
            async with t.step("one"): ...
        case _:
            async with t.step("one"): ...
    async def inner():
        async with t.step("inner"): ...
'''
    )
    (spec,) = checks_of(path)
    file = str(tmp_path / "checks" / "a.py")
    assert spec == CheckSpec(
        id=spec.id,
        kind="browser",
        target="shop",
        every=timedelta(minutes=5),
        timeout=timedelta(seconds=45),
        work=Function(file=file, name="checkout", browser=BrowserKind.CHROMIUM, root=str(tmp_path / "checks")),
        source=Source(file=file, line=3),
        description="A guest buys one item.",
        steps=("view product", "pay", "done", "one"),
        tags=("buy",),
        slo="checkout",
        regions=("us",),
        evidence=Evidence(trace=EvidencePolicy.ON, har_bodies=True),
        params={"sku": "X1"},
    )
    assert spec.id == "checkout"


def test_defaults_come_from_the_config(folder: Folder) -> None:
    path = folder(
        SHOP + '[defaults]\nevery = "2m"\ntimeout = "20s"\n[evidence]\ntrace = "on"\n',
        a__py=IMPORT
        + "@check\nasync def one(t): ...\n"
        + '@check(every="5s", id="two-x", name="Two")\nasync def two(t): "doc"\n'
        + '@journey(evidence="off")\nasync def three(t):\n    await t.step(t.name)\n',
    )
    one, two, three = checks_of(path)
    assert (one.kind, one.target, one.every, one.timeout) == (
        "http",
        "shop",
        timedelta(minutes=2),
        timedelta(seconds=20),
    )
    assert isinstance(one.work, Function)
    assert one.work.browser is None
    assert (two.id, two.description, two.timeout) == ("two-x", "Two", timedelta(seconds=5))
    assert one.evidence == Evidence(trace=EvidencePolicy.ON)
    assert three.evidence == Evidence.nothing()


def test_which_files_are_looked_at(folder: Folder, tmp_path: Path) -> None:
    path = folder(
        '[probe]\nchecks = ["checks", "checks/b.py", "test_single.py"]\n' + SHOP,
        b__py=IMPORT
        + "from _help import shared\nfrom a import first\n@check\nasync def second(t): ...\nalias = second\n",
        a__py=IMPORT + "@check\nasync def first(t): ...\n",
        _help__py=IMPORT + "@check\nasync def shared(t): ...\n",
        conftest__py="1 / 0",
        test_x__py="1 / 0",
        notes__txt="no",
    )
    sub = tmp_path / "checks" / "sub"
    sub.mkdir()
    (sub / "c.py").write_text(
        IMPORT + "from sub import _beside\nfrom _help import shared\n@check\nasync def third(t): ...\n"
    )
    (sub / "_beside.py").write_text("")
    (tmp_path / "test_single.py").write_text(IMPORT + "@check\nasync def single(t): ...\n")
    assert [check.id for check in checks_of(path)] == ["first", "second", "third", "single"]


def test_an_import_leaves_nothing_behind(folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(
        '[probe]\nchecks = ["checks", "more"]\n' + SHOP,
        a__py=IMPORT
        + "import common_names\nprint('said on import')\n@check(name=common_names.NAME)\nasync def a(t): ...\n",
        common_names__py="NAME = 'from checks'",
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.py").write_text(
        IMPORT + "import common_names\n@check(name=common_names.NAME)\nasync def b(t): ...\n"
    )
    (tmp_path / "more" / "common_names.py").write_text("NAME = 'from more'")
    before = list(sys.path), set(sys.modules)
    assert [check.description for check in checks_of(path)] == ["from checks", "from more"]
    assert (sys.path, set(sys.modules)) == before
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "said on import\n")


def test_functions_that_were_made_in_the_file(folder: Folder) -> None:
    path = folder(
        a__py=IMPORT
        + "import functools\n"
        + "def page(path):\n    @check(name=path)\n    async def one(t): ...\n    return one\n"
        + "home, cart = page('/'), page('/cart')\n"
        + "def twice(f):\n    @functools.wraps(f)\n    async def g(t): ...\n    return g\n"
        + "@twice\n@check(name='wrapped')\nasync def wrapped(t): ...\n"
    )
    assert [(c.id, c.description) for c in checks_of(path)] == [
        ("home", "/"),
        ("cart", "/cart"),
        ("wrapped", "wrapped"),
    ]


TABLE: list[tuple[str, list[str]]] = [
    # not Python, or not importable
    ("\nasync def a(t:\n", ["a.py:2: this is not Python: '(' was never closed; here: async def a(t:"]),
    ("a = '\0'", ["a.py: this is not Python: source code string cannot contain null bytes"]),
    ("x = 1\nreturn x", ["a.py:2: this is not Python: 'return' outside function; here: return x"]),
    ("\n\n1 / 0\n", ["a.py:3: importing it failed: ZeroDivisionError: division by zero"]),
    ("def f():\n    raise ValueError\n\nf()\n", ["a.py:2: importing it failed: ValueError"]),
    ("import sys\nsys.exit('bye')", ["a.py:2: it ends the program while it is imported; remove the call of exit()"]),
    (
        "\nimport not_there.at_all",
        [
            "a.py:2: importing it failed: ModuleNotFoundError: No module named 'not_there'; install the package of 'not_there' beside probe, or put not_there.py into the folder that probe.checks names"
        ],
    ),
    (
        "from probe.authoring.decorators import jurney",
        [
            f"a.py:1: importing it failed: ImportError: cannot import name 'jurney' from 'probe.authoring.decorators' ({Path(loader.__file__).parent}/authoring/decorators.py); did you mean 'journey'?"
        ],
    ),
    ("import json\nfrom json import nothing_like_it", ["a.py:2: importing it failed: ImportError: cannot import name 'nothing_like_it' from 'json' (" + str(__import__("json").__file__) + ")"]),
    ("import _broken", ["_broken.py:1: this is not Python: expected ':'; here: def f()"]),
    ("\nimport _raises", ["a.py:2: importing it failed: RuntimeError: no"]),
    # a decorator used wrongly
    (IMPORT + "@check\ndef a(t): ...", ["a.py:2: a: the function is not asynchronous; write `async def a(t):`"]),
    (IMPORT + "@check\nasync def a(): ...", ["a.py:2: a: the function takes 0 arguments, not one; write `async def a(t):`"]),
    (IMPORT + "@check\nasync def a(t, page): ...", ["a.py:2: a: the function takes 2 arguments, not one; write `async def a(t):`"]),
    (IMPORT + "@check\nasync def a(t, *, x): ...", ["a.py:2: a: the function takes 3 arguments, not one; write `async def a(t):`"]),
    (IMPORT + "@check\nasync def a(t):\n    yield", ["a.py:2: a: the function yields; a check runs from its beginning to its end; remove `yield`"]),
    (IMPORT + "@check\nclass A: ...", ["a.py:2: A: @check stands on a class; write @check above `async def name(t):`"]),
    (IMPORT + "import functools\na = check()(functools.partial(print))", ["a.py:3: a: @check stands on 'partial', which is not a function; write @check above `async def name(t):`"]),
    (IMPORT + "@journey('checkout')\nasync def a(t):\n    t.step(1)", ["a.py:2: a: @journey takes keyword arguments only; write @journey(name='checkout')"]),
    (IMPORT + "@check(60)\nasync def a(t): ...", ['a.py:2: a: @check takes keyword arguments only; write @check(every="1m")']),
    (IMPORT + "@check\n@journey\nasync def a(t):\n    t.step(1)", ["a.py:2: a: it is declared twice; leave one of @journey and @check"]),
    (IMPORT + "@check\nasync def a(t): ...\n@check\nasync def a(t): ...", ["a.py:3: a: another function of that name, in line 5, takes its place; give one of them another name"]),
    (IMPORT + "@check\nasync def prüfung(t): ...", ["a.py:2: prüfung: the name 'prüfung' cannot be an id: it is not ASCII; give it one: @check(id=\"…\")"]),
    # its arguments
    (IMPORT + "@check(\n  evry='1m',\n)\nasync def a(t): ...", ["a.py:3: a.evry: there is no such key; did you mean 'every'?"]),
    (IMPORT + "@check(browser='chromium')\nasync def a(t): ...", ["a.py:2: a.browser: there is no such key; known: confirm_with, cron, every, id, name, params, regions, side_effects, slo, tags, target, timeout, timezone"]),
    (IMPORT + "@journey(browser='firefox')\nasync def a(t):\n    t.step(1)", ['a.py:2: a.browser: \'firefox\' is not a browser; write one of "chromium-headless-shell", "chromium"']),
    (IMPORT + "@check(\n  every='1m',\n  timeout='2m')\nasync def a(t): ...", ["a.py:4: a.timeout: 2m is longer than the interval of 1m; a run must end before the next one is due: shorten the timeout, or run the check less often"]),
    (IMPORT + "@check(every=60)\nasync def a(t): ...", ['a.py:2: a.every: 60 is a number; write a string, such as "45s"']),
    (IMPORT + "@check(target='shpo')\nasync def a(t): ...", ["a.py:2: a.target: there is no target 'shpo'; did you mean 'shop'?"]),
    (IMPORT + "@check(regions=[\n  'us',\n  'use'])\nasync def a(t): ...", ["a.py:4: a.regions[1]: there is no region 'use'; did you mean 'us'?"]),
    (IMPORT + "@check(tags='api')\nasync def a(t): ...", ["a.py:2: a.tags: 'api' is a string; write a list"]),
    (IMPORT + "@check(id='a b')\nasync def a(t): ...", ["a.py:2: a.id: 'a b' cannot be an id; use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_'"]),
    (IMPORT + "@journey(evidence={'trce': 'on'})\nasync def a(t):\n    t.step(1)", ["a.py:2: a.evidence.trce: there is no such key; did you mean 'trace'?"]),
    (IMPORT + "@journey(evidence='on')\nasync def a(t):\n    t.step(1)", ['a.py:2: a.evidence: \'on\' is not a policy for all evidence; write one of "off", "full"']),
    # its steps
    (
        IMPORT + "@check\nasync def a(t):\n    t.step('x')\n    if t:\n        t.step('x')",
        ["a.py:6: a: the step 'x' was there already, in line 4; give it another name"],
    ),
    (IMPORT + "@journey\nasync def a(t): ...", ['a.py:2: warning: a: the journey has no steps; write `async with t.step("…"):` around each part of it']),
    (IMPORT + "async def b(t): ...\n@journey\nasync def a(t):\n    await b(t)", []),
    (IMPORT + "@check\nasync def a(t): ...", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "messages"), TABLE, ids=range(len(TABLE)))
def test_says(folder: Folder, text: str, messages: list[str]) -> None:
    path = folder(a__py=text, _broken__py="def f()", _raises__py="raise RuntimeError('no')")
    # A helper that fails is found beside the file only while that is imported.
    assert said(path) == messages


def test_everything_at_once_from_all_files(folder: Folder) -> None:
    path = folder(
        '[probe]\nregon = "x"\n' + SHOP + '[[check]]\nname = "same"\n',
        a__py="1 / 0",
        b__py=IMPORT + "@check(target='x', every='often')\nasync def same(t): ...\n",
        c__py=IMPORT + "@check\nasync def other(t): ...\n@check(id='other')\nasync def third(t): ...\n",
    )
    assert [line.split(": ")[:2] for line in said(path)] == [
        ["config.toml:2", "probe.regon"],
        ["a.py:1", "importing it failed"],
        ["b.py:2", "same.every"],
        ["b.py:2", "same.target"],
        ["b.py:2", "same"],
        ["c.py:4", "other"],
    ]


def test_duplicate_ids_in_toml_are_said_once(folder: Folder) -> None:
    path = folder(SHOP + '[[check]]\nname = "a"\n[[check]]\nname = "a"\n')
    assert len(said(path)) == 1


def test_a_config_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    assert said(tmp_path / "no.toml") == [
        "no.toml: cannot read it: No such file or directory; name another with --config"
    ]


def test_a_file_that_cannot_be_read(folder: Folder, tmp_path: Path) -> None:
    path = folder()
    (tmp_path / "checks" / "a.py").symlink_to(tmp_path / "nowhere.py")
    assert said(path) == ["a.py: cannot read it: No such file or directory"]


def test_secrets_do_not_show(folder: Folder) -> None:
    path = folder(a__py="import os\nraise ValueError(os.environ.get('X', 'hunter22') + ' is wrong')")
    assert said(path, SHOP_TOKEN="hunter22") == ["a.py:2: importing it failed: ValueError: *** is wrong"]


def test_warnings_are_handed_over(folder: Folder) -> None:
    path = folder(a__py=IMPORT + "@journey\nasync def a(t): ...")
    found: list[Diagnostic] = []
    config = load_config(path, environ={}).config
    assert len(loader.load_checks(config, on_warning=found.append)) == 1
    assert [d.what for d in found] == ["the journey has no steps"]
    loaded = loader.load(path, environ={})
    assert (loaded.config, len(loaded.checks), loaded.warnings) == (config, 1, tuple(found))


def test_mistakes_raise(folder: Folder) -> None:
    config = load_config(folder(a__py="1 / 0"), environ={}).config
    with pytest.raises(ConfigError, match="division by zero"):
        loader.load_checks(config)


@pytest.fixture
def three(folder: Folder) -> tuple[CheckSpec, ...]:
    path = folder(
        a__py=IMPORT
        + "@check(tags=['buy'])\nasync def shop_cart(t): ...\n@check(tags=['buy', 'slow'])\nasync def shop_pay(t): ...\n",
        b__py=IMPORT + "@check\nasync def login(t): ...\n",
    )
    return checks_of(path)


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ([], ["shop_cart", "shop_pay", "login"]),
        (["login", "shop_cart"], ["shop_cart", "login"]),
        (["shop*"], ["shop_cart", "shop_pay"]),
        (["tag:slow"], ["shop_pay"]),
        (["tag:buy", "login"], ["shop_cart", "shop_pay", "login"]),
        (["b.py"], ["login"]),
        (["checks/a.py"], ["shop_cart", "shop_pay"]),
    ],
)
def test_select(three: tuple[CheckSpec, ...], names: list[str], ids: list[str]) -> None:
    assert [check.id for check in loader.select(three, names)] == ids


def test_select_by_a_path_from_here(three: tuple[CheckSpec, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(three[-1].source.file)
    monkeypatch.chdir(source.parent)
    inside = tuple(
        replace(check, source=Source(file=f"../checks/{Path(check.source.file).name}", line=1)) for check in three
    )
    assert [check.id for check in loader.select(inside, ["b.py"])] == ["login"]
    assert [check.id for check in loader.select(three, [str(source)])] == ["login"]


def test_select_what_is_not_there(three: tuple[CheckSpec, ...]) -> None:
    with pytest.raises(ConfigError) as raised:
        loader.select(three, ["logn", "tag:bu", "login", "zzz", "no.py"])
    assert str(raised.value).splitlines() == [
        "command line: there is no check 'logn'; did you mean 'login'?",
        "command line: there is no check 'tag:bu'; did you mean 'tag:buy'?",
        "command line: there is no check 'zzz'; known: login, shop_cart, shop_pay",
        "command line: there is no check 'no.py'; known: login, shop_cart, shop_pay",
    ]
    with pytest.raises(ConfigError, match="the config has no checks"):
        loader.select((), ["a"])


def test_loading_imports_no_playwright(folder: Folder) -> None:
    path = folder(a__py="from probe.authoring.decorators import journey\n@journey\nasync def a(t):\n    t.step(1)\n")
    program = (
        "import sys; from pathlib import Path; from probe.loader import load\n"
        f"assert len(load(Path({str(path)!r}), environ={{}}).checks) == 1\n"
        "print(sorted({'playwright', 'aiohttp', 'rich', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
