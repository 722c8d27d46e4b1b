"""What is told to the public: how a notice stands as time passes, and whether what an operator wrote can be one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from probe.core.diagnostic import did_you_mean
from probe.core.people import Notice, NoticeUpdate, Standing

PLANNED: Final = (Standing.SCHEDULED, Standing.IN_PROGRESS, Standing.COMPLETED)
"""How a maintenance stands, one after the other."""
SUFFERED: Final = (Standing.INVESTIGATING, Standing.IDENTIFIED, Standing.MONITORING, Standing.RESOLVED)
"""How an incident stands, one after the other."""
LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 5000
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A notice that can be told: what `People.add_notice` takes."""

    title: str
    components: tuple[str, ...]
    begins: datetime
    ends: datetime | None
    update: NoticeUpdate
    incident: str | None = None


def is_maintenance(notice: Notice) -> bool:
    """Whether it was planned: else it tells of an incident."""
    return notice.updates[0].standing in PLANNED


def standing_at(notice: Notice, now: datetime) -> Standing:
    """How it stands: a maintenance that was planned begins and ends by itself, unless somebody said otherwise."""
    if notice.standing is not Standing.SCHEDULED or now < notice.begins:
        return notice.standing
    return Standing.COMPLETED if notice.ends is not None and now >= notice.ends else Standing.IN_PROGRESS


def covers(notice: Notice, now: datetime) -> bool:
    """Whether it is a maintenance under way, within the time that was told: trouble is expected now."""
    return standing_at(notice, now) is Standing.IN_PROGRESS and (notice.ends is None or now < notice.ends)


def read_draft(fields: Mapping[str, object], components: Collection[str], now: datetime) -> Draft | tuple[str, ...]:
    """The notice that `title`, `components`, `standing`, `text`, `begins`, `ends` and `incident` say, or all that is wrong.

    `components` are the slugs that there are. A moment without an offset is in UTC; without `begins` it is now.
    """
    mistakes: list[str] = []
    title = _line("title", fields.get("title"), mistakes)
    update = _update(fields, PLANNED + SUFFERED, now, mistakes)
    named = fields.get("components")
    slugs = tuple(str(slug) for slug in named) if isinstance(named, list | tuple) else ()
    if not slugs:
        mistakes.append("components: say which parts of the shop it is about")
    mistakes += [
        f"components: there is no {slug!r}; {did_you_mean(slug, components)}"
        for slug in slugs
        if slug not in components
    ]
    begins = _moment("begins", fields.get("begins"), mistakes)
    ends = _moment("ends", fields.get("ends"), mistakes)
    if update is not None and update.standing is Standing.SCHEDULED and begins is None:
        mistakes.append("begins: say when the maintenance begins")
    begins = begins or now
    if ends is not None and ends <= begins:
        mistakes.append("ends: it ends before it begins")
    if mistakes or update is None:
        return tuple(mistakes)
    incident = fields.get("incident")
    return Draft(
        title=title,
        components=tuple(dict.fromkeys(slugs)),
        begins=begins,
        ends=ends,
        update=update,
        incident=incident if isinstance(incident, str) and incident else None,
    )


def read_update(fields: Mapping[str, object], notice: Notice, now: datetime) -> NoticeUpdate | tuple[str, ...]:
    """What `standing` and `text` add to a notice, or all that is wrong with them."""
    mistakes: list[str] = []
    update = _update(fields, PLANNED if is_maintenance(notice) else SUFFERED, now, mistakes)
    return update if update is not None and not mistakes else tuple(mistakes)


def _update(
    fields: Mapping[str, object], known: tuple[Standing, ...], now: datetime, mistakes: list[str]
) -> NoticeUpdate | None:
    said = fields.get("standing")
    words = [standing.value for standing in known]
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
        mistakes.append(f"text: say something, in at most {LONGEST_TEXT} characters")
    if not isinstance(said, str) or said not in words:
        mistakes.append(f"standing: say one of {', '.join(words)}")
        return None
    return NoticeUpdate(at=now, standing=Standing(said), text=str(text).replace("\r\n", "\n").strip())


def _line(name: str, value: object, mistakes: list[str]) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or len(text) > LONGEST_TITLE:
        mistakes.append(f"{name}: say it in a line of at most {LONGEST_TITLE} characters")
    return text


def _moment(name: str, value: object, mistakes: list[str]) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    mistakes.append(f"{name}: say a time such as 2026-12-01T22:00Z")
    return None
