"""What the daemon's part of a good config becomes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.config.settings import Latency, Slo, StoreLimits
from probe.core.check import Anchors, Cron, Source
from probe.core.maintenance import Window
from probe.core.rules import Calendar, Escalation, Route, Severity
from probe.core.secret import Redactor, Secret
from probe.ports import ChannelSettings
from tests.config.conftest import Load

SHOP = '[targets.shop]\nurl = "https://shop.example"\n'


def test_the_daemon_has_defaults(load: Load) -> None:
    config = load("")
    assert (config.listen, config.heartbeat_url, config.log, config.log_level) == (
        ("127.0.0.1", 9464),
        None,
        "console",
        "info",
    )
    assert (config.heartbeat_every, config.grace) == (timedelta(minutes=1), timedelta(seconds=30))
    assert config.store == StoreLimits()
    assert (config.routes, config.windows) == ((), ())
    assert {**config.slos, **config.channels, **config.controls, **config.control_targets} == {}


def test_the_process_and_its_store(load: Load) -> None:
    config = load(
        """
[probe]
listen = "[::1]:0"
heartbeat_url = "https://hc.example/ping/${env:HC}"
heartbeat_every = "30s"
grace = "5s"
log = "json"
log_level = "debug"
[store]
url = "sqlite"
keep_details = "1h"
keep_runs = "2d"
keep_failures = "3d"
keep_hours = "4d"
keep_days = "5d"
ballast = "0B"
""",
        HC="0b3c-11",
    )
    assert config.listen == ("::1", 0)
    assert config.heartbeat_url == Secret("https://hc.example/ping/0b3c-11")
    assert config.heartbeat_url in config.secrets
    assert (config.heartbeat_every, config.grace) == (timedelta(seconds=30), timedelta(seconds=5))
    assert (config.log, config.log_level) == ("json", "debug")
    assert config.store == StoreLimits(
        keep_details=timedelta(hours=1),
        keep_runs=timedelta(days=2),
        keep_failures=timedelta(days=3),
        keep_hours=timedelta(days=4),
        keep_days=timedelta(days=5),
        ballast=0,
    )
    assert load('[probe]\nlisten = "off"').listen is None
    assert load('[probe]\nlisten = "localhost:80"').listen == ("localhost", 80)


def test_objectives(load: Load) -> None:
    config = load(
        """
[slo.checkout]
objective = "99.9%"
window = "week"
checks = ["a", "b"]
step = "pay"
latency = { step = "pay", under = "3s", objective = 0.99 }
coverage = "75 %"
[slo.plain]
objective = 0.5
window = "90d"
[slo.whole]
objective = "99.95%"
coverage = 1
latency = { under = "500ms", objective = "50%" }
"""
    )
    assert config.slos == {
        "checkout": Slo(
            name="checkout",
            target=0.999,
            window=Calendar.WEEK,
            checks=("a", "b"),
            step="pay",
            latency=Latency(under=timedelta(seconds=3), target=0.99, step="pay"),
            coverage=0.75,
        ),
        "plain": Slo(name="plain", target=0.5, window=timedelta(days=90)),
        "whole": Slo(
            name="whole",
            target=0.9995,
            coverage=1.0,
            latency=Latency(under=timedelta(milliseconds=500), target=0.5),
        ),
    }


def test_channels_and_routes(load: Load, tmp_path: Path) -> None:
    (tmp_path / "team").write_text("slack://T0KEN-A/T0KEN-B/T0KEN-C\n")
    config = load(
        SHOP
        + """
[channels.team]
url = "${file:team}"
[channels.am]
kind = "alertmanager"
urls = ["http://127.0.0.1:9093", "http://127.0.0.1:9094"]
[channels.hook]
kind = "webhook"
url = "https://hooks.example/${env:HOOK_PATH}?v=1"
key = "sign-with-this"
timeout = "5s"
[channels.here]
kind = "terminal"
[[route]]
channels = "team"
severity = "page"
checks = ["a"]
targets = ["shop"]
tags = ["t"]
remind = "1h"
escalate = { after = "10m", channels = ["hook", "here"] }
[[route]]
channels = ["am", "team"]
""",
        HOOK_PATH="p4th",
    )
    assert config.channels == {
        "team": ChannelSettings(name="team", kind="apprise", urls=(Secret("slack://T0KEN-A/T0KEN-B/T0KEN-C"),)),
        "am": ChannelSettings(
            name="am",
            kind="alertmanager",
            urls=(Secret("http://127.0.0.1:9093"), Secret("http://127.0.0.1:9094")),
        ),
        "hook": ChannelSettings(
            name="hook",
            kind="webhook",
            urls=(Secret("https://hooks.example/p4th?v=1"),),
            key=Secret("sign-with-this"),
            timeout=timedelta(seconds=5),
        ),
        "here": ChannelSettings(name="here", kind="terminal"),
    }
    assert config.routes == (
        Route(
            channels=("team",),
            severity=Severity.PAGE,
            checks=("a",),
            targets=("shop",),
            tags=("t",),
            remind=timedelta(hours=1),
            escalate=Escalation(after=timedelta(minutes=10), channels=("hook", "here")),
        ),
        Route(channels=("am", "team")),
    )


def test_without_a_route_every_channel_is_told_everything(load: Load) -> None:
    config = load('[channels.a]\nurl = "json://a"\n[channels.b]\nkind = "terminal"')
    assert config.routes == (Route(channels=("a", "b")),)


CHANNEL_SECRETS = [
    ("slack://T0KENAAAA/B0KENBBBB/abcdefghijKLMNOPqrstuvwx", ["T0KENAAAA", "B0KENBBBB", "abcdefghijKLMNOPqrstuvwx"]),
    ("mailto://ada:hunter2@mail.example?to=ops@shop.example", ["hunter2"]),
    ("tgram://123456789:AAEhBOweik_adqr-QXMENQ/99887766", ["123456789", "AAEhBOweik_adqr-QXMENQ", "99887766"]),
    ("https://hooks.example/services/9f86d081884c7d65", ["9f86d081884c7d65"]),
    ("pover://useruseruseruseruseruser@abcdefghijklmnopqrstuvwxyzabcd", ["abcdefghijklmnopqrstuvwxyzabcd"]),
    ("json://host/p?token=s%40cret-12", ["s%40cret-12", "s@cret-12"]),
]


@pytest.mark.parametrize(("url", "parts"), CHANNEL_SECRETS)
def test_where_a_channel_leads_to_is_secret_whole_and_in_its_parts(load: Load, url: str, parts: list[str]) -> None:
    """A service may repeat a token alone in what it answers."""
    redactor = Redactor(load(f'[channels.team]\nurl = "{url}"').secrets)
    assert url not in redactor.text(f"cannot reach {url}")
    for part in parts:
        assert redactor.text(f"no such token: {part}.") == "no such token: ***."


def test_ordinary_words_of_an_address_stay_readable(load: Load) -> None:
    text = '[channels.hook]\nkind = "webhook"\nurl = "https://hooks.example/services/probe"\nkey = "sign-with-this"'
    redactor = Redactor(load(text).secrets)
    assert redactor.text("services of hooks.example for probe") == "services of hooks.example for probe"
    assert redactor.text("sign-with-this https://hooks.example/services/probe") == "*** ***"


def test_maintenance_windows(load: Load) -> None:
    config = load(
        SHOP
        + """
[[maintenance]]
name = "weekly"
duration = "2h"
cron = "0 2 * * sun"
timezone = "Europe/Amsterdam"
checks = ["a"]
targets = ["shop"]
tags = ["t"]
[[maintenance]]
name = "move"
duration = "4h"
start = 2026-12-01T22:00:00+01:00
[[maintenance]]
name = "local"
duration = "1h"
start = 2026-07-01T22:00:00
timezone = "Europe/Amsterdam"
"""
    )
    assert config.windows == (
        Window(
            name="weekly",
            duration=timedelta(hours=2),
            cron="0 2 * * sun",
            timezone="Europe/Amsterdam",
            checks=("a",),
            targets=("shop",),
            tags=("t",),
        ),
        Window(name="move", duration=timedelta(hours=4), start=datetime(2026, 12, 1, 21, tzinfo=UTC)),
        Window(
            name="local",
            duration=timedelta(hours=1),
            start=datetime(2026, 7, 1, 20, tzinfo=UTC),
            timezone="Europe/Amsterdam",
        ),
    )


def test_the_control_of_a_region(load: Load, tmp_path: Path) -> None:
    config = load('[regions.us]\ncontrol = "https://anchor.example/ping?x=1"\n[regions.local]\n[regions.eu]\n')
    assert list(config.controls) == ["us"]
    control, target = config.controls["us"], config.control_targets["control.us"]
    assert (control.id, control.target, control.regions) == ("control.us", target.name, ("us",))
    assert (control.kind, control.timeout) == ("control", timedelta(seconds=3))
    assert control.source == Source(file=str(tmp_path / "config.toml"), line=2)
    assert control.work == Anchors(names=("https://anchor.example/ping?x=1",))
    assert config.declared == ()
    assert "control.us" not in config.targets


def test_several_anchors_of_a_region(load: Load) -> None:
    config = load('[regions.us]\ncontrol = ["dns:anchor.example", "https://anchor.example/"]')
    assert config.controls["us"].work == Anchors(names=("dns:anchor.example", "https://anchor.example/"))
    assert config.control_targets["control.us"].url == "https://anchor.example/"


def test_a_check_by_the_clock(load: Load) -> None:
    desk, early = load(
        SHOP
        + '[[check]]\nname = "desk"\ncron = "*/5 9-17 * * mon-fri"\ntimezone = "Europe/Amsterdam"\n'
        + '[[check]]\nname = "early"\ncron = "0,10 6 * * *"\ntimeout = "10m"\n[defaults]\nevery = "10s"\ntimeout = "1h"'
    ).declared
    assert desk.cron == Cron(expression="*/5 9-17 * * mon-fri", timezone="Europe/Amsterdam")
    # The longest gap is the weekend in which clocks go back; the default timeout is cut to the shortest one.
    assert (desk.every, desk.timeout) == (timedelta(hours=64, minutes=5), timedelta(minutes=5))
    assert early.cron == Cron(expression="0,10 6 * * *")
    assert (early.every, early.timeout) == (timedelta(hours=23, minutes=50), timedelta(minutes=10))
