"""`[web]`: what good tables become, and what is said of others."""

from datetime import timedelta
from pathlib import Path

import pytest

from probe.config import web as web_config
from probe.config.load import read_config
from probe.config.publish import for_everyone, for_region, own_part
from probe.core.access import Access, Oidc, Token, User, WebSettings
from probe.core.secret import Secret
from tests.config.conftest import Load

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0IG9mIG91cnM$2Eek3f6Ux7ubW6AZQ2cgIh9oEBnv9vCQ8kVpCGYPyZk"
TOKEN = "a-token-of-more-than-24-characters"
OIDC = '[web]\nurl = "https://ops.example"\n[web.oidc]\nissuer = "https://login.example"\nclient_id = "probe"\nclient_secret = "the-clients"\nviewers = ["a"]\n'


def test_closed_by_default(load: Load) -> None:
    assert load("").web == WebSettings()
    assert load("[web]").web == WebSettings(session=timedelta(days=7), idle=timedelta(hours=12))


def test_all_of_it(load: Load, tmp_path: Path) -> None:
    (tmp_path / "ada").write_text(HASH + "\n")
    config = load(
        f"""
[web]
url = "https://ops.example/probe/"
trace_url = "https://traces.example/"
proxies = ["10.0.0.0/8", "::1"]
session = "1d"
idle = "1h"
[web.users.ada]
password = "${{file:ada}}"
[web.users."grace.h"]
password = "{HASH}"
role = "operator"
[web.tokens.grafana]
secret = "${{env:GRAFANA}}"
[web.tokens.deploy]
secret = "another-secret-of-24-characters"
role = "operator"
[web.oidc]
issuer = "https://login.example/"
client_id = "probe"
client_secret = "${{env:OIDC}}"
claim = "groups"
viewers = "staff"
operators = ["oncall", "leads"]
scopes = ["openid", "groups"]
""",
        GRAFANA=TOKEN,
        OIDC="the-clients",
    )
    assert config.web == WebSettings(
        url="https://ops.example/probe",
        trace_url="https://traces.example",
        proxies=("10.0.0.0/8", "::1"),
        session=timedelta(days=1),
        idle=timedelta(hours=1),
        users=(
            User(name="ada", password=Secret(HASH)),
            User(name="grace.h", password=Secret(HASH), role=Access.OPERATOR),
        ),
        tokens=(
            Token(name="grafana", secret=Secret(TOKEN)),
            Token(name="deploy", secret=Secret("another-secret-of-24-characters"), role=Access.OPERATOR),
        ),
        oidc=Oidc(
            issuer="https://login.example/",
            client_id="probe",
            client_secret=Secret("the-clients"),
            claim="groups",
            viewers=("staff",),
            operators=("oncall", "leads"),
            scopes=("openid", "groups"),
        ),
    )
    secrets = {secret.reveal() for secret in config.secrets}
    assert {HASH, TOKEN, "another-secret-of-24-characters", "the-clients"} <= secrets
    assert not {"a", "probe", "https://login.example/"} & secrets


@pytest.mark.parametrize(
    ("text", "key", "what", "hint"),
    [
        ('[web]\nurl = "ops.example"', "web.url", "has no scheme", "https://"),
        ('[web]\nurl = "https://ops.example/?a=b"', "web.url", "more than a host and a path", ""),
        ('[web]\nurl = "https://a:b@ops.example"', "web.url", "more than a host and a path", ""),
        ('[web]\nurl = "https://ops.example/a b"', "web.url", "white space", ""),
        ('[web]\nurl = "https://ops.example/%2e%2e"', "web.url", "cannot be a prefix", ""),
        ('[web]\nurl = "https://ops.example/runs/x"', "web.url", "begins like a page of ours", "/probe"),
        ('[web]\ntrace_url = "https://traces.example/x"', "web.trace_url", "has a path", "a host of its own"),
        (
            '[web]\nurl = "https://ops.example"\ntrace_url = "https://ops.example:8443"',
            "web.trace_url",
            "is the host of web.url",
            "another name",
        ),
        ('[web]\nproxies = "10.0.0.1/8"', "web.proxies", "is not a network", "10.0.0.0/8"),
        ('[web]\nsession = "91d"', "web.session", "longer than 90d", ""),
        ('[web]\nidle = "0s"', "web.idle", "not longer than zero", ""),
        ("[web]\nuser = 1", "web.user", "no such key", "did you mean"),
        (f'[web.users."a b"]\npassword = "{HASH}"', "web.users.a b", "cannot be an id", ""),
        ("[web.users.ada]", "web.users.ada.password", "is missing", "secrets/ada"),
        ('[web.users.ada]\npassword = "hunter22"', "web.users.ada.password", "not the hash", "probe user hash"),
        (
            f'[web.users.ada]\npassword = "{HASH.replace("65536", "99999999")}"',
            "web.users.ada.password",
            "too long to check",
            "probe user hash",
        ),
        ("[web.users.ada]\npassword = 7", "web.users.ada.password", "not a string", ""),
        (f'[web.users.ada]\npassword = "{HASH}"\nrole = "oprator"', "web.users.ada.role", "not a role", "operator"),
        (f'[web.users.ada]\npassword = "{HASH}"\nrole = "public"', "web.users.ada.role", "not a role", "viewer"),
        ('[web.tokens.t]\nsecret = "hunter22"', "web.tokens.t.secret", "at least 24", "token_urlsafe"),
        (f'[web.tokens.t]\nsecret = "{TOKEN} x"', "web.tokens.t.secret", "at least 24", "token_urlsafe"),
        (
            f'[web.tokens.a]\nsecret = "{TOKEN}"\n[web.tokens.b]\nsecret = "{TOKEN}"',
            "web.tokens.b.secret",
            "the secret of 'a', too",
            "another",
        ),
        (OIDC.replace("https://login", "http://login"), "web.oidc.issuer", "is not https", "its https:// address"),
        (OIDC.replace('url = "https://ops.example"\n', ""), "web.oidc", "send people back", "callback"),
        (OIDC + 'scopes = ["email"]', "web.oidc.scopes", '"openid" is missing', ""),
        (OIDC.replace('client_id = "probe"\n', ""), "web.oidc.client_id", "is missing", 'client_id = "probe"'),
        (OIDC + "group = 1", "web.oidc.group", "no such key", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(tmp_path: Path, text: str, key: str, what: str, hint: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    found = read_config(tmp_path / "config.toml", environ={}).diagnostics
    told = [(one.key, one.what, one.hint) for one in found if one.severity == "error"]
    assert len(told) == 1, told
    assert told[0][0] in {key, f"{key}[0]"}
    assert what in told[0][1]
    assert hint in told[0][2]
    for secret in ("hunter22", TOKEN, "the-clients"):
        assert not any(secret in f"{one.what}{one.hint}" for one in found)


def test_an_issuer_on_this_machine_need_not_be_encrypted(load: Load) -> None:
    for host in ("127.0.0.1:8080", "localhost", "[::1]:1"):
        oidc = load(OIDC.replace("https://login.example", f"http://{host}")).web.oidc
        assert oidc is not None
        assert oidc.issuer == f"http://{host}"


def test_that_the_extra_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text(OIDC)
    assert web_config.has_oidc()
    monkeypatch.setattr(web_config, "has_oidc", lambda: False)
    (told,) = read_config(tmp_path / "config.toml", environ={}).diagnostics
    assert "needs Authlib" in told.what
    assert told.hint == "pip install 'probe-synthetics[oidc]'"


def test_lists_that_let_nobody_in_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(OIDC.replace('viewers = ["a"]\n', ""))
    (told,) = read_config(tmp_path / "config.toml", environ={}).diagnostics
    assert (told.severity, "lets nobody in" in told.what) == ("warning", True)


def test_it_is_each_nodes_own(load: Load) -> None:
    config = load(
        f'[store]\nurl = "postgresql://a:b@127.0.0.1/probe"\n[fleet]\nrole = "all"\n[web.tokens.t]\nsecret = "{TOKEN}"\n'
    )
    document = config.document
    assert "web" in document
    assert "web" not in for_everyone(document, "local")
    assert "web" not in for_region(document, "local", ())
    assert own_part(config)["web"] == {"tokens": {"t": {"secret": TOKEN}}}
