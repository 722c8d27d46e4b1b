"""What the version before this one wrote, to the letter: it is read, and judgement goes on from it."""

from datetime import timedelta
from pathlib import Path

import pytest

from probe.core.evaluate import evaluate
from probe.core.incident import Incident, IncidentId, Verdict, What
from probe.core.run import Outcome, RunId
from probe.core.state import CheckState, Place, RegionState, State
from probe.ports import Record
from tests.core.builders import NOW
from tests.core.world import rules_of, watched
from tests.store.builders import DOWN, ODD, at, read, run, store_in

pytestmark = pytest.mark.asyncio

CHECK = (
    '{"places":{"eu":{"slot":{"number":7,"due":"2026-11-23T03:00:00Z","count":3},"outcome":"failed",'
    '"at":"2026-11-23T03:00:00.123457Z","since":"2026-11-23T03:00:00Z","fails":2,"passes":1,"errors":3,"run":"run-1",'
    '"failure":{"layer":"http","kind":"status","message":"GET /cart answered 500","step":"cart","expected":"200",'
    '"actual":"500","url":null,"soft":false},"trouble":null,"picture":"evidence/a.png","bad":[{"objective":"checkout",'
    '"at":"2026-11-23T03:00:00Z","good":0,"bad":1,"lost":0}]},"us":{"slot":null,"outcome":null,"at":null,"since":null,'
    '"fails":0,"passes":0,"errors":0,"run":null,"failure":null,"trouble":null,"picture":null,"bad":[]}},'
    '"asked":"2026-11-23T03:00:00Z"}'
)
REGION = (
    '{"blind":"2026-11-23T03:00:00Z","asked":"2026-11-23T03:00:00Z","answered":"2026-11-23T03:00:00.123457Z",'
    '"failure":{"layer":"http","kind":"status","message":"GET /cart answered 500","step":"cart","expected":"200",'
    '"actual":"500","url":null,"soft":false},"run":"run-2"}'
)
INCIDENT = (
    '{"id":"inc-1","cause":"shop.example","verdict":"down","severity":"page","since":"2026-11-23T03:00:00Z",'
    '"opened":"2026-11-23T03:01:00Z","members":{"cart":{"check":"cart","regions":["eu"],"since":"2026-11-23T03:00:00Z",'
    '"run":"run-1","failure":{"layer":"http","kind":"status","message":"GET /cart answered 500","step":"cart",'
    '"expected":"200","actual":"500","url":null,"soft":false},"picture":"evidence/a.png","recovered":null}},'
    '"burns":{"checkout":"14.4 times too fast"},"told":["oncall","team"],"announced":3,'
    '"reminded":"2026-11-23T03:30:00Z","acknowledged":"2026-11-23T03:31:00Z","acknowledged_by":"ada",'
    '"muted_until":"2026-11-23T05:00:00Z","resolved":null}'
)
MESSAGE = (
    '{"title":"customers cannot pay","body":"since 03:00 UTC","verdict":"down","severity":"page",'
    '"since":"2026-11-23T03:00:00.123457Z","resolved":null,"checks":["cart"],"targets":["shop"],"regions":["eu"],'
    '"step":"pay","cause":"shop.example","expected":"200","seen":"500","reproduce":"probe check cart --once",'
    '"picture":null}'
)
OPENED = (at(1) - at(0)) // timedelta(microseconds=1)
"""Added to `NOW` as the rows have it: microseconds since 1970."""


async def former(folder: Path) -> State:
    """What is restored from a database that the former version left."""
    now = int(NOW.timestamp() * 1_000_000)
    async with store_in(folder) as store:
        await store.commit(Record(alive=at(2)))

        def write(connection: object) -> None:
            execute = connection.exec_driver_sql  # type: ignore[attr-defined]  # SQLAlchemy's
            execute("INSERT INTO state VALUES ('check', 'cart', ?)", (CHECK,))
            execute("INSERT INTO state VALUES ('region', 'eu', ?)", (REGION,))
            execute("INSERT INTO incidents VALUES ('inc-1', 'shop.example', ?, NULL, ?)", (now + OPENED, INCIDENT))
            execute(
                "INSERT INTO outbox VALUES (1, 'k1', 'oncall', 'inc-1', 'opened', 1, ?, ?, NULL, 0, NULL, NULL)",
                (now + OPENED, MESSAGE),
            )

        await store._writer.run(lambda: store._database.transact(write))
        restored = await store.restore()
        assert [n.message.evidence for n in restored.pending] == [""]
        return restored.state


async def test_it_is_read(tmp_path: Path) -> None:
    """Slots, the trouble of a region, a blind region and an open incident are as they were; what is new has its default."""
    state = await former(tmp_path)
    check = state.checks["cart"]  # type: ignore[index]  # a plain text is one, too
    place = check.places["eu"]
    assert place.slot is not None
    assert (place.slot.number, place.fails, place.failure, place.run) == (7, 2, DOWN, RunId("run-1"))
    assert check.places["us"] == Place()
    assert (check.trail, check.habits, check.suspicion, check.purse) == (
        CheckState().trail,
        CheckState().habits,
        None,
        CheckState().purse,
    )
    assert state.regions == {
        "eu": RegionState(blind=NOW, asked=NOW, answered=NOW + ODD, failure=DOWN, run=RunId("run-2"))
    }
    incident = state.incidents["shop.example"]
    assert (incident.id, incident.relapses, incident.told) == (IncidentId("inc-1"), 0, ("oncall", "team"))
    assert [member.evidence for member in incident.members.values()] == [""]
    status = await read(tmp_path, lambda reader: reader.status())
    assert status.state.incidents == state.incidents


async def test_its_incident_is_ended(tmp_path: Path) -> None:
    """The check of an incident that the former version opened knows that it suffers, and recovers as any other."""
    state = await former(tmp_path)
    state.regions.clear()
    check = state.checks["cart"]  # type: ignore[index]  # a plain text is one, too
    assert check.verdict is Verdict.DOWN
    assert set(check.opened) == {"fail"}
    rules = rules_of(watched("cart", regions=("eu",)))
    told: list[tuple[What, Incident]] = []
    for number in range(8, 40):
        now = at(number + 1)
        change = evaluate(state, run(number, region="eu", outcome=Outcome.PASSED), rules, now)
        state.apply(change)
        told += [(entry.what, change.incidents["shop.example"]) for entry in change.entries]
        if not state.incidents:
            break
    assert [what for what, _ in told] == [What.RECOVERED, What.RESOLVED]
    assert told[-1][1].resolved == run(8).started
