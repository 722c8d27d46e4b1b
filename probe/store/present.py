"""How things stand, for whoever looks often: less than a start needs."""

import msgspec
from sqlalchemy import Connection, func, select

from probe.core.notification import Fate
from probe.errors import StoreUnavailable
from probe.store.numbers import last_seen
from probe.store.reader import Backlog, Status
from probe.store.restore import read_state
from probe.store.schema import EPOCH, MICROSECOND, meta, outbox


def present(connection: Connection) -> Status:
    """As `Reader.status`, but for what was counted (counts.py), and of what is to be said only what waits.

    `StoreUnavailable`, lasting, when it is not what it should be.
    """
    stored = connection.scalar(select(meta.c.value).where(meta.c.key == "alive"))
    alive = last_seen(connection) if stored is None else EPOCH + stored * MICROSECOND
    grouped = select(outbox.c.channel, outbox.c.fate, func.count(), func.min(outbox.c.created))
    order = outbox.c.channel, outbox.c.fate
    waiting = connection.execute(grouped.where(outbox.c.settled.is_(None)).group_by(*order).order_by(*order))
    try:
        state = read_state(connection, None, counted=False)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreUnavailable(
            f"what probe remembered cannot be read ({error}): was it written by another version?", lasting=True
        ) from error
    return Status(
        state=state,
        alive=alive,
        outbox=tuple(
            Backlog(channel=channel, fate=None if fate is None else Fate(fate), count=count, oldest=oldest)
            for channel, fate, count, oldest in waiting
        ),
    )
