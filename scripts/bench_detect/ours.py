"""Our own judgement as one more rule: the fold of the daemon, in simulated time."""

from dataclasses import dataclass

from probe.backtest.alert import Event
from probe.backtest.loop import Played, play
from probe.backtest.rules import watched_of
from probe.backtest.sample import Setting, World
from probe.core.check import CheckId
from probe.core.rules import Route, Rules, Severity
from scripts.bench_detect.history import Alert

OURS = "probe"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What our judgement said of a world, and the runs that it asked for, as shares of the schedule."""

    alerts: list[Alert]
    confirms: float
    controls: float


def judge(world: World) -> Judged:
    """Play a world, with nothing set by hand: no objective, a control run for each region."""
    played = play(world, rules_for(world.setting))
    scheduled = max(1, played.scheduled)
    return Judged(alerts=list(told(played)), confirms=played.confirms / scheduled, controls=played.controls / scheduled)


def rules_for(setting: Setting) -> Rules:
    watched = watched_of(setting, "shop.example")
    return Rules(
        checks={watched.id: watched},
        routes=(Route(channels=("team",)),),
        controls={region: CheckId(f"control {region}") for region in setting.regions},
    )


def told(played: Played) -> list[Alert]:
    """Its alerts in the words of all rules. A ticket that becomes a page opens as a page then."""
    found = []
    for alert in played.alerts:
        page = alert.severity is Severity.PAGE
        if alert.event is Event.RESOLVED:
            found.append(Alert(alert.at, "resolve", alert.incident, page))
        elif alert.event is Event.REOPENED:
            found.append(Alert(alert.at, "open" if alert.page else "reopen", alert.incident, page))
        elif alert.event is Event.OPENED or alert.page:
            found.append(Alert(alert.at, "open", alert.incident, page))
    return found
