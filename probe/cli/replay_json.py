"""What judging runs again came to, as JSON (docs/json.md)."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from probe.backtest.alert import Alert
from probe.backtest.score import Score
from probe.cli.document import print_document
from probe.cli.exits import Exit
from probe.cli.replay import Replay
from probe.cli.replay_difference import differences
from probe.cli.source import Source
from probe.core.encode import seconds, timestamp


def encode_replays(replays: Sequence[Replay], source: Source) -> None:
    """Print one document for one or two of them."""
    body: dict[str, Any] = {
        "start": seconds(source.start),
        "checks": [
            {
                "check": recording.setting.check,
                "regions": list(recording.setting.regions),
                "every": recording.setting.every,
                "runs": recording.runs,
                "length": seconds(recording.setting.length),
            }
            for recording in source.recordings
        ],
        "replays": [_replay(replay, source) for replay in replays],
    }
    if len(replays) == 2:
        body["differences"] = [
            {
                "only": replays[one.side].name if one.later is None else None,
                "later": seconds(one.later),
                "alert": _alert(one.alert, source),
            }
            for one in differences(replays[0], replays[1])
        ]
    print_document(Exit.PASSED, body)


def _replay(replay: Replay, source: Source) -> dict[str, Any]:
    return {
        "config": replay.name or None,
        "incidents": len(replay.opened),
        "pages": replay.pages,
        "alerts": [_alert(alert, source) for alert in replay.played.alerts],
        "runs": {
            "scheduled": replay.played.scheduled,
            "confirm": replay.played.confirms,
            "control": replay.played.controls,
            "stood_in": replay.stood_in,
            "unanswered": replay.played.unanswered,
        },
        "score": None if replay.score is None else _score(replay.score, source),
        "notes": list(replay.notes),
    }


def _alert(alert: Alert, source: Source) -> dict[str, Any]:
    return {
        "t": seconds(source.start + alert.at),
        "event": alert.event.value,
        "page": alert.page,
        "incident": alert.incident,
        "cause": alert.cause,
        "severity": alert.severity.value,
        "verdict": alert.verdict.value,
        "checks": list(alert.checks),
        "since": timestamp(alert.since),
        "title": alert.title,
        "body": alert.body,
    }


def _score(score: Score, source: Source) -> dict[str, Any]:
    return {
        "kinds": {
            name: {key: value if value is None or isfinite(value) else None for key, value in asdict(kind).items()}
            for name, kind in score.kinds.items()
        },
        "outages": [
            {
                "kind": one.truth.kind,
                "start": seconds(source.start + one.truth.start),
                "end": seconds(source.start + one.truth.end),
                "checks": list(one.truth.checks),
                "delay": seconds(one.delay),
                "recovery": seconds(one.recovery),
                "pages": one.pages,
                "reopens": one.reopens,
                "masked": one.masked,
            }
            for one in score.found
        ],
        "false_pages": len(score.false_pages),
        "false_pages_in_30_days": round(score.false_per_month, 3),
        "false_tickets": score.false_tickets,
        "quiet": seconds(score.quiet),
    }
