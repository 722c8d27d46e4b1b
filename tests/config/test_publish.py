"""What of a configuration is published, to whom; and what each node makes of it with its own."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from probe.config.load import load_config
from probe.config.publish import for_everyone, for_region, merged, own_part
from probe.config.settings import Config
from probe.errors import ConfigError, ProbeError

WHOLE = """
[probe]
region = "eu"
data = "data"
marker_header = "x-probe"
heartbeat_url = "https://hc.example/a-heartbeat-1"
[store]
url = "${env:DB}"
keep_runs = "20d"
ballast = "1MiB"
[fleet]
node = "eu-1"
stale_after = "30s"
evidence = "off"
fast_path = "team"
[browser]
executable = "bin/chromium"
[defaults]
target = "shop"
[regions.us]
agent = true
nameserver = "192.0.2.53"
headers = { authorization = "${env:US}" }
control = "dns:a.example"
[regions.us.targets.shop]
url = "https://us.shop.example"
[regions.us.targets.pay]
url = "https://us.pay.example"
[regions.tor]
proxy = "socks5://ann:${env:TOR}@127.0.0.1:9050"
control = ["https://anchor.example/"]
[regions.eu]
nameserver = "192.0.2.54"
[targets.shop]
url = "https://shop.example"
secrets = { user = "${file:secrets/user}" }
[targets.pay]
url = "https://pay.example"
headers = { authorization = "Bearer ${env:PAY}" }
client_certificate = "certs/pay.pem"
[channels.team]
kind = "webhook"
url = "https://hooks.example/probe"
key = "${env:HOOK}"
[slo.buying]
objective = "99%"
[[maintenance]]
name = "m"
duration = "1h"
cron = "0 2 * * sun"
[[route]]
channels = "team"
[[check]]
name = "home"
slo = "buying"
[[check]]
name = "pay"
target = "pay"
regions = ["eu", "tor"]
body = "${env:PAY}"
method = "POST"
[[check]]
name = "us"
regions = ["us", "tor"]
slo = "buying"
"""
ENVIRON = {"DB": "postgresql://ann@127.0.0.1/p", "US": "us-secret", "TOR": "tor-secret", "PAY": "pay-secret"}
ENVIRON |= {"HOOK": "hook-secret"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "user").write_text("a-user")
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "pay.pem").write_text("-----BEGIN X-----\n")
    return tmp_path


def read(folder: Path, text: str, **environ: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    return load_config(path, environ=environ).config


@pytest.fixture
def whole(folder: Path) -> Config:
    return read(folder, WHOLE, **ENVIRON)


def node(folder: Path, name: str, text: str, **environ: str) -> Config:
    """A node's own file, in a folder of its own."""
    (folder / name).mkdir()
    return read(folder / name, text, **environ)


def run(folder: Path, document: dict[str, Any], **environ: str) -> Config:
    """What is merged, read as a node reads it: from elsewhere."""
    (folder / "published").mkdir()
    return read(folder / "published", tomli_w.dumps(document), **environ)


def everyone(config: Config) -> dict[str, Any]:
    assert config.fleet is not None
    return for_everyone(config.document, config.region.name if config.fleet.probes else None)


def test_what_nodes_that_judge_are_given(whole: Config) -> None:
    """Nothing of the machine: to others each region is one that is probed elsewhere."""
    given = everyone(whole)
    for name in ("targets", "check", "slo", "channels", "route", "maintenance", "defaults"):
        assert given[name] == whole.document[name]
    assert given["probe"] == {"marker_header": "x-probe"}
    assert given["store"] == {"keep_runs": "20d"}
    assert given["fleet"] == {"stale_after": "30s", "evidence": "off"}
    assert given["regions"] == {
        "eu": {"agent": True},
        "tor": {"agent": True, "control": ["https://anchor.example/"]},
        "us": whole.document["regions"]["us"],
    }
    assert "browser" not in given
    shown = tomli_w.dumps(given)
    assert "${env:DB}" not in shown
    assert "secret" not in shown.replace("secrets", "")


def test_what_an_agent_may_know(whole: Config) -> None:
    """Its checks, their targets, its own way out: nothing of the judgement, of who is told, of other regions."""
    checks = [spec for spec in whole.declared if not spec.regions or "us" in spec.regions]
    given = for_region(everyone(whole), "us", checks)
    assert given == {
        "probe": {"marker_header": "x-probe"},
        "defaults": {"target": "shop"},
        "targets": {"shop": whole.document["targets"]["shop"]},
        "check": [{"name": "home"}, {"name": "us", "regions": ["us"]}],
        "regions": {
            "us": {
                "nameserver": "192.0.2.53",
                "headers": {"authorization": "${env:US}"},
                "control": "dns:a.example",
                "targets": {"shop": {"url": "https://us.shop.example"}},
            }
        },
    }


def test_how_the_publishing_node_leaves_is_its_own_matter(whole: Config) -> None:
    """What is written there may hold secrets that nobody else needs, and need not be references."""
    assert for_region(whole.document, "tor", ())["regions"] == {"tor": {"control": ["https://anchor.example/"]}}
    assert for_region(whole.document, "eu", ())["regions"] == {"eu": {}}


def test_a_default_target_that_nobody_there_needs_is_not_told(whole: Config) -> None:
    given = for_region(everyone(whole), "tor", [spec for spec in whole.declared if spec.id == "pay"])
    assert given["defaults"] == {}
    assert list(given["targets"]) == ["pay"]


AGENT = """
[probe]
region = "${env:REGION}"
data = "here"
[store]
url = "${env:DB}"
[fleet]
role = "agent"
fast_path = "pager"
[channels.pager]
kind = "webhook"
url = "https://pager.example/written-here-12345"
[regions.us]
nameserver = "192.0.2.99"
[targets.other]
url = "https://other.example"
"""


def test_an_agent_adds_what_is_its_own(folder: Path, whole: Config) -> None:
    """Its keys win one by one; targets and checks are those of the fleet alone. Files lie beside its own file."""
    checks = [spec for spec in whole.declared if spec.id != "pay"]
    local = node(folder, "agent", AGENT, REGION="us", DB=ENVIRON["DB"])
    document = merged(for_region(everyone(whole), "us", checks), local)
    assert document["probe"] == {
        "marker_header": "x-probe",
        "region": "${env:REGION}",
        "data": str(folder / "agent" / "here"),
    }
    assert list(document["targets"]) == ["shop"]
    assert document["targets"]["shop"]["secrets"] == {"user": f"${{file:{folder}/agent/secrets/user}}"}
    (folder / "agent" / "secrets").mkdir()
    (folder / "agent" / "secrets" / "user").write_text("an-agent")
    config = run(folder, document, REGION="us", DB=ENVIRON["DB"], US="us-secret")
    assert [spec.id for spec in config.declared] == ["home", "us"]
    assert config.region.nameserver == "192.0.2.99"
    assert config.region.targets["shop"].url == "https://us.shop.example"
    assert config.region.headers["authorization"].reveal() == "us-secret"
    assert config.targets["shop"].secrets["user"].reveal() == "an-agent"
    assert list(config.controls) == ["us"]
    assert [*config.channels] == ["pager"]
    assert config.data == folder / "agent" / "here"


def test_a_node_that_only_judges_needs_no_secret_of_a_target(folder: Path, whole: Config) -> None:
    text = '[store]\nurl = "${env:DB}"\nkeep_runs = "1d"\n[fleet]\nrole = "evaluate"\nnode = "j"\nstale_after = "1h"\n'
    local = node(folder, "judge", text, DB=ENVIRON["DB"])
    config = run(folder, merged(everyone(whole), local), DB=ENVIRON["DB"], HOOK="hook-secret")
    assert (config.regions, set(config.all_regions)) == ((), {"eu", "tor", "us"})
    assert set(config.controls) == {"tor", "us"}
    assert [spec.id for spec in config.declared] == ["home", "pay", "us"]
    assert [*config.slos] == ["buying"]
    assert config.fleet is not None
    # What the fleet goes by is not one node's to say.
    assert (config.fleet.stale_after.total_seconds(), config.fleet.node, config.store.keep_runs.days) == (30, "j", 20)


def test_the_publishing_node_gets_back_what_it_published(folder: Path, whole: Config) -> None:
    """With its own ways out in place, and those of the agents none of its business."""
    document = merged(everyone(whole), whole)
    config = run(folder, document, **{**ENVIRON, "US": ""})
    assert [region.name for region in config.regions] == ["eu", "tor"]
    assert set(config.all_regions) == {"eu", "tor", "us"}
    assert config.regions[1].proxy is not None
    assert config.region.nameserver == "192.0.2.54"
    assert config.targets["pay"].client_certificate == str(folder / "certs" / "pay.pem")
    assert config.browser.executable == str(folder / "bin" / "chromium")
    assert config.heartbeat_url is not None
    assert [*config.channels] == ["team"]
    again = everyone(config)
    assert again["regions"]["tor"] == everyone(whole)["regions"]["tor"]
    assert {name: again[name] for name in again if name not in ("regions", "targets")} == {
        name: table for name, table in everyone(whole).items() if name not in ("regions", "targets")
    }


def test_a_second_node_that_judges_and_probes(folder: Path, whole: Config) -> None:
    """It probes from its own region; how others leave theirs it neither knows nor needs."""
    text = '[probe]\nregion = "us"\n[store]\nurl = "${env:DB}"\n[regions.us]\nip_version = "4"\n'
    local = node(folder, "second", text, DB=ENVIRON["DB"])
    (folder / "second" / "secrets").mkdir()
    (folder / "second" / "secrets" / "user").write_text("a-user")
    (folder / "second" / "certs").mkdir()
    (folder / "second" / "certs" / "pay.pem").write_text("-----BEGIN X-----\n")
    config = run(folder, merged(everyone(whole), local), **{**ENVIRON, "TOR": ""})
    assert [region.name for region in config.regions] == ["us"]
    assert (config.region.nameserver, config.region.ip_version) == ("192.0.2.53", "4")


def test_a_region_that_the_fleet_does_not_know(folder: Path, whole: Config) -> None:
    local = node(folder, "agent", AGENT.replace("[regions.us]", "[regions.asia]"), REGION="asia", DB=ENVIRON["DB"])
    published = for_region(everyone(whole), "us", whole.declared)
    with pytest.raises(ProbeError, match=r"no region asia .it has us.: add \[regions.asia\] with agent = true"):
        merged(published, local)


def test_what_is_left_of_a_node_without_tables(folder: Path) -> None:
    """Empty in, empty out."""
    local = node(folder, "small", '[store]\nurl = "${env:DB}"\n', DB=ENVIRON["DB"])
    assert own_part(local) == {"store": {"url": "${env:DB}"}}
    assert for_everyone({}, None) == {}
    assert for_region({}, "us", ()) == {"targets": {}, "regions": {"us": {}}}


@pytest.mark.parametrize(
    "line",
    [
        "headers = { authorization = 'Bearer ${env:US}' }",
        "proxy = 'http://ann:${env:US}@127.0.0.1:1'",
        "targets.shop.headers = { cookie = 'a=${env:US}' }",
    ],
)
def test_a_reference_is_no_secret(folder: Path, line: str) -> None:
    read(
        folder,
        f'[store]\nurl = "${{env:DB}}"\n[targets.shop]\nurl = "https://a.example"\n[regions.us]\nagent = true\n{line}',
        **ENVIRON,
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[targets.shop]\nurl = 'https://ann:a-secret-1@shop.example'", "targets.shop.url"),
        ("[regions.us]\nagent = true\ntargets.shop.headers = { x-api-key = 'a-secret-1' }", "regions.us.targets.shop.headers.x-api-key"),
        ("[channels.a]\nurl = 'https://hooks.example/services/T0/B0/a-secret-1'", "channels.a.url"),
        ("[channels.a]\nkind = 'webhook'\nurl = 'http://a.example'\nkey = 'a-secret-1'", "channels.a.key"),
        ("[channels.a]\nurl = 'mailto://ann:a-secret-1@mail.example'", "channels.a.url"),
        ("[[check]]\nname = 'a'\njson = { password = 'a-secret-1' }", "check.a.json.password"),
        ("[[check]]\nname = 'a'\npath = '/?token=a-secret-1'", "check.a.path"),
        ("[[check]]\nname = 'a'\nheaders = { cookie = '$${a-secret-1' }", "check.a.headers.cookie"),
    ],
)  # fmt: skip
def test_a_secret_that_would_be_published(folder: Path, text: str, key: str) -> None:
    """Named by its key, without a word of it."""
    shop = "" if "[targets.shop]" in text else "[targets.shop]\nurl = 'https://a.example'\n"
    with pytest.raises(ConfigError) as caught:
        read(folder, f'[store]\nurl = "${{env:DB}}"\n{shop}{text}', **ENVIRON)
    assert [diagnostic.key for diagnostic in caught.value.diagnostics] == [key]
    assert "a-secret-1" not in str(caught.value)
    assert "write ${env:NAME} or ${file:PATH}" in str(caught.value)


def test_the_texts_are_what_was_written(whole: Config) -> None:
    """The document is as it stood in the file, before anything was filled in."""
    assert dict(whole.document) == tomllib.loads(WHOLE)


def test_what_can_be_published(folder: Path, whole: Config) -> None:
    """A file with targets says what is watched; one without says only what a node does."""
    assert whole.is_whole
    assert not node(folder, "agent", AGENT.split("[targets")[0], REGION="us", DB=ENVIRON["DB"]).is_whole
