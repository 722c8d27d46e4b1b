"""One fleet, cut apart as networks are: nothing of ours is put down to the shop, and nothing of the shop's is missed.

And somebody has the machine of a region, with all that is on it: what they can do, they can do in its name only.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab.chaos import EVERYBODY, all_report
from tests.lab.crime import answers, attempts
from tests.lab.fleet import Fleet, fleet
from tests.lab.verify import accepted, is_delivered
from tests.lab.world import CANARY, EVERY, HOOK, HUB, REGIONS, SHOP, STOCK

pytestmark = pytest.mark.asyncio(loop_scope="module")
OWN, OTHER = "eu", "us"
ROUNDS = """
SELECT check_id, region, count(*) AS failed FROM runs JOIN places ON places.id = place
WHERE outcome = 'failed' AND why = 'scheduled' AND check_id IN ('level', 'price') AND started <=
(SELECT min(at) FROM timeline JOIN incidents ON incidents.id = incident WHERE what = 'opened' AND cause = '{cause}')
GROUP BY check_id, region
"""
"""How often each check of the stock had failed from each region when that was told."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(lab: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """A fleet that is well; each test leaves it so."""
    async with fleet(tmp_path_factory.mktemp("fleet"), seed=1) as found:
        await found.start(*EVERYBODY)
        await found.wait(lambda: all_report(found), "every check was judged from every region", alive=EVERYBODY)
        yield found


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _mended(made: Fleet) -> AsyncIterator[None]:
    """Whatever a test that failed has cut is no trouble of the next."""
    yield
    await made.mend_all()


async def test_what_is_cut_is_told_for_what_it_is(made: Fleet) -> None:
    """First the way from one region to the shop: its control runs are well and it reaches the database, so it is the shop, from there.

    Then a region's way to the database: a ticket about the region, not a word about any target. Then, while it is away, a
    target fails: paged once by the others, at once. What the region saw meanwhile arrives when it is back, all
    of it, and tells nothing.
    """
    await made.cut("asia", SHOP)
    await made.wait(lambda: made.about(SHOP, "opened"), "it is told that the shop is down from asia")
    await made.mend("asia", SHOP)
    first, *_ = made.about(SHOP)
    assert (first["verdict"], first["severity"], first["regions"]) == ("regional", "ticket", ["asia"])

    await made.cut("eu", HUB)
    await made.wait(lambda: made.about("stale:eu"), "it is told that eu is silent")
    assert causes(made) == {made.net.hosts[SHOP], "stale:eu"}
    assert made.about("stale:eu")[0]["severity"] == "ticket"

    made.fail(STOCK)
    await made.wait(lambda: is_paged(made, STOCK), "somebody is paged that the stock is down")
    made.heal(STOCK)
    rounds = await made.hub(ROUNDS.format(cause=made.net.hosts[STOCK]))
    assert rounds
    # Two on a quiet machine, which is proved on virtual time (tests/core/test_quorum.py); a busy one lags by some seconds.
    assert all(row["failed"] <= 5 for row in rounds), rounds

    await made.mend("eu", HUB)
    was = await accepted(made)
    await made.wait(lambda: is_delivered(made, was), "eu has delivered what it had accepted")
    for cause in (SHOP, STOCK, "stale:eu"):
        await made.wait(lambda cause=cause: made.about(cause, "resolved"), f"it is told that it is over: {cause}")  # type: ignore[misc]  # a lambda with a default
    await asyncio.sleep(EVERY)
    assert {notice["severity"] for notice in made.about(SHOP)} == {"ticket"}
    for cause in (SHOP, STOCK, "stale:eu"):
        told = [notice["reason"] for notice in made.about(cause)]
        assert (told.count("opened"), told.count("resolved"), told.count("reopened")) == (1, 1, 0), (cause, told)
    assert causes(made) == {made.net.hosts[SHOP], made.net.hosts[STOCK], "stale:eu"}


async def test_its_credentials_are_good_for_its_own_region_only(made: Fleet) -> None:
    """Tried from its network, with what is in its files, against the database that the fleet works with just then."""
    (source,) = await made.hub(f"SELECT source, node FROM sources WHERE region = '{OTHER}'")
    (config,) = await made.hub("SELECT hash FROM configs WHERE standing = 'current'")
    tried = attempts(OWN, OTHER, source["node"], source["source"], config["hash"])
    url = (made.folder / OWN / "database").read_text()
    said = await asyncio.to_thread(
        answers,
        url,
        made.net.namespaces[OWN],
        {"speak for its own region": "SELECT probe.bundle('eu', '')", **{what: tried[what][0] for what in tried}},
    )
    assert said.pop("speak for its own region") == ""
    assert said.keys() == tried.keys()
    wrong = [f"{what}: {said[what] or 'it was done'}" for what in tried if tried[what][1] not in said[what]]
    assert wrong == []


async def test_no_secret_of_those_who_judge_is_on_its_machine_or_for_it_to_fetch(made: Fleet) -> None:
    body = made.database.psql(
        f"SELECT encode(body, 'hex') FROM probe.bundles WHERE region = '{OWN}' ORDER BY hash LIMIT 1"
    )
    packed = bytes.fromhex(body)
    texts = {"what it is told": packed + unpacked(packed)}
    for file in (made.folder / OWN).rglob("*"):
        if file.is_file():
            texts[str(file)] = file.read_bytes()
    hook = made.net.hosts[HOOK]
    for where, text in texts.items():
        assert CANARY.encode() not in text, where
        assert hook.encode() not in text, f"where the alerts go is in {where}"
    mine = (made.folder / OWN / "database").read_text()
    for region in REGIONS:
        theirs = made.credentials(region)[1]
        assert (theirs in mine) == (region == OWN)


def causes(made: Fleet) -> set[str]:
    """What was told of."""
    return {notice["cause"] for notice in made.notices()}


def is_paged(made: Fleet, target: str) -> bool:
    """Whether a page about a target has come."""
    return any(notice["severity"] == "page" for notice in made.about(target))


def unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return b""
