"""What a good config becomes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.config.load import load_config
from probe.config.settings import Config, Defaults, Latency, Slo, StoreLimits
from probe.core.check import CheckSpec, Cron, HttpCall, PytestFunction, Source
from probe.core.expectation import Expectation, Op, Subject
from probe.core.maintenance import Window
from probe.core.rules import Calendar, Escalation, Route, Severity
from probe.core.secret import Redactor, Secret
from probe.core.target import BrowserKind, BrowserSettings, Evidence, EvidencePolicy, IpVersion, Region
from probe.ports import ChannelSettings

Load = Callable[..., Config]
SHOP = '[targets.shop]\nurl = "https://shop.example"\n'


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def from_text(text: str, *, targets: dict[str, str] | None = None, **environ: str) -> Config:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return load_config(path, environ=environ, targets=targets).config

    return from_text


def call_of(check: CheckSpec) -> HttpCall:
    assert isinstance(check.work, HttpCall)
    return check.work


def test_an_empty_config_is_all_defaults(load: Load, tmp_path: Path) -> None:
    config = load("")
    assert config.path == tmp_path / "config.toml"
    assert config.folder == tmp_path
    assert config.region == Region(name="local")
    assert config.regions == (config.region,)
    assert dict(config.targets) == {}
    assert config.browser == BrowserSettings()
    assert config.evidence == Evidence()
    assert config.defaults == Defaults()
    assert (config.http_concurrency, config.marker_header, config.user_agent) == (16, "x-synthetic-check", None)
    assert config.data == Path.home() / ".local/state/probe"
    assert config.evidence_dir == config.data / "evidence"
    assert config.check_paths == ()  # checks/ is not there, and nobody said that it was
    assert config.declared == config.secrets == ()


def test_everything_outside_the_checks(load: Load, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    config = load(
        """
[probe]
region = "eu"
data = "state"
checks = ["mine"]
user_agent = "acme/1"
marker_header = "X-Acme"
http_concurrency = 3
[browser]
executable = "bin/chromium"
workers = 2
recycle_after_runs = 10
recycle_after = "30m"
recycle_above = "1GB"
max_memory = 1000
[evidence]
trace = "on"
har_bodies = true
[defaults]
every = "5m"
timeout = "1m30s"
[regions.us]
proxy = "socks5h://ada:pass%40word@egress:1080"
nameserver = "[2001:db8::1]:5353"
[regions.eu]
source_address = "192.0.2.1"
ip_version = "4"
[targets.shop]
url = "https://shop.example/eu"
headers = { "X-Access" = "letmein" }
secrets = { user = "ada", password = "hunter2" }
third_parties = ["*.Pay.example"]
ca = "ca.pem"
""",
        HOME="/nowhere",
        SOME_TOKEN="tok-123",
        A_TOKEN="true",
    )
    eu = Region(name="eu", source_address="192.0.2.1", ip_version=IpVersion.V4)
    us = Region(name="us", proxy=Secret("socks5h://ada:pass%40word@egress:1080"), nameserver="[2001:db8::1]:5353")
    assert config.region == eu
    assert config.regions == (eu, us)
    assert config.data == tmp_path / "state"
    assert config.check_paths == (tmp_path / "mine",)
    assert (config.http_concurrency, config.marker_header, config.user_agent) == (3, "x-acme", "acme/1")
    assert config.browser == BrowserSettings(
        executable=str(tmp_path / "bin/chromium"),
        workers=2,
        recycle_after_runs=10,
        recycle_after=timedelta(minutes=30),
        recycle_above=10**9,
        max_memory=1000,
    )
    assert config.evidence == Evidence(trace=EvidencePolicy.ON, har_bodies=True)
    assert config.defaults == Defaults(every=timedelta(minutes=5), timeout=timedelta(seconds=90), target="shop")
    shop = config.targets["shop"]
    assert (shop.url, shop.third_parties, shop.ca) == (
        "https://shop.example/eu",
        ("pay.example",),
        str(tmp_path / "ca.pem"),
    )
    assert {k: v.reveal() for k, v in shop.secrets.items()} == {"user": "ada", "password": "hunter2"}
    assert shop.headers["X-Access"].reveal() == "letmein"
    assert {s.reveal() for s in config.secrets} >= {"tok-123", "pass%40word", "pass@word", "ada", "hunter2"}
    assert "true" not in {s.reveal() for s in config.secrets}


@pytest.mark.parametrize("executable", ["chromium", "/usr/bin/chromium", "~nobody-of-that-name/chromium"])
def test_executables_that_stay_as_they_are(load: Load, executable: str) -> None:
    assert load(f'[browser]\nexecutable = "{executable}"').browser.executable == executable


def test_a_declared_check(load: Load, tmp_path: Path) -> None:
    (check,) = load(
        SHOP
        + """
[[check]]
name = "Log in (EU)"
path = "/session?x=1"
method = "PUT"
headers = { accept = "text/html" }
json = { user = "ada", n = [1, 2.5, true] }
every = "30s"
timeout = "5s"
slo = "login"
tags = ["a", "b"]
regions = ["local"]
follow_redirects = false
max_redirects = 3
max_body = "1kB"
verify_tls = false
description = "People get in."

[check.expect]
status = [200, 204]
body = "Welcome"
body_lacks = ["a", "b"]
body_matches = "x+"
within = "800ms"
tls_days = 14
headers = { "cache-control" = "no-store" }
json = { "$.a" = 1 }
size_under = "1KiB"
size_at_least = 2
phases = { ttfb = "300ms" }
redirects = 1
"""
    ).declared
    assert (check.id, check.kind, check.target, check.slo) == ("log-in-eu", "http", "shop", "login")
    assert (check.every, check.timeout) == (timedelta(seconds=30), timedelta(seconds=5))
    assert (check.tags, check.regions, check.description) == (("a", "b"), ("local",), "People get in.")
    assert check.source == Source(file=str(tmp_path / "config.toml"), line=4)
    call = call_of(check)
    assert (call.method, call.path) == ("PUT", "/session?x=1")
    assert call.body == Secret('{"user": "ada", "n": [1, 2.5, true]}')
    assert dict(call.headers) == {"accept": Secret("text/html"), "content-type": Secret("application/json")}
    assert (call.follow_redirects, call.max_redirects, call.max_body, call.verify_tls) == (False, 3, 1000, False)
    expected: list[tuple[Subject, Op, object, str]] = [
        (Subject.STATUS, Op.ONE_OF, (200, 204), ""),
        (Subject.REDIRECTS, Op.EQUALS, 1, ""),
        (Subject.HEADER, Op.HAS, "no-store", "cache-control"),
        (Subject.BODY, Op.HAS, "Welcome", ""),
        (Subject.BODY, Op.LACKS, "a", ""),
        (Subject.BODY, Op.LACKS, "b", ""),
        (Subject.BODY, Op.MATCHES, "x+", ""),
        (Subject.JSON, Op.EQUALS, 1, "$.a"),
        (Subject.SIZE, Op.UNDER, 1024, ""),
        (Subject.SIZE, Op.AT_LEAST, 2, ""),
        (Subject.PHASE, Op.UNDER, 0.3, "ttfb"),
        (Subject.TOTAL, Op.UNDER, 0.8, ""),
        (Subject.TLS_DAYS, Op.AT_LEAST, 14, ""),
    ]
    assert call.expectations == tuple(
        Expectation(subject=subject, op=op, value=value, selector=selector) for subject, op, value, selector in expected
    )


@pytest.mark.parametrize(
    ("more", "method", "body", "content_type"),
    [
        ("", "GET", None, None),
        ('body = "plain"', "POST", "plain", None),
        ('form = { a = "b c", d = "&" }', "POST", "a=b+c&d=%26", "application/x-www-form-urlencoded"),
        ("json = []", "POST", "[]", "application/json"),
        ('json = 1\nheaders = { "Content-Type" = "x/y" }', "POST", "1", "x/y"),
        ('body = ""\nmethod = "DELETE"', "DELETE", "", None),
    ],
)
def test_bodies(load: Load, more: str, method: str, body: str | None, content_type: str | None) -> None:
    (check,) = load(f'{SHOP}[[check]]\nname = "a"\n{more}').declared
    call = call_of(check)
    assert (call.method, call.body and call.body.reveal()) == (method, body)
    assert {k.lower(): v.reveal() for k, v in call.headers.items()}.get("content-type") == content_type


def test_without_expectations_an_error_status_fails(load: Load) -> None:
    (check,) = load(f'{SHOP}[[check]]\nname = "a"').declared
    assert call_of(check).expectations == (Expectation(subject=Subject.STATUS, op=Op.UNDER, value=400),)
    assert check.description == "a"


def test_the_default_timeout_is_cut_to_the_interval(load: Load) -> None:
    (check,) = load(f'{SHOP}[[check]]\nname = "a"\nevery = "10s"').declared
    assert check.timeout == timedelta(seconds=10)


def test_a_pytest_file_is_a_check_for_each_test(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "tests" / "test_shop.py"
    file.parent.mkdir()
    file.write_text(
        'import nowhere\n\ndef test_buy(page):\n    """A guest buys.\n\n    More."""\n\ndef helper(): ...\n\n'
        "class TestCart:\n    async def test_add(self, page): ...\n    def other(self): ...\n\nclass Other:\n    def test_no(self): ...\n"
    )
    config = load(
        SHOP
        + '[[check]]\nkind = "playwright-pytest"\nfile = "tests/test_shop.py"\nbrowser = "chromium"\nevidence = "full"\n'
        + 'name = "Shop tests"\ndescription = "Old ones."\ntags = ["t"]\n'
        + '[[check]]\nkind = "playwright-pytest"\nfile = "tests/test_shop.py"\nevidence = { trace = "on" }\n'
    )
    buy, add, buy_again, _ = config.declared
    assert [c.id for c in config.declared] == [
        "shop-tests.test_buy",
        "shop-tests.TestCart.test_add",
        "test_shop.test_buy",
        "test_shop.TestCart.test_add",
    ]
    assert (buy.kind, buy.description, add.description, buy.tags) == (
        "playwright-pytest",
        "A guest buys.",
        "Old ones.",
        ("t",),
    )
    assert add.work == PytestFunction(file=str(file), node="TestCart::test_add", browser=BrowserKind.CHROMIUM)
    assert buy.source == Source(file=str(file), line=3)
    assert buy.evidence == Evidence.everything()
    assert buy_again.evidence == Evidence(trace=EvidencePolicy.ON)


def test_targets_from_the_command_line(load: Load) -> None:
    config = load('[targets.shop]\nurl = "${env:NOT_SET}"', targets={"shop": "http://ada:hunter2@127.0.0.1:8000/x"})
    assert config.targets["shop"].url == "http://ada:hunter2@127.0.0.1:8000/x"
    assert Secret("hunter2") in config.secrets


def test_bom_and_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[probe]\n")
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("config.toml"), environ={}).config
    assert config.check_paths == (Path("checks"),)
    assert config.data.is_absolute()


def test_a_home_that_nobody_knows(tmp_path: Path) -> None:
    from probe.config.load import read_config

    path = tmp_path / "config.toml"
    path.write_text('[probe]\ndata = "~nobody-of-that-name/x"')
    (found,) = read_config(path, environ={}).diagnostics
    assert found.what == "the home folder of '~' is not known"


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
    assert (control.kind, control.timeout) == ("http", timedelta(seconds=5))
    assert control.source == Source(file=str(tmp_path / "config.toml"), line=2)
    call = call_of(control)
    assert (call.method, target.join(call.path)) == ("GET", "https://anchor.example/ping?x=1")
    assert call.expectations == (Expectation(subject=Subject.STATUS, op=Op.UNDER, value=500),)
    assert config.declared == ()
    assert "control.us" not in config.targets


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
