"""Notifications for the tests of what is said to whom."""

from datetime import datetime

from probe.core.incident import IncidentId, Verdict
from probe.core.notification import Message, Notification, Reason
from probe.core.rules import Severity
from tests.core.builders import NOW


def notification(
    incident: str = "i1",
    number: int = 1,
    reason: Reason = Reason.OPENED,
    channel: str = "oncall",
    created: datetime = NOW,
) -> Notification:
    return Notification(
        key=f"{incident}:{number}:{reason}:{channel}",
        channel=channel,
        incident=IncidentId(incident),
        reason=reason,
        number=number,
        created=created,
        message=Message(
            title=f"{incident} {reason}", body="", verdict=Verdict.DOWN, severity=Severity.PAGE, since=created
        ),
    )
