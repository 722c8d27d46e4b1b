"""Locked, full, damaged, too new, not writable, taken: each has a defined end, and words that say what to do."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from probe.core.check import CheckId
from probe.core.run import Observation, RunId
from probe.core.state import Change
from probe.errors import StoreUnavailable
from probe.ports import Record
from probe.store.sqlite import SqliteStore
from tests.core.builders import NOW
from tests.store.builders import at, read, run, store_in, suspected

pytestmark = pytest.mark.asyncio
SCENARIOS = Path(__file__).parent / "on_small_disk.py"


async def pragma(store: SqliteStore, words: str) -> Any:
    """Something said to the store's own connection, outside of a transaction."""

    def say() -> Any:
        connection = store._database._connection
        assert connection is not None
        raw = connection.connection.driver_connection
        assert raw is not None
        return raw.execute(words).fetchone()

    return await store._writer.run(say)


def big(number: int, check: str = "cart") -> Record:
    """A record that needs some pages."""
    return Record(
        runs=(run(number, check=check, observation=Observation(log=(os.urandom(15_000).hex(),))),), alive=at(number)
    )


async def other_program(folder: Path, words: str) -> sqlite3.Connection:
    """Somebody else's connection that has said something."""

    def say() -> sqlite3.Connection:
        connection = sqlite3.connect(folder / "probe.db", isolation_level=None, check_same_thread=False)
        connection.execute(words)
        return connection

    return await asyncio.to_thread(say)


async def refused(folder: Path, **given: Any) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as caught:
        async with store_in(folder, **given):
            pass
    return caught.value


async def test_locked_by_another_program(tmp_path: Path) -> None:
    """A commit fails after a little while, has changed nothing, and succeeds when the other has let go."""
    async with store_in(tmp_path, patience=at(0.001) - NOW) as store:
        await store.commit(Record(runs=(run(1),)))
        other = await other_program(tmp_path, "BEGIN IMMEDIATE")
        try:
            with pytest.raises(StoreUnavailable, match=r"probe\.db is locked by another program") as caught:
                await store.commit(Record(runs=(run(2),), alive=at(2)))
            assert not caught.value.lasting
        finally:
            await asyncio.to_thread(other.close)
        assert (await store.restore()).alive is None
        await store.commit(Record(runs=(run(2),), alive=at(2)))
        assert (await store.restore()).alive == at(2)


async def test_full(tmp_path: Path) -> None:
    """Without room a commit fails and has changed nothing; what is stored can be read; with room it goes on."""
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(run(0),), alive=at(0)))
        (pages,) = await pragma(store, "PRAGMA page_count")
        await pragma(store, f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreUnavailable, match="no room left") as caught:
            await store.commit(big(1, "new"))
        assert not caught.value.lasting
        assert (await store.restore()).alive == at(0)
        await pragma(store, f"PRAGMA max_page_count = {pages + 100}")
        await store.commit(big(1, "new"))
        assert (await store.restore()).alive == at(1)
    assert [r.id for r in await read(tmp_path, lambda reader: reader.history("new"))] == ["run-1"]


async def test_the_ballast_is_given_up_for_the_second_try(tmp_path: Path) -> None:
    """The first commit that finds no room removes it and goes on; from then on room is low, until it is there again."""
    async with store_in(tmp_path, ballast=2**20) as store:
        ballast = tmp_path / "ballast"
        assert (ballast.stat().st_size, ballast.stat().st_blocks * 512 >= 2**20, store.low_on_space) == (
            2**20,
            True,
            False,
        )
        await store.commit(Record(runs=(run(0),)))
        (pages,) = await pragma(store, "PRAGMA page_count")
        await pragma(store, f"PRAGMA max_page_count = {pages}")
        shrink = store._database._shrink

        def shrink_and_make_room(connection: Any) -> None:
            shrink(connection)
            raw = connection.connection.driver_connection
            raw.execute(f"PRAGMA max_page_count = {pages + 100}").close()

        store._database._shrink = shrink_and_make_room  # type: ignore[method-assign]  # the room that the ballast leaves
        await store.commit(big(1))
        assert (ballast.exists(), store.low_on_space) == (False, True)
        await store.commit(Record(alive=at(5)))
        assert store.low_on_space
        await store.tidy(NOW)
        assert (ballast.stat().st_size, store.low_on_space) == (2**20, False)
    assert [r.id for r in await read(tmp_path, lambda reader: reader.history("cart"))] == ["run-1", "run-0"]


def on_small_disk(name: str) -> dict[str, Any]:
    """What a scenario tells that runs on a file system of 8 MiB of its own, in a mount namespace."""
    own = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
    script = [*own, sys.executable, "-m", "tests.store.on_small_disk", name]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


async def test_a_disk_that_is_really_full() -> None:
    """The ballast lets commits go on; beyond it they fail and nothing is lost; with room all is well, and it is back."""
    told = await asyncio.to_thread(on_small_disk, "full")
    assert told["ballast gone before the first failure"]
    assert told["low while evidence would do harm"]
    assert told["commits on the ballast"] > 5
    assert "no room left" in told["error"]
    assert told["accepted"] == told["stored"]
    assert told["integrity"] == "ok"
    assert not told["ballast made from the last room"]
    assert told["afterwards"] == {"committed": True, "low": False, "ballast": True}


async def test_a_file_system_that_is_read_only() -> None:
    """It is said at the start, for good, also to root; what is there can be read."""
    told = await asyncio.to_thread(on_small_disk, "read-only")
    assert "cannot be written: chown it" in told["folder"]
    assert told["lasting"]
    assert told["read"] == ["run-1"]


async def test_it_becomes_read_only_while_it_runs(tmp_path: Path) -> None:
    """A commit says so, and that it lasts."""
    async with store_in(tmp_path) as store:
        await pragma(store, "PRAGMA query_only = 1")
        with pytest.raises(StoreUnavailable, match="cannot be written: chown it") as caught:
            await store.commit(Record(alive=NOW))
        assert caught.value.lasting


async def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A folder of data below a file cannot be made: said at the start, with its path."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "data", tmp_path / "file"):
        error = await refused(folder)
        assert error.lasting
        assert str(error).startswith(f"{folder} cannot be made or opened")


async def test_not_a_database(tmp_path: Path) -> None:
    """Something else under that name, or a database that is not ours, is left alone."""
    path = tmp_path / "probe.db"
    path.write_bytes(b"hello, this is no database at all" * 200)
    error = await refused(tmp_path)
    assert (error.lasting, "is damaged: stop probe, move" in str(error)) == (True, True)
    path.unlink()
    other = await other_program(tmp_path, "CREATE TABLE photos (a)")
    await asyncio.to_thread(other.close)
    error = await refused(tmp_path)
    assert (error.lasting, "is a database, but not one of probe's" in str(error)) == (True, True)


async def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    """Is refused, by the store and by the reader, and says which schema it has."""
    async with store_in(tmp_path) as store:
        await pragma(store, "UPDATE alembic_version SET version_num = '0999'")
    error = await refused(tmp_path)
    assert (error.lasting, "newer probe (schema 0999" in str(error)) == (True, True)
    with pytest.raises(StoreUnavailable, match="schema 0999"):
        await read(tmp_path, lambda reader: reader.status())


@pytest.mark.parametrize("first", [0, 1])
async def test_a_damaged_file(tmp_path: Path, first: int) -> None:
    """Pages that were overwritten are noticed at the start, or when they are read; never is it taken for the truth."""
    async with store_in(tmp_path) as store:
        states = {CheckId(f"c{n}"): suspected(0) for n in range(500)}
        await store.commit(Record(runs=tuple(run(n) for n in range(200)), changes=(Change(checks=states),)))
    path = tmp_path / "probe.db"
    data = bytearray(path.read_bytes())
    data[first * 4096 + 100 * (first == 0) :] = b"\xa5" * (len(data) - first * 4096 - 100 * (first == 0))
    path.write_bytes(data)
    with pytest.raises(StoreUnavailable, match="is damaged: stop probe") as caught:
        async with store_in(tmp_path) as store:
            await store.restore()
    assert caught.value.lasting


async def test_damage_while_it_runs(tmp_path: Path) -> None:
    """A commit that meets it says so, and that it lasts."""
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=tuple(run(n) for n in range(300))))
        await pragma(store, "PRAGMA wal_checkpoint(TRUNCATE)")
        await pragma(store, "PRAGMA cache_size = 0")
        path = tmp_path / "probe.db"
        data = path.read_bytes()
        path.write_bytes(data[:8192] + b"\xa5" * (len(data) - 8192))
        await pragma(store, "PRAGMA shrink_memory")
        with pytest.raises(StoreUnavailable, match="is damaged") as caught:
            await store.commit(Record(runs=tuple(run(n, id=RunId(f"again-{n}")) for n in range(300)), alive=NOW))
        assert caught.value.lasting


async def test_two_daemons(tmp_path: Path) -> None:
    """The second is refused and told which process has the folder; when that has ended it may."""
    async with store_in(tmp_path):
        error = await refused(tmp_path)
        assert (error.lasting, f"another probe, process {os.getpid()}" in str(error)) == (True, True)
    async with store_in(tmp_path) as store:
        await store.commit(Record(alive=NOW))


async def test_a_state_that_cannot_be_understood(tmp_path: Path) -> None:
    """What another version wrote is not guessed at."""
    async with store_in(tmp_path) as store:
        await pragma(store, """INSERT INTO state VALUES ('check', 'cart', '{"trail": "yesterday"}')""")
        with pytest.raises(StoreUnavailable, match="cannot be read") as caught:
            await store.restore()
        assert caught.value.lasting


async def test_a_store_that_is_closed(tmp_path: Path) -> None:
    """Says so, and does not wait for ever."""
    async with store_in(tmp_path) as store:
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.commit(Record(alive=NOW))
