"""What is looked at in a fleet is the same as of one node: runs, incidents, and the evidence that was shipped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from probe.core.run import Artifact, Observation, RunId
from probe.core.secret import Redactor
from probe.fleet.shown import DatabaseShelf, FleetEvidence
from probe.store.neighbours import first_bad, last_passed, neighbours, runs_between
from probe.store.people import open_people
from probe.store.reader import Reader
from probe.view.documents import IncidentDocument, RunDocument
from probe.view.evidence import LocalEvidence
from probe.view.incident import incident
from probe.view.run import run as document_of
from probe.view.sources import Sources
from tests.postgres import Database
from tests.store.builders import at, read, run, store_in
from tests.store.fleet import FleetStore, fleet_store, read_fleet
from tests.view import outage

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def store(fleet: Database) -> AsyncIterator[FleetStore]:
    async with fleet_store(fleet) as found:
        yield found


async def test_an_outage_is_told_the_same(fleet: Database, store: FleetStore, tmp_path: Path) -> None:
    """Documents of the incident and of a run in it, from SQLite and from PostgreSQL."""
    record = outage.record(tmp_path)
    await store.commit(record)
    async with store_in(tmp_path) as single:
        await single.commit(record)

    def look(reader: Reader) -> tuple[IncidentDocument | None, RunDocument | None, object]:
        with open_people(tmp_path) as people:
            sources = Sources(
                now=at(10),
                reader=reader,
                people=people,
                evidence=LocalEvidence(tmp_path / "evidence"),
                rules=outage.rules(),
                redactor=Redactor(),
            )
            whole = outage.a_run("checkout", "eu", 2, bad=True)
            seen = (
                neighbours(reader, whole),
                last_passed(reader, "checkout", "eu", at(3)),
                first_bad(reader, "checkout", "us", at(0), at(9)),
                first_bad(reader, "checkout", "nowhere", at(0), at(9)),
                [found.id for found in runs_between(reader, ["checkout", "search"], at(-1), at(2), limit=9)],
            )
            return incident(sources, outage.ID), document_of(sources, "checkout-eu-0"), seen

    here, there = await read(tmp_path, look), await read_fleet(fleet, look)
    assert here[0] is not None
    assert here[1] is not None
    assert here == there


async def test_evidence_that_was_shipped_is_had_from_the_database(fleet: Database, tmp_path: Path) -> None:
    """Of that run of that region alone; what was not shipped (yet) from this node."""
    fleet.psql(
        "INSERT INTO probe.evidence (run, name, region, body) VALUES"
        " ('run-1', 'a.png', 'eu', 'eu'::bytea), ('run-1', 'b.png', 'us', 'us'::bytea), ('run-1', 'odd', 'eu', 'x'::bytea)"
    )
    artifacts = tuple(Artifact(kind="log", path=f"/far/away/{name}", size=2) for name in ("a.png", "b.png", "own.log"))
    made = run(1, id=RunId("run-1"), region="eu", observation=Observation(artifacts=artifacts))
    home = tmp_path / "cart" / "run-1"
    home.mkdir(parents=True)
    (home / "own.log").write_bytes(b"own")

    def look(reader: Reader) -> list[object]:
        shelf = DatabaseShelf(reader)
        both = FleetEvidence(reader, "database", LocalEvidence(tmp_path))
        alone = FleetEvidence(reader, "off", LocalEvidence(tmp_path))
        names = ("a.png", "b.png", "own.log", "odd")
        return [
            shelf.names(made),
            [shelf.read(made, name) for name in names],
            both.names(made),
            [both.read(made, name) for name in names],
            alone.names(made),
            [alone.read(made, name) for name in names],
        ]

    assert await read_fleet(fleet, look) == [
        {"a.png"},
        [b"eu", None, None, None],
        {"a.png", "own.log"},
        [b"eu", None, b"own", None],
        {"own.log"},
        [None, None, b"own", None],
    ]
