"""`probe status-page build` and `probe report slo`, as a user types them, over what a real daemon's store wrote."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from probe.cli.status_page import write_folder
from probe.core.check import CheckId
from probe.core.incident import Incident, IncidentId, Member, Verdict
from probe.core.people import NoticeUpdate, Standing
from probe.core.rules import Severity
from probe.core.run import RunId
from probe.core.state import Change, Tally
from probe.ports import Record
from probe.store.people import open_people
from probe.store.settings import StoreSettings
from probe.store.sqlite import open_store
from tests.cli.world import BROKEN, CANARY, OPEN, configure, fill
from tests.web.daemon import unix_sockets_allowed

PAGE = """
[status_page]
title = "Shop"
url = "https://status.example"
[[status_page.component]]
name = "Paying"
checks = ["checkout", "cart"]
[[status_page.component]]
name = "Cart"
checks = ["cart"]
"""
NAMES = ["status.css", "feed.atom", "status.json", "badge.svg", "badge/paying.svg", "badge/cart.svg", "index.html"]


@pytest.fixture(autouse=True)
def _unix_sockets() -> Iterator[None]:
    """The daemon is asked, if there is one."""
    with unix_sockets_allowed():
        yield


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """A bad night, and the 10th of the month before, at noon: ten of a thousand runs were bad, six of them in an outage."""
    folder = tmp_path_factory.mktemp("night")
    configure(folder, PAGE)
    now = fill(folder)
    noon = (now.replace(day=1) - timedelta(days=1)).replace(day=10, hour=12, minute=0, second=0, microsecond=0)
    asyncio.run(remember(folder / "data", noon))
    return folder, noon


async def remember(data: Path, noon: datetime) -> None:
    hour = timedelta(hours=1)
    tallies = [Tally(objective="checkout", at=at, good=495, bad=bad) for at, bad in ((noon, 6), (noon + hour, 4))]
    member = Member(
        check=CheckId("checkout"), regions=("local",), since=noon, run=RunId("r"), failure=BROKEN, recovered=noon + hour
    )
    over = Incident(
        id=IncidentId("past"),
        cause="shop.example",
        verdict=Verdict.DOWN,
        severity=Severity.PAGE,
        since=noon,
        opened=noon,
        resolved=noon + hour,
        members=MappingProxyType({member.check: member}),
    )
    async with open_store(StoreSettings(path=data, ballast=0)) as store:
        await store.commit(
            Record(changes=(Change(tallies=tuple(tallies), incidents={"past": over}),), alive=datetime.now(UTC))
        )


def test_a_folder_for_any_web_server(cli: Any, night: tuple[Path, datetime]) -> None:
    """All files, which lead to each other wherever they are put, and hold nothing of ours; nobody can report there."""
    folder, _ = night
    result = cli(folder, "status-page", "build", "--out", "public/status")
    assert result.exit_code == 0
    assert result.stdout == f"public/status: {', '.join(NAMES)}; the state is down\n"
    out = folder / "public/status"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == sorted(NAMES)
    page = (out / "index.html").read_text()
    assert "There is an outage" in page
    assert "<form" not in page
    assert all(f'href="{name}"' in page for name in ("status.css", "feed.atom", "status.json", "badge.svg"))
    assert 'href="/' not in page
    for path in out.rglob("*.*"):
        text = path.read_text()
        assert all(word not in text for word in (CANARY, "shop.example", "api/cart", "us-east", str(OPEN), "checkout"))
        assert path.stat().st_mode & 0o777 == 0o644
    state = json.loads((out / "status.json").read_text())
    assert [(part["name"], part["state"]) for part in state["components"]] == [("Paying", "down"), ("Cart", "down")]
    assert not (folder / "data/people.sqlite3").exists()


def test_again_over_the_old_one(cli: Any, night: tuple[Path, datetime]) -> None:
    """Files are replaced, badges of parts that are no more are taken away, and what is not ours stays."""
    folder, _ = night
    out = folder / "again"
    cli(folder, "status-page", "build", "--out", str(out))
    (out / "badge/mine.svg").write_text("mine")
    inode = (out / "index.html").stat().st_ino
    opened = (out / "index.html").open()
    document = json.loads((out / "status.json").read_text())
    document["components"].pop()
    write_folder(out, document, None)
    with opened:
        assert opened.read().endswith("</html>")  # whoever reads the old one reads all of it
    assert (out / "index.html").stat().st_ino != inode
    assert sorted(path.name for path in (out / "badge").iterdir()) == ["mine.svg", "paying.svg"]
    (out / "logo.svg").write_text("mine")
    for foreign in ('{"components": [{"slug": "../logo"}]}', '{"components": [7]}', "nonsense"):
        (out / "status.json").write_text(foreign)
        write_folder(out, document, None)
    assert (out / "logo.svg").exists()
    assert list(out.rglob(".*")) == []


def test_what_stops_it(cli: Any, night: tuple[Path, datetime], tmp_path: Path) -> None:
    """No page configured: 2. A folder that cannot be written: 3, with the reason."""
    configure(tmp_path)
    none = cli(tmp_path, "status-page", "build", "--out", "public")
    assert none.exit_code == 2
    assert "has no status page: add [[status_page.component]]" in none.stderr
    (tmp_path / "file").write_text("")
    full = cli(night[0], "status-page", "build", "--out", str(tmp_path / "file" / "deeper"))
    assert full.exit_code == 3
    assert "cannot write to" in full.stderr
    assert "Not a directory; name another folder with --out" in full.stderr


def test_with_what_operators_told(cli: Any, night: tuple[Path, datetime]) -> None:
    """Notices are where the daemon keeps them; as JSON the command says what it wrote."""
    folder, now = night
    with open_people(folder / "data") as people:
        people.add_notice("Cards", ["paying"], now, NoticeUpdate(at=now, standing=Standing.IDENTIFIED, text="A cable."))
    result = json.loads(cli(folder, "status-page", "build", "--out", "told", "--json").stdout)
    assert (result["files"], result["state"], result["exit"]) == (NAMES, "down", 0)
    assert "A cable." in (folder / "told/index.html").read_text()
    assert 'href="https://status.example#notice-1"' in (folder / "told/feed.atom").read_text()
    (folder / "data/people.sqlite3").unlink()


def test_the_month_on_the_terminal(cli: Any, night: tuple[Path, datetime]) -> None:
    """A line for each objective, then what it cost; 1 when a promise is broken."""
    folder, noon = night
    result = cli(folder, "report", "slo", "--month", f"{noon:%Y-%m}")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].startswith(f"Objectives in {noon:%Y-%m}, until ")
    assert not lines[0].endswith("so far")
    assert lines[2] == "checkout 99.9 % 99 % broken 10 1.0 1000 % 100 %"
    assert 'checkout: 6 bad in past (DOWN: shop.example, checkout at step "add to cart")' in lines
    assert "checkout: 4 bad outside of incidents" in lines
    assert CANARY not in result.stdout
    assert result.exit_code == 1
    running = cli(folder, "report", "slo")
    assert running.stdout.splitlines()[0].endswith("so far")


def test_the_month_as_files(cli: Any, night: tuple[Path, datetime]) -> None:
    folder, noon = night
    month = f"{noon:%Y-%m}"
    result = cli(folder, "report", "slo", "--month", month, "--html", "month.html", "--csv", "month.csv")
    assert result.stdout == "wrote month.html and month.csv\n"
    assert f"Objectives in {month}" in (folder / "month.html").read_text()
    rows = list(csv.DictReader(io.StringIO((folder / "month.csv").read_bytes().decode(), newline="")))
    assert [(row["objective"], row["bad"]) for row in rows] == [
        ("checkout", "10"),
        ("checkout/latency", "0"),
        ("rare", "0"),
    ]
    cli(folder, "report", "slo", "--month", month, "--csv", "days.csv", "--days")
    assert f"checkout,{noon:%Y-%m-%d},990,10,0" in (folder / "days.csv").read_text().splitlines()
    document = json.loads(cli(folder, "report", "slo", "--month", month, "--json").stdout)
    assert [one["bad"] for one in document["objectives"]] == [10, 0, 0]
    assert document["exit"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--month", "october"), "--month: 'october' is not a month"),
        (("--month", "2199-01"), "--month: 2199-01 has not begun"),
        (("--days",), "--days goes with --csv FILE"),
    ],
)
def test_what_is_asked_wrongly(cli: Any, night: tuple[Path, datetime], arguments: tuple[str, ...], said: str) -> None:
    result = cli(night[0], "report", "slo", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    unwritable = cli(night[0], "report", "slo", "--html", "no/such/folder.html")
    assert (unwritable.exit_code, "cannot write no/such/folder.html" in unwritable.stderr) == (3, True)
