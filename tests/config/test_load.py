"""What a good config becomes."""

from datetime import timedelta
from pathlib import Path

import pytest

from probe.config.load import load_config
from probe.config.settings import Defaults
from probe.core.check import PytestFunction, Source
from probe.core.expectation import Expectation, Op, Subject
from probe.core.secret import Secret
from probe.core.target import BrowserKind, BrowserSettings, Evidence, EvidencePolicy, IpVersion, Region
from tests.config.conftest import Load, call_of

SHOP = '[targets.shop]\nurl = "https://shop.example"\n'


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
