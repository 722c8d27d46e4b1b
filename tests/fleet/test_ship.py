"""Evidence of failed runs gets to where the fleet keeps it: once, after the runs, into the database or a real bucket."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from boto3.session import Session

from probe.core.run import Artifact, Observation, Outcome, Run, RunId
from probe.errors import ProbeError, StoreUnavailable
from probe.fleet import evidence
from probe.fleet.bucket import BucketDepot
from probe.fleet.evidence import DatabaseDepot, Shipper
from probe.fleet.outbox import SqliteOutbox
from probe.fleet.shown import BucketShelf
from probe.ports import Record
from tests.fleet.nodes import AWAY
from tests.fleet.test_link import memory_hub
from tests.store.builders import DOWN, run, store_in


def with_files(folder: Path, number: int, *names: str, outcome: Outcome = Outcome.FAILED, region: str = "eu") -> Run:
    """A run, and its files on the disk."""
    home = folder / "cart" / f"run-{number}"
    home.mkdir(parents=True)
    artifacts = []
    for name in names:
        (home / name).write_bytes(f"{name} of {number}".encode())
        artifacts.append(Artifact(kind="log", path=str(home / name), size=(home / name).stat().st_size))
    failures = (DOWN,) if outcome is Outcome.FAILED else ()
    seen = Observation(failures=failures, artifacts=tuple(artifacts))
    return run(number, id=RunId(f"run-{number}"), outcome=outcome, observation=seen, region=region)


async def test_files_of_failed_runs_that_were_delivered_are_shipped_once(tmp_path: Path) -> None:
    hub = memory_hub()
    files = tmp_path / "evidence"
    until = 3
    async with store_in(tmp_path) as store:
        await store.commit(Record(runs=(with_files(files, 0, "a.png"),)))
        await SqliteOutbox(store).join("eu")
        await SqliteOutbox(store).join("us")
        runs = [
            with_files(files, 1, "screenshot.png", "network.har"),
            with_files(files, 2, "trace.zip", outcome=Outcome.PASSED),
            with_files(files, 3, "gone.png", "console.log", ".odd", region="us"),
            with_files(files, 4, "last.png"),
            with_files(files, 5, "former.png", region="of another time"),
        ]
        (files / "cart" / "run-3" / "gone.png").unlink()
        await store.commit(Record(runs=tuple(runs)))
        shipper = Shipper(store, DatabaseDepot(hub), lambda: until, lambda: False)
        assert not await shipper.step()
        assert set(hub.files) == {("run-1", "screenshot.png"), ("run-1", "network.har")}, (
            "before the fleet, or not delivered"
        )
        until = 6
        hub.fail = AWAY
        with pytest.raises(ProbeError):
            await shipper.step()
        hub.fail = None
        await shipper.step()
        await shipper.step()
    assert set(hub.files) == {
        ("run-1", "screenshot.png"),
        ("run-1", "network.har"),
        ("run-3", "console.log"),
        ("run-4", "last.png"),
    }
    assert hub.files["run-3", "console.log"] == b"console.log of 3"


async def test_many_are_shipped_in_turns_and_not_while_runs_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(evidence, "LOOK", 0.01)
    monkeypatch.setattr(evidence, "AGAIN", 0.01)
    hub = memory_hub()
    async with store_in(tmp_path) as store, asyncio.TaskGroup() as group:
        await SqliteOutbox(store).join("eu")
        await store.commit(Record(runs=tuple(with_files(tmp_path / "evidence", n, "console.log") for n in range(50))))
        busy = True
        hub.fail = AWAY
        shipper = Shipper(store, DatabaseDepot(hub), lambda: 50, lambda: busy)
        task = group.create_task(shipper.run(), name="ship")
        await asyncio.sleep(0.1)
        assert caplog.text == ""
        busy = False
        await asyncio.sleep(0.2)
        hub.fail = None
        async with asyncio.timeout(10):
            while len(hub.files) < 50:
                await asyncio.sleep(0.02)
        task.cancel()
    assert caplog.text.count("evidence stays here for now") == 1


# --- a bucket -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A real S3 over HTTP (moto's server, in a process of its own); gives its address."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    code = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        while b"Running on" not in (line := server.stderr.readline()):
            assert line, "moto's server did not start"
        yield f"http://127.0.0.1:{port}"
        server.kill()


@pytest.fixture
def credentials(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return s3


async def test_a_bucket_gets_each_file_under_region_and_run(credentials: str) -> None:
    client = await asyncio.to_thread(lambda: Session().client("s3"))
    place = {"LocationConstraint": "eu-west-1"}
    await asyncio.to_thread(lambda: client.create_bucket(Bucket="evidence", CreateBucketConfiguration=place))
    depot = BucketDepot("s3://evidence/probe/")
    await depot.keep("eu", "run-1", "screenshot.png", b"png")
    await depot.keep("eu", "run-1", "screenshot.png", b"png")
    await BucketDepot("s3://evidence").keep("us", "run-2", "console.log", b"log")
    found = await asyncio.to_thread(lambda: client.list_objects_v2(Bucket="evidence")["Contents"])
    assert [one["Key"] for one in found] == ["probe/eu/run-1/screenshot.png", "us/run-2/console.log"]
    got = await asyncio.to_thread(lambda: client.get_object(Bucket="evidence", Key=found[0]["Key"]))
    assert (await asyncio.to_thread(got["Body"].read), got["ContentType"]) == (b"png", "image/png")


async def test_a_bucket_that_is_not_there_or_does_not_answer_is_trouble_in_words(
    credentials: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProbeError, match=r"s3://nobody does not take evidence: .*NoSuchBucket"):
        await BucketDepot("s3://nobody").keep("eu", "run-1", "a.png", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ProbeError, match="does not take evidence"):
        await BucketDepot("s3://evidence").keep("eu", "run-1", "a.png", b"")


async def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(ProbeError, match=r"probe-synthetics\[s3\]"):
        await BucketDepot("s3://evidence").keep("eu", "run-1", "a.png", b"")


async def test_what_a_bucket_got_can_be_looked_at(credentials: str, tmp_path: Path) -> None:
    """Under the names that the run has; a file that is not there is none, and so is one that it does not name."""
    client = await asyncio.to_thread(lambda: Session().client("s3"))
    place = {"LocationConstraint": "eu-west-1"}
    await asyncio.to_thread(lambda: client.create_bucket(Bucket="shown", CreateBucketConfiguration=place))
    await BucketDepot("s3://shown/probe").keep("eu", "run-1", "a.png", b"png")
    made = with_files(tmp_path, 1, "a.png", "gone.log")
    shelf = BucketShelf("s3://shown/probe/")

    def look() -> list[object]:
        return [shelf.names(made), shelf.read(made, "a.png"), shelf.read(made, "gone.log"), shelf.read(made, "odd")]

    assert await asyncio.to_thread(look) == [{"a.png"}, b"png", None, None]
    assert await asyncio.to_thread(BucketShelf("s3://shown").names, made) == frozenset()
    with pytest.raises(StoreUnavailable, match="s3://elsewhere does not show evidence"):
        await asyncio.to_thread(BucketShelf("s3://elsewhere").names, made)
