"""Which checks run from where, in a fleet: what this process runs, and what the fleet does."""

from pathlib import Path

import pytest

from probe.cli.selection import select_jobs
from probe.errors import ConfigError

FLEET = "[store]\nurl = 'postgresql://ann@127.0.0.1/probe'\n[fleet]\n"
SHOP = "[targets.shop]\nurl = 'https://shop.example'\n[[check]]\nname = 'home'\n[regions.eu]\nagent = true\n"


def places(path: Path, text: str, *, everywhere: bool) -> list[str]:
    path.write_text(text)
    return [job.region.name for job in select_jobs(path, (), everywhere=everywhere, environ={}).jobs]


def test_the_regions_of_agents_are_told_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert places(path, FLEET + SHOP, everywhere=False) == ["local"]
    assert places(path, FLEET + SHOP, everywhere=True) == ["eu", "local"]


def test_a_node_that_only_judges_runs_nothing(tmp_path: Path) -> None:
    path, text = tmp_path / "config.toml", FLEET + "role = 'evaluate'\n" + SHOP
    assert places(path, text, everywhere=True) == ["eu"]
    with pytest.raises(ConfigError, match="no check runs from the chosen regions"):
        places(path, text, everywhere=False)


def test_an_agents_own_file_is_no_mistake(tmp_path: Path) -> None:
    path, text = tmp_path / "config.toml", FLEET + f"role = 'agent'\n[probe]\nregion = 'eu'\ndata = '{tmp_path}'\n"
    assert places(path, text, everywhere=True) == []
    with pytest.raises(ConfigError, match="an agent gets them from the database"):
        places(path, text, everywhere=False)


def test_without_a_fleet_there_must_be_checks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no check"):
        places(tmp_path / "config.toml", "[regions.eu]\n", everywhere=True)
