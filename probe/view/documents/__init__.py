"""The shapes of the documents: what the API answers, and all that a page may show.

Moments are RFC 3339 in UTC, durations are seconds, shares are 0 to 1; `None`: not known, or there is none. Texts of a target
(titles, messages, headers, console) are as they came, with secrets taken out: whoever shows them escapes them.
"""

from probe.view.documents.audit import AuditPage, AuditRow
from probe.view.documents.incident import Cause, IncidentDocument, Line, NoteRow, Place, Suffering
from probe.view.documents.journey import Burndown, BurnPoint, Column, FailureGroup, Journey, StepColumn, VitalsPoint
from probe.view.documents.overview import ChannelRow, CheckRow, Health, Overview, RegionRow, TargetRow, VisitorsRow
from probe.view.documents.promises import Cost, Excluded, ObjectiveMonth, SloReport
from probe.view.documents.public import Day, PublicComponent, PublicNotice, PublicUpdate, StatusDocument
from probe.view.documents.run import Compared, DifferenceRow, EvidenceRow, Request, RunDocument
from probe.view.documents.shared import (
    Cell,
    Failing,
    IncidentPage,
    IncidentRow,
    MarkRow,
    ObjectiveRow,
    Period,
    RunPage,
    RunRow,
)

__all__ = [
    "AuditPage",
    "AuditRow",
    "BurnPoint",
    "Burndown",
    "Cause",
    "Cell",
    "ChannelRow",
    "CheckRow",
    "Column",
    "Compared",
    "Cost",
    "Day",
    "DifferenceRow",
    "EvidenceRow",
    "Excluded",
    "Failing",
    "FailureGroup",
    "Health",
    "IncidentDocument",
    "IncidentPage",
    "IncidentRow",
    "Journey",
    "Line",
    "MarkRow",
    "NoteRow",
    "ObjectiveMonth",
    "ObjectiveRow",
    "Overview",
    "Period",
    "Place",
    "PublicComponent",
    "PublicNotice",
    "PublicUpdate",
    "RegionRow",
    "Request",
    "RunDocument",
    "RunPage",
    "RunRow",
    "SloReport",
    "StatusDocument",
    "StepColumn",
    "Suffering",
    "TargetRow",
    "VisitorsRow",
    "VitalsPoint",
]
