"""The examples of the documents are run as they stand."""

import asyncio
import os
import re
from pathlib import Path

from probe.compose import compose
from probe.core.run import Outcome
from probe.demo.shop import running_shop
from probe.engine.runner import jobs_of
from probe.loader import load

ROOT = Path(__file__).parent.parent


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    """The pattern still finds them."""
    assert len(blocks("docs/checks.md", "python")) == 3
    assert len(blocks("README.md", "python")) == 1


async def test_python_examples_run(tmp_path: Path) -> None:
    """Each is a whole file; each of its checks passes against the demo shop."""
    folder = tmp_path / "checks"
    folder.mkdir()
    for number, block in enumerate(blocks("docs/checks.md", "python")):
        (folder / f"example{number}.py").write_text(block)
    async with running_shop() as shop:
        config = tmp_path / "config.toml"
        config.write_text(f'[targets.shop]\nurl = "{shop.urls.http}"\nsecrets = {{ card = "4242 4242 4242 4242" }}\n')
        loaded = await asyncio.to_thread(load, config, environ=os.environ)
        async with compose(loaded.config, None) as runner:
            runs = await runner.run_all(jobs_of(loaded.checks, loaded.config.regions))
    assert {run.check for run in runs} == {"cart", "buy_over_api", "buy", "cart_over_api"}
    assert [(run.check, run.failure) for run in runs if run.outcome is not Outcome.PASSED] == []


def test_the_readmes_example_is_valid(tmp_path: Path) -> None:
    """The check in 20 lines and its configuration load together without a word."""
    (tmp_path / "checks").mkdir()
    (code,), (toml, daemon) = blocks("README.md", "python"), blocks("README.md", "toml")
    (tmp_path / "checks/shop.py").write_text(code)
    (tmp_path / "config.toml").write_text(toml + daemon)
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    environ = {"SHOP_TEST_CARD": "4242 4242 4242 4242", "ONCALL_URL": "json://127.0.0.1:1/"}
    loaded = load(tmp_path / "config.toml", environ=environ)
    assert [check.id for check in loaded.checks] == ["home-page", "checkout"]
    assert loaded.warnings == ()
