"""What `probe validate` expects of a configuration: how soon outages are told, and what cannot be judged."""

from pathlib import Path

import pytest

from probe.cli.outlook import print_outlook, shapes_of, unjudgeable
from probe.cli.progress import telling
from probe.cli.selection import Selection, select_jobs
from probe.cli.table import console
from probe.config.rules import rules_of
from probe.core.rules import Objective

SHOP = '[targets.shop]\nurl = "https://shop.example"\n'


def selection(folder: Path, text: str) -> Selection:
    path = folder / "config.toml"
    path.write_text(SHOP + text)
    return select_jobs(path, (), environ={})


def objectives(found: Selection) -> list[Objective]:
    rules, _ = rules_of(found.config, {job.spec.id: job.spec for job in found.jobs}.values())
    return list(rules.objectives.values())


def test_checks_of_the_same_shape_are_simulated_once(tmp_path: Path) -> None:
    text = "".join(
        f'[[check]]\nname = "{name}"\nevery = "{every}"\n' for name, every in (("a", "1m"), ("b", "2m"), ("c", "1m"))
    )
    shapes = shapes_of(selection(tmp_path, text))
    assert [(shape.every, [spec.id for spec in specs]) for shape, specs in shapes.items()] == [
        (60, ["a", "c"]),
        (120, ["b"]),
    ]


def test_the_outlook_of_a_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = selection(tmp_path, '[[check]]\nname = "home"\nevery = "1m"\n')
    with telling("simulating") as tell:
        print_outlook(console(), found, objectives(found), tell)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("time from the start of an outage to the page: earliest / typical / worst in twenty")
    assert " ".join(said[1].split()) == "check total half of the requests one step false pages a month"
    name, first, *_ = said[2].split()
    assert (name, first.isdecimal()) == ("home", True)
    assert said[3].startswith("false pages: at most 0.082 a month and check from stray failures")
    assert said[4].startswith("what would help home most: ")


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    text = (
        '[slo.rare]\nobjective = "99%"\n[slo.strict]\nobjective = "99.99%"\n[slo.plain]\nobjective = "99.9%"\n'
        '[[check]]\nname = "a"\nevery = "1d"\nslo = "rare"\n[[check]]\nname = "b"\nevery = "10s"\nslo = "strict"\n'
        '[[check]]\nname = "c"\nevery = "1m"\nslo = "plain"\n'
    )
    found = selection(tmp_path, text)
    said = list(unjudgeable(objectives(found), found))
    assert [line.split()[1] for line in said] == ["rare", "strict"]
    assert "(0.3 in its window); it takes an interval of 7h12m at most" in said[0]
    assert "0.0001 of them may be bad; lower the objective" in said[1]
