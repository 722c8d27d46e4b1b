"""What the API takes, and what it answers beside the documents."""

from typing import Annotated, NotRequired, TypedDict

import msgspec

from probe.core.people import Standing
from probe.view import documents as d
from probe.web.acts import KIND, LONGEST_NOTE, LONGEST_TEXT

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NOTE)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Names = Annotated[list[Name], msgspec.Meta(max_length=1000)]
Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"}, max_length=64)]


class Done(TypedDict):
    """It was done."""

    ok: bool


class Asked(TypedDict):
    """Runs were asked for, from these regions; they are in the lists when they have ended."""

    ok: bool
    regions: list[str]


class CheckRef(TypedDict):
    """A check, and where it runs from."""

    check: str
    description: str
    target: str
    kind: str
    regions: list[str]
    tags: list[str]


class Checks(TypedDict):
    """All checks."""

    checks: list[CheckRef]


class Objectives(TypedDict):
    """All objectives, as they stand."""

    objectives: list[d.ObjectiveRow]


class Marks(TypedDict):
    """Marks of a stretch of time, oldest first."""

    marks: list[d.MarkRow]


class Notices(TypedDict):
    """Notices of the status page that are not over, or began in the last 90 days."""

    notices: list[d.PublicNotice]


class MuteBody(TypedDict):
    """`until`: a moment, or `null` to deliver again."""

    until: Moment | None


class NoteBody(TypedDict):
    """A note about an incident."""

    text: Text


class RunBody(TypedDict):
    """`regions`: from where; none: from all."""

    regions: NotRequired[Names]


class MarkBody(TypedDict):
    """A moment for every graph: `kind` such as `deploy`; `at`: now, if it is not said; `checks`: all, if none is named."""

    kind: NotRequired[Annotated[str, msgspec.Meta(pattern=f"^{KIND.pattern}$")]]
    text: Line
    at: NotRequired[Moment]
    checks: NotRequired[Names]


class NoticeBody(TypedDict):
    """What the public is told. `ends` is for a maintenance that is planned."""

    title: Line
    components: Names
    standing: Standing
    text: Text
    begins: NotRequired[Moment]
    ends: NotRequired[Moment | None]
    incident: NotRequired[Name | None]


class UpdateBody(TypedDict):
    """What more is said."""

    standing: Standing
    text: Text
