"""What people do: one contract for the file of a single node and for a fleet's database, and what only the file has."""

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect

from probe.core.access import Access, Identity
from probe.core.people import AuditLine, NoticeUpdate, Standing
from probe.core.secret import Secret
from probe.errors import StoreUnavailable
from probe.fleet.people import open_fleet_people
from probe.store.people import People, Session, open_people
from probe.store.people_file import FILE
from probe.store.people_schema import metadata
from tests.postgres import Database

NOW = datetime(2026, 11, 24, 3, 0, 30, 123456, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def people(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[People]:
    if request.param == "sqlite":
        with open_people(tmp_path) as found:
            yield found
    else:
        fleet: Database = request.getfixturevalue("fleet")
        with open_fleet_people(Secret(fleet.url())) as found:
            yield found


def session(name: str = "ada", access: Access = Access.VIEWER) -> Session:
    return Session(
        identity=Identity(name=name, access=access, by="password"), csrf="word", began=NOW, seen=NOW, grounds="why"
    )


def line(number: int) -> AuditLine:
    return AuditLine(
        at=NOW + number * DAY, who="ada", what="ack", object=str(number), address="::1", ok=number % 2 == 0
    )


def said(standing: Standing = Standing.INVESTIGATING, text: str = "We look into it.") -> NoticeUpdate:
    return NoticeUpdate(at=NOW, standing=standing, text=text)


def test_sessions(people: People) -> None:
    people.begin_session("one", session())
    people.begin_session("two", session())
    people.begin_session("other", session("grace", Access.OPERATOR))
    assert people.session("one", NOW) == session()
    assert people.session("other", NOW) == session("grace", Access.OPERATOR)
    assert people.session("none", NOW) is None
    people.end_session("one")
    people.end_session("one")
    assert people.session("one", NOW) is None
    assert (people.end_sessions_of("ada"), people.end_sessions_of("ada")) == (1, 0)
    assert people.session("two", NOW) is None
    assert people.session("other", NOW) is not None


def test_when_somebody_was_seen_is_kept_to_the_minute(people: People) -> None:
    people.begin_session("one", session())

    def seen(after: timedelta) -> timedelta:
        found = people.session("one", NOW + after)
        assert found is not None
        return found.seen - NOW

    assert seen(59 * timedelta(seconds=1)) == timedelta(0)
    assert seen(MINUTE) == timedelta(0)  # before this one
    assert seen(MINUTE) == MINUTE
    assert seen(2 * MINUTE - timedelta(seconds=1)) == MINUTE
    assert seen(HOUR) == MINUTE
    assert seen(HOUR) == HOUR


def test_the_record_of_who_did_what(people: People) -> None:
    assert people.audited() == ((), None)
    for number in range(5):
        people.audit(line(number))
    assert people.audited() == (tuple(line(n) for n in (4, 3, 2, 1, 0)), None)
    first, cursor = people.audited(limit=2)
    assert first == (line(4), line(3))
    second, cursor = people.audited(limit=2, before=cursor)
    assert second == (line(2), line(1))
    assert people.audited(limit=2, before=cursor) == ((line(0),), None)
    for wrong in ("x", "", "-1", "9" * 19, "1;--"):
        with pytest.raises(ValueError, match="is no cursor"):
            people.audited(before=wrong)


def test_notes_and_marks(people: People) -> None:
    first = people.add_note("i1", NOW, "ada", "It is the cache.")
    second = people.add_note("i1", NOW - HOUR, "grace", "Restarted.")
    people.add_note("i2", NOW, "ada", "Another.")
    assert people.notes("i1") == (first, second)
    assert people.notes("none") == ()
    deploy = people.add_mark(NOW, "deploy", "v2", "ci")
    own = people.add_mark(NOW - HOUR, "deploy", "v1", "ci", ["cart", "pay"])
    people.add_mark(NOW + HOUR, "deploy", "v3", "ci")
    assert people.marks(NOW - HOUR, NOW + HOUR) == (own, deploy)
    assert people.marks(NOW - HOUR, NOW) == (own,)
    assert people.marks(NOW - HOUR, NOW + MINUTE, "cart") == (own, deploy)
    assert people.marks(NOW - HOUR, NOW + MINUTE, "home") == (deploy,)


def test_notices(people: People) -> None:
    first = people.add_notice("Paying fails", ["pay"], NOW - 9 * DAY, said(), incident="i1")
    second = people.add_notice("Move", ["pay", "cart"], NOW + DAY, said(Standing.SCHEDULED), ends=NOW + DAY + HOUR)
    assert people.notices(NOW) == (second, first)
    assert (first.incident, second.ends, first.standing) == ("i1", NOW + DAY + HOUR, Standing.INVESTIGATING)
    over = said(Standing.RESOLVED, "It works again.")
    changed = people.update_notice(first.id, over)
    assert changed is not None
    assert (changed.updates, changed.title) == ((said(), over), "Paying fails")
    assert people.notice(first.id) == changed
    assert people.notices(NOW) == (second,)
    assert people.notices(NOW - 9 * DAY) == (second, changed)
    again = people.update_notice(first.id, said(Standing.INVESTIGATING, "And again."))
    assert people.notices(NOW) == (second, again)
    for nothing in (0, -1, 99_999, 2**63, 2**70):
        assert people.update_notice(nothing, over) is None
        assert people.notice(nothing) is None


def test_reports_of_visitors(people: People) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    for after, count in ((timedelta(0), 1), (timedelta(seconds=20), 2), (MINUTE, 3), (-HOUR, 4), (-3 * DAY, 5)):
        people.report("pay", NOW + after, count)
    people.report("pay", NOW - 3 * DAY - 10 * MINUTE, 7)
    people.report("cart", NOW, 9)
    assert people.reports("pay", NOW - MINUTE, NOW + 2 * MINUTE) == 6
    assert people.reports("pay", NOW, NOW + timedelta(seconds=10)) == 3  # the minute counts in which it begins
    assert people.reports("none", NOW - DAY, NOW) == 0
    hours = ((hour - 3 * DAY - HOUR, 7), (hour - 3 * DAY, 5), (hour - HOUR, 4), (hour, 6))
    assert people.reports_by_hour("pay", NOW - 4 * DAY, NOW + HOUR) == hours
    for _ in range(2):
        people.tidy(NOW)
        assert people.reports_by_hour("pay", NOW - 4 * DAY, NOW + HOUR) == hours
        assert people.reports("pay", hour - 3 * DAY, hour - 3 * DAY + MINUTE) == 5  # by the hour now
        assert people.reports("pay", NOW, NOW + timedelta(seconds=10)) == 3  # by the minute still
    people.report("pay", NOW - 3 * DAY, 1)  # of a node that was away
    people.tidy(NOW)
    assert people.reports_by_hour("pay", NOW - 3 * DAY - MINUTE, NOW - 2 * DAY) == ((hour - 3 * DAY, 6),)


def test_what_is_old_is_forgotten(people: People) -> None:
    people.begin_session("one", session())
    people.audit(line(0))
    people.audit(line(1))
    people.report("pay", NOW)
    people.add_note("i1", NOW, "ada", "For good.")
    people.tidy(NOW + 90 * DAY)
    assert people.session("one", NOW) is not None
    people.tidy(NOW + 90 * DAY + HOUR)
    assert people.session("one", NOW) is None
    assert people.reports("pay", NOW - HOUR, NOW + DAY) == 0
    people.tidy(NOW + 400 * DAY + HOUR)
    assert people.audited() == ((line(1),), None)
    assert len(people.notes("i1")) == 1


def test_any_text_can_be_stored(people: People) -> None:
    text = "a\0b \ud800 𝔲𝔫𝔦 \n<script>'\"; DROP TABLE notes; --"
    people.add_note("i\0d", NOW, "x\0", text)
    assert [note.text for note in people.notes("id")] == [text.replace("\0", "").replace("\ud800", "?")]


def test_two_threads_at_once(people: People) -> None:
    def report() -> None:
        for _ in range(25):
            people.report("pay", NOW)
            people.audit(line(0))

    threads = [threading.Thread(target=report) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert people.reports("pay", NOW, NOW + MINUTE) == 50
    assert len(people.audited()[0]) == 50


class TestFile:
    def test_is_its_owners_alone_and_holds_no_token(self, tmp_path: Path) -> None:
        folder = tmp_path / "deep" / "data"
        folder.mkdir(parents=True)
        (folder / FILE).touch(mode=0o644)
        with open_people(folder) as people:
            people.begin_session("the-token-of-a-cookie", session())
            files = list(folder.iterdir())
            assert len(files) == 3
            assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
            assert not any(b"the-token-of-a-cookie" in path.read_bytes() for path in files)
            assert any(b"grounds" in path.read_bytes() for path in files)

    def test_several_have_it_open_and_one_waits_for_the_other(self, tmp_path: Path) -> None:
        opened = []

        def write() -> None:
            with open_people(tmp_path) as people:
                opened.append(people)
                for _ in range(20):
                    people.report("pay", NOW)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(opened) == 4
        with open_people(tmp_path) as people:
            assert people.reports("pay", NOW, NOW + MINUTE) == 80

    def test_what_cannot_be_used_is_told_with_its_remedy(self, tmp_path: Path) -> None:
        path = tmp_path / FILE
        path.write_bytes(b"no database at all" * 100)
        with pytest.raises(StoreUnavailable, match=f"is damaged: stop probe, move {FILE}, -wal and -shm aside") as told:
            open_people(tmp_path).__enter__()
        assert told.value.lasting
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 9")
        connection.close()
        with pytest.raises(StoreUnavailable, match=r"written by a newer probe \(schema 9, this one knows up to 1\)"):
            open_people(tmp_path).__enter__()
        with pytest.raises(StoreUnavailable, match="cannot be made or opened"):
            open_people(path).__enter__()

    def test_whoever_is_known_goes_on_while_nothing_can_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("probe.store.people_file.PATIENCE", 0.01)
        with open_people(tmp_path) as people:
            people.begin_session("one", session())
            other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
            try:
                other.execute("BEGIN IMMEDIATE")
                found = people.session("one", NOW + HOUR)
                assert found is not None
                assert found.identity == session().identity
                with pytest.raises(StoreUnavailable, match="is locked by another program") as told:
                    people.audit(line(0))
                assert not told.value.lasting
            finally:
                other.close()
            people.audit(line(0))


class TestFleet:
    def test_has_the_same_tables(self, fleet: Database) -> None:
        with open_fleet_people(Secret(fleet.url())) as people:
            looked = people._transact(
                lambda connection: {
                    table.name: {
                        (column["name"], column["nullable"])
                        for column in inspect(connection).get_columns(table.name, schema="probe")
                    }
                    for table in metadata.sorted_tables
                },
                writes=False,
            )
        assert looked == {
            table.name: {(column.name, bool(column.nullable)) for column in table.columns}
            for table in metadata.sorted_tables
        }

    def test_two_nodes_that_tidy_count_nothing_twice(self, fleet: Database) -> None:
        with open_fleet_people(Secret(fleet.url())) as one, open_fleet_people(Secret(fleet.url())) as other:
            for minute in range(30):
                one.report("pay", NOW - 3 * DAY + minute * MINUTE)
            threads = [threading.Thread(target=people.tidy, args=(NOW,)) for people in (one, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert one.reports("pay", NOW - 4 * DAY, NOW) == 30

    def test_an_old_schema_is_told_with_its_remedy(self, fleet: Database) -> None:
        fleet.psql("ALTER TABLE probe.sessions RENAME TO hidden")
        try:
            with pytest.raises(StoreUnavailable, match="run `probe fleet init`") as told:
                open_fleet_people(Secret(fleet.url())).__enter__()
            assert told.value.lasting
        finally:
            fleet.psql("ALTER TABLE probe.hidden RENAME TO sessions")
