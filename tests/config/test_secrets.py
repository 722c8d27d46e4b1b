"""References, and that what they give shows nowhere."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.config.load import read_config
from probe.config.secrets import environment_secrets, is_secret_header


def read(folder: Path, text: str, **environ: str) -> tuple[dict[str, str], set[str]]:
    """The target's secrets, and everything that is not to be shown."""
    path = folder / "config.toml"
    path.write_text(text)
    reading = read_config(path, environ=environ)
    assert reading.config is not None
    assert reading.diagnostics == ()
    target = next(iter(reading.config.targets.values()), None)
    values = {k: v.reveal() for k, v in target.secrets.items()} if target else {}
    return values, {s.reveal() for s in reading.config.secrets}


def test_references(tmp_path: Path) -> None:
    (tmp_path / "pin").write_bytes(b"12\n34\r\n")
    (tmp_path / "lines").write_text("a\n\n")
    secrets = """
a = "${env:A_b1}"
b = "<${env:A_b1}|${file:pin}>"
c = "$${env:A_b1} $5 {x}"
d = "${file:lines}"
"""
    values, hidden = read(
        tmp_path, f'[targets.shop]\nurl = "https://shop.example"\n[targets.shop.secrets]{secrets}', A_b1="${x}"
    )
    assert values == {"a": "${x}", "b": "<${x}|12\n34>", "c": "${env:A_b1} $5 {x}", "d": "a\n"}
    assert {"${x}", "12\n34", "a\n"} <= hidden


@pytest.mark.parametrize(
    ("text", "hidden", "shown"),
    [
        ('[targets.shop]\nurl = "${env:ADDRESS}"', {"pa%20ss", "pa ss"}, {"https://ada:pa%20ss@shop.example/x"}),
        ('[targets.shop]\nurl = "https://${env:PLACE}/x"', set(), {"eu-west"}),
        ('[targets.shop]\nurl = "https://shop.example/${env:PLACE}"', {"eu-west"}, set()),
        ('[targets.shop]\nurl = "https://${env:PLACE}@shop.example/"', {"eu-west"}, set()),
        ('[targets.shop]\nurl = "https://shop.example/${env:SHOP_TOKEN}"', {"t0k"}, set()),
        ('[probe]\nregion = "${env:PLACE}"', set(), {"eu-west"}),
        ('[probe]\nregion = "${env:SHOP_TOKEN}"', {"t0k"}, set()),
        ('[probe]\nregion = "${file:place}"', {"eu-east"}, set()),
        ('[probe]\nuser_agent = "${env:PLACE}"', {"eu-west"}, set()),
        ('[targets.shop]\nurl = "https://shop.example"\nheaders = { Authorization = "Bearer abcdef" }', {"Bearer abcdef", "abcdef"}, set()),
        ('[targets.shop]\nurl = "https://shop.example"\nheaders = { accept = "text/html" }', set(), {"text/html"}),
        ('[regions.us]\nproxy = "http://ada:pass%40word@egress:1080"', {"pass%40word", "pass@word"}, {"ada"}),
        ('[[check]]\nname = "a"\njson = { user = "ada", deep = { new_password = "hunter2" } }', {"hunter2"}, {"ada"}),
        ('[[check]]\nname = "a"\npath = "/x?a=eu&api_key=hunter3"\nform = { csrf_token = "hunter2" }', {"hunter2", "hunter3"}, {"eu"}),
        ('[targets.shop]\nurl = "${env:ONE_USER}"', {"solo", "v1"}, {"https://solo@shop.example"}),
    ],
)  # fmt: skip
def test_what_is_secret(tmp_path: Path, text: str, hidden: set[str], shown: set[str]) -> None:
    (tmp_path / "place").write_text("eu-east")
    path = tmp_path / "config.toml"
    path.write_text(text)
    environ = {
        "ADDRESS": "https://ada:pa%20ss@shop.example/x",
        "PLACE": "eu-west",
        "SHOP_TOKEN": "t0k",
        "ONE_USER": "https://solo@shop.example/?a=v1",
    }
    config = read_config(path, environ=environ).config
    assert config is not None
    found = {s.reveal() for s in config.secrets}
    assert hidden <= found
    assert not shown & found


def test_variables_that_sound_secret() -> None:
    environ = {
        "DB_PASSWORD": "hunter22",
        "api_key": "abcdefg",
        "APIKEY": "bcdefgh",
        "GITHUB_TOKEN": "short",
        "AWS_SECRET_ACCESS_KEY": "cdefghi",
        "PATH": "/usr/bin:/bin",
    }
    assert {s.reveal() for s in environment_secrets(environ)} == {"hunter22", "abcdefg", "bcdefgh", "cdefghi"}


@pytest.mark.parametrize(
    ("name", "secret"), [("Authorization", True), ("X-Api-Key", True), ("x-session-id", True), ("accept", False)]
)
def test_headers_that_sound_secret(name: str, secret: bool) -> None:
    assert is_secret_header(name) is secret


PLACES = """
[probe]
region = "@"
data = "~@/x"
checks = ["@"]
marker_header = "@"
[browser]
executable = "@"
workers = "@"
max_memory = "@"
[evidence]
trace = "@"
[defaults]
every = "@"
target = "@"
[regions.us]
proxy = "@"
source_address = "@"
nameserver = "@"
ip_version = "@"
[regions.eu]
proxy = "socks5://egress:@"
[targets.shop]
url = "@"
headers = { a = "@" }
secrets = { a = "@", b = ["@"] }
third_parties = "@"
ca = "@"
client_key = "@"
[targets.pay]
url = "https://shop.example:@/"
unknown = "@"
[targets.cdn]
url = "https://@:hunter2/"
[[check]]
name = "@"
path = "a @ b"
method = "@"
kind = "http"
target = "@"
every = "@"
regions = ["@"]
tags = ["@"]
json = { a = "@", b = 2020-01-01 }
expect = { status = "@", body_matches = "(@", within = "@", size_under = "@", phases = { dns = "@" } }
[[check]]
name = "@"
kind = "@"
[[check]]
kind = "playwright-pytest"
file = "@"
browser = "@"
evidence = "@"
"""


@given(
    secret=st.text(alphabet="¤¶§µ(", min_size=1, max_size=7).filter(lambda s: s.strip("(")),
    given_by=st.sampled_from(
        ["${env:SECRET}", "${file:secret}", "a${env:SECRET}", "http://${env:SECRET}", "1${env:SECRET}s"]
    ),
)
@settings(max_examples=60, deadline=None)
def test_no_diagnostic_shows_a_secret(tmp_path_factory: pytest.TempPathFactory, secret: str, given_by: str) -> None:
    folder = tmp_path_factory.mktemp("secret")
    (folder / "secret").write_text(secret)
    path = folder / "config.toml"
    path.write_text(PLACES.replace("@", given_by))
    diagnostics = read_config(path, environ={"SECRET": secret}).diagnostics
    assert len(diagnostics) > 30
    text = "\n".join(map(str, diagnostics))
    assert not set("¤¶§µ") & set(text)


def test_literal_secrets_are_masked_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[targets.shop]\nurl = "hunter2"\nsecrets = { a = "hunter2" }\nca = "hunter2"\n')
    text = "\n".join(map(str, read_config(path, environ={}).diagnostics))
    assert text.count("***") == 2
    assert "hunter2" not in text
