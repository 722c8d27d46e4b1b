"""`deliver` against a model of what it promises: each row of each source once, in the order of its source."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.fleet.hub import Hub
from tests.fleet.hubs import Given, deliver, deliver_on, empty, inbox, open_hub, shared_database
from tests.postgres import Database, Postgres

SOURCES = ("s1", "s2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows of a source, of those that it has: `fate` is whether the answer is heard, lost, or it is rolled back."""

    source: str
    seqs: tuple[int, ...]
    fate: str


batches = st.builds(
    Batch,
    source=st.sampled_from(SOURCES),
    seqs=st.lists(st.integers(1, 30), unique=True, max_size=8).map(tuple),
    fate=st.sampled_from(["heard", "lost", "rolled back"]),
)


@dataclass
class Model:
    """What `deliver` should have stored."""

    acked: dict[str, int] = field(default_factory=dict)
    stored: dict[str, list[int]] = field(default_factory=dict)

    def deliver(self, batch: Batch) -> int:
        known = self.acked.get(batch.source, 0)
        fresh = sorted(seq for seq in batch.seqs if seq > known)
        acked = fresh[-1] if fresh else known
        if batch.fate != "rolled back":
            self.acked[batch.source] = acked
            self.stored.setdefault(batch.source, []).extend(fresh)
        return acked


class BrokenOff(Exception):
    """The link broke before the commit."""


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[Database]:
    with shared_database(postgres) as made:
        yield made


async def send(hub: Hub, batch: Batch) -> int:
    rows = [Given(seq, body=f"{batch.source} {seq}".encode()) for seq in batch.seqs]
    if batch.fate != "rolled back":
        return await deliver(hub, rows, source=batch.source)
    acked = -1
    try:
        async with hub.transaction() as connection:
            acked = await deliver_on(connection, rows, source=batch.source)
            raise BrokenOff
    except BrokenOff:
        return acked


async def stored(hub: Hub) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for _, source, _, _, body in await inbox(hub):
        found.setdefault(source, []).append(int(body.split()[1]))
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(batches, max_size=10))
def test_any_sequence_of_batches_is_stored_as_the_model_says(shared: Database, sent: list[Batch]) -> None:
    """With gaps, resends, rows in disorder, and transactions that come to nothing."""

    async def run() -> None:
        async with open_hub(shared.url()) as hub:
            await empty(hub)
            model = Model()
            for batch in sent:
                assert await send(hub, batch) == model.deliver(batch)
            assert await stored(hub) == {source: seqs for source, seqs in model.stored.items() if seqs}

    asyncio.run(run())


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), min_size=2, max_size=6))
def test_senders_at_the_same_time_store_each_row_once_and_in_order(shared: Database, sent: list[list[int]]) -> None:
    """Each sends prefixes of one and the same outbox, as two processes would that think to be the same node."""

    async def run() -> None:
        async def one(prefixes: list[int]) -> None:
            for end in prefixes:
                batch = Batch(source="s1", seqs=tuple(range(1, end + 1)), fate="heard")
                assert await send(hub, batch) >= end

        async with open_hub(shared.url()) as hub:
            await empty(hub)
            async with asyncio.TaskGroup() as group:
                for prefixes in sent:
                    group.create_task(one(prefixes))
            assert await stored(hub) == {"s1": list(range(1, max(map(max, sent)) + 1))}

    asyncio.run(run())
