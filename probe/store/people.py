"""What people do with the pages: sessions, who did what, notes, marks, notices, reports of visitors.

In a single node a small database of its own (`people.sqlite3` in the data folder, probe/store/people_file.py): nothing of
it waits for the runs, and runs wait for nothing of it. In a fleet tables of its PostgreSQL (probe/fleet/people.py), so
that every judging node shows the same.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from probe.core.access import Access, Identity
from probe.core.people import AuditLine, Mark, Note, Notice, NoticeUpdate, Standing
from probe.errors import StoreUnavailable
from probe.store.people_schema import audited, marks, notes, notice_updates, notices, reports, sessions
from probe.store.schema import upsert

T = TypeVar("T")

SEEN: Final = timedelta(minutes=1)
"""How exactly it is written down when somebody was last seen."""
UNSEEN: Final = timedelta(days=90)
"""After so long without a request a session is forgotten, whatever the configuration says."""
KEEP_AUDIT: Final = timedelta(days=400)
KEEP_REPORTS: Final = timedelta(days=90)
KEEP_MINUTES: Final = timedelta(days=1)
"""How long reports of visitors are counted by the minute; then by the hour."""
MINUTE: Final = 60
HOUR: Final = 3600
MOST_NOTICES: Final = 500
LARGEST: Final = 2**63 - 1
CURSOR: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in. `csrf` is what their forms must carry.

    `seen` is when a request of theirs came before this one, to the minute. `grounds` is what their right rests on, such
    as a hash of the password hash: when it is no longer so, the session is worth nothing.
    """

    identity: Identity
    csrf: str
    began: datetime
    seen: datetime
    grounds: str = ""


class Transact(Protocol):
    """Does something in a transaction: all of it or nothing. `StoreUnavailable` when it cannot be done now."""

    def __call__(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """What `work` gives; it may be called again, so it does nothing else."""
        ...


class People:
    """Reads and writes; blocks. Get one from `open_people`. All methods raise `StoreUnavailable`."""

    def __init__(self, transact: Transact) -> None:
        self._transact = transact

    # sessions: only the SHA-256 of a session's token is stored

    def begin_session(self, token: str, session: Session) -> None:
        """Remember who is logged in under a token."""
        values = {
            "token": _hash(token),
            "name": session.identity.name,
            "access": session.identity.access.value,
            "way": session.identity.by,
            "grounds": session.grounds,
            "csrf": session.csrf,
            "began": session.began,
            "seen": session.seen,
        }
        self._write(lambda connection: connection.execute(insert(sessions), values))

    def session(self, token: str, now: datetime) -> Session | None:
        """Who that is, and that they were seen now (written down at most once a minute); `None`: nobody any more.

        Whoever can be found can go on, even while nothing can be written.
        """
        key = _hash(token)
        found = self._read(lambda c: c.execute(select(sessions).where(sessions.c.token == key)).one_or_none())
        if found is None:
            return None
        if now - found.seen >= SEEN:
            with suppress(StoreUnavailable):
                self._write(lambda c: c.execute(update(sessions).where(sessions.c.token == key).values(seen=now)))
        return Session(
            identity=Identity(name=found.name, access=Access(found.access), by=found.way),
            csrf=found.csrf,
            began=found.began,
            seen=found.seen,
            grounds=found.grounds,
        )

    def end_session(self, token: str) -> None:
        """Log out."""
        self._write(lambda c: c.execute(delete(sessions).where(sessions.c.token == _hash(token))))

    def end_sessions_of(self, name: str) -> int:
        """Log somebody out everywhere; how many sessions that were."""
        return self._write(lambda c: c.execute(delete(sessions).where(sessions.c.name == name)).rowcount)

    # who did what

    def audit(self, line: AuditLine) -> None:
        """Write down who did what."""
        values = {
            "at": line.at,
            "who": line.who,
            "what": line.what,
            "object": line.object,
            "address": line.address,
            "ok": line.ok,
        }
        self._write(lambda connection: connection.execute(insert(audited), values))

    def audited(self, *, limit: int = 100, before: str | None = None) -> tuple[tuple[AuditLine, ...], str | None]:
        """The newest lines, and the cursor to go on from. `ValueError`: `before` is no cursor of ours."""
        wanted = select(audited).order_by(audited.c.id.desc()).limit(limit + 1)
        if before is not None:
            if CURSOR.fullmatch(before) is None:
                raise ValueError(f"{before!r} is no cursor: take it from the page before")
            wanted = wanted.where(audited.c.id < int(before))
        rows = self._read(lambda connection: connection.execute(wanted).all())
        lines = tuple(
            AuditLine(at=row.at, who=row.who, what=row.what, object=row.object, address=row.address, ok=row.ok)
            for row in rows[:limit]
        )
        return lines, str(rows[limit - 1].id) if len(rows) > limit else None

    # notes and marks

    def add_note(self, incident: str, at: datetime, by: str, text: str) -> Note:
        """A note about an incident, open or not."""
        values = {"incident": incident, "at": at, "author": by, "text": text}
        return Note(id=self._add(notes, values), incident=incident, at=at, by=by, text=text)

    def notes(self, incident: str) -> tuple[Note, ...]:
        """The notes about an incident, oldest first."""
        wanted = select(notes).where(notes.c.incident == incident).order_by(notes.c.id)
        rows = self._read(lambda connection: connection.execute(wanted).all())
        return tuple(Note(id=r.id, incident=r.incident, at=r.at, by=r.author, text=r.text) for r in rows)

    def add_mark(self, at: datetime, kind: str, text: str, by: str, checks: Sequence[str] = ()) -> Mark:
        """A moment for every graph."""
        values = {"at": at, "kind": kind, "text": text, "author": by, "checks": json.dumps(list(checks))}
        return Mark(id=self._add(marks, values), at=at, kind=kind, text=text, by=by, checks=tuple(checks))

    def marks(self, start: datetime, end: datetime, check: str | None = None) -> tuple[Mark, ...]:
        """The marks of a stretch of time (of a check: its own, and those of all), oldest first."""
        wanted = select(marks).where(marks.c.at >= start, marks.c.at < end).order_by(marks.c.at, marks.c.id)
        rows = self._read(lambda connection: connection.execute(wanted).all())
        found = (
            Mark(id=r.id, at=r.at, kind=r.kind, text=r.text, by=r.author, checks=tuple(json.loads(r.checks)))
            for r in rows
        )
        return tuple(mark for mark in found if check is None or not mark.checks or check in mark.checks)

    # notices of the status page

    def add_notice(
        self,
        title: str,
        components: Sequence[str],
        begins: datetime,
        update: NoticeUpdate,
        *,
        ends: datetime | None = None,
        incident: str | None = None,
    ) -> Notice:
        """Tell the public of something."""
        values = {
            "title": title,
            "components": json.dumps(list(components)),
            "begins": begins,
            "ends": ends,
            "incident": incident,
            "is_over": update.standing.over,
        }

        def add(connection: Connection) -> int:
            number = _added(connection, notices, values)
            connection.execute(insert(notice_updates), _update(number, update))
            return number

        return Notice(
            id=self._write(add),
            title=title,
            components=tuple(components),
            begins=begins,
            ends=ends,
            updates=(update,),
            incident=incident,
        )

    def update_notice(self, id: int, update: NoticeUpdate) -> Notice | None:
        """Say more about it; `None`: there is no such notice."""

        def add(connection: Connection) -> Notice | None:
            changed = notices.update().where(notices.c.id == id).values(is_over=update.standing.over)
            if not connection.execute(changed).rowcount:
                return None
            connection.execute(insert(notice_updates), _update(id, update))
            return _notices(connection, select(notices).where(notices.c.id == id))[0]

        return self._write(add) if 0 < id <= LARGEST else None

    def notice(self, id: int) -> Notice | None:
        """One of them; `None`: there is no such notice."""
        if not 0 < id <= LARGEST:
            return None
        found = self._read(lambda connection: _notices(connection, select(notices).where(notices.c.id == id)))
        return found[0] if found else None

    def notices(self, since: datetime) -> tuple[Notice, ...]:
        """Those that are not over, and those that began since then; newest first."""
        wanted = (
            select(notices)
            .where(or_(notices.c.is_over.is_(False), notices.c.begins >= since))
            .order_by(notices.c.begins.desc(), notices.c.id.desc())
            .limit(MOST_NOTICES)
        )
        return self._read(lambda connection: _notices(connection, wanted))

    # reports of visitors: counted by the minute, and by the hour once they are older than a day

    def report(self, component: str, at: datetime, count: int = 1) -> None:
        """Visitors have the problem, too."""
        values = {"component": component, "span": MINUTE, "start": _floor(at, MINUTE), "number": count}
        self._write(lambda connection: connection.execute(_adding(connection), values))

    def reports(self, component: str, start: datetime, end: datetime) -> int:
        """How many did between two moments: in the minutes, and the hours, that began between them."""
        wanted = select(func.sum(reports.c.number)).where(*_between(component, start, end))
        return int(self._read(lambda connection: connection.scalar(wanted)) or 0)

    def reports_by_hour(self, component: str, start: datetime, end: datetime) -> tuple[tuple[datetime, int], ...]:
        """Hours in which some did, and how many."""
        wanted = select(reports.c.start, reports.c.number).where(*_between(component, start, end))
        hours: dict[int, int] = {}
        for row in self._read(lambda connection: connection.execute(wanted).all()):
            hours[row.start // HOUR] = hours.get(row.start // HOUR, 0) + row.number
        return tuple((datetime.fromtimestamp(hour * HOUR, UTC), count) for hour, count in sorted(hours.items()))

    def tidy(self, now: datetime) -> None:
        """Forget sessions that ended, lines older than 400 days, reports older than 90 days; fold minutes into hours."""

        def forget(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.seen < now - UNSEEN))
            connection.execute(delete(audited).where(audited.c.at < now - KEEP_AUDIT))
            connection.execute(delete(reports).where(reports.c.start < _floor(now - KEEP_REPORTS, HOUR)))
            old = (reports.c.span == MINUTE, reports.c.start < _floor(now - KEEP_MINUTES, HOUR))
            # What was deleted is given once, to one of two nodes that tidy at the same time.
            gone = delete(reports).where(*old).returning(reports.c.component, reports.c.start, reports.c.number)
            hours: dict[tuple[str, int], int] = {}
            for row in connection.execute(gone).all():
                key = (row.component, row.start - row.start % HOUR)
                hours[key] = hours.get(key, 0) + row.number
            for (component, start), number in sorted(hours.items()):
                values = {"component": component, "span": HOUR, "start": start, "number": number}
                connection.execute(_adding(connection), values)

        self._write(forget)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return self._transact(work, writes=False)

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._transact(work, writes=True)

    def _add(self, table: Any, values: dict[str, Any]) -> int:
        return self._write(lambda connection: _added(connection, table, values))


def open_people(folder: Path) -> AbstractContextManager[People]:
    """Those of a single node. Made when it is not there. `StoreUnavailable` when it cannot be."""
    from probe.store.people_file import open_people_file

    return open_people_file(folder)


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def _added(connection: Connection, table: Any, values: dict[str, Any]) -> int:
    number: int = connection.execute(insert(table).returning(table.c.id), values).scalar_one()
    return number


def _update(notice: int, update: NoticeUpdate) -> dict[str, Any]:
    return {"notice": notice, "at": update.at, "standing": update.standing.value, "text": update.text}


def _notices(connection: Connection, wanted: Any) -> tuple[Notice, ...]:
    rows = connection.execute(wanted).all()
    said: dict[int, list[NoticeUpdate]] = {row.id: [] for row in rows}
    updates = select(notice_updates).where(notice_updates.c.notice.in_(said)).order_by(notice_updates.c.id)
    for one in connection.execute(updates):
        said[one.notice].append(NoticeUpdate(at=one.at, standing=Standing(one.standing), text=one.text))
    return tuple(
        Notice(
            id=row.id,
            title=row.title,
            components=tuple(json.loads(row.components)),
            begins=row.begins,
            ends=row.ends,
            updates=tuple(said[row.id]),
            incident=row.incident,
        )
        for row in rows
    )


def _floor(moment: datetime, span: int) -> int:
    seconds = int(moment.timestamp())
    return seconds - seconds % span


def _between(component: str, start: datetime, end: datetime) -> Iterable[Any]:
    first, last = _floor(start, MINUTE), end.timestamp()
    return (reports.c.component == component, reports.c.start >= first, reports.c.start < last)


def _adding(connection: Connection) -> Any:
    """Insert a count, or add it to the one that is there."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_there  # large, and a single node never needs it

        return upsert(reports, added=("number",), inserting=insert_there)
    return upsert(reports, added=("number",))
