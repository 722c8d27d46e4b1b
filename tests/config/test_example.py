"""config.example.toml is complete, true, and loads."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from probe.config import schema, service_schema
from probe.config.fields import parse_size
from probe.config.load import read_config
from probe.config.rules import rules_of
from probe.config.status_page import ComponentTable, StatusPageTable
from probe.config.web import OidcTable, TokenTable, UserTable, WebTable
from probe.core.duration import parse_duration
from probe.core.target import Evidence

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
ENVIRON = {
    "SHOP_ACCESS": "an-access",
    "SHOP_USER": "ada@shop.example",
    "SHOP_PASSWORD": "correct horse",
    "HOOK_KEY": "a-signature",
    "PROBE_GRAFANA_TOKEN": "a-token-of-more-than-24-characters",
    "PROBE_OIDC_SECRET": "a-client-secret",
    "PROBE_DATABASE": "postgresql://probe:a-password@127.0.0.1/probe",
}
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0IG9mIG91cnM$2Eek3f6Ux7ubW6AZQ2cgIh9oEBnv9vCQ8kVpCGYPyZk\n"
SECTIONS: dict[str, type[BaseModel]] = {
    "probe": schema.ProbeTable,
    "browser": schema.BrowserTable,
    "evidence": schema.EvidenceTable,
    "defaults": schema.DefaultsTable,
    "regions.us-east": schema.RegionTable,
    "regions.us-east.targets.account": schema.RegionTargetTable,
    "targets.account": schema.TargetTable,
    "check http": schema.HttpCheckTable,
    "check.expect": schema.ExpectTable,
    "check playwright-pytest": schema.PytestCheckTable,
    "slo.checkout": service_schema.SloTable,
    "slo.checkout.latency": service_schema.LatencyTable,
    "channels.team channels.alertmanager channels.hook": service_schema.ChannelTable,
    "route": service_schema.RouteTable,
    "maintenance": service_schema.MaintenanceTable,
    "drill": service_schema.DrillTable,
    "store": service_schema.StoreTable,
    "fleet": service_schema.FleetTable,
    "status_page": StatusPageTable,
    "status_page.component": ComponentTable,
    "web": WebTable,
    "web.users.ada": UserTable,
    "web.tokens.grafana": TokenTable,
    "web.oidc": OidcTable,
}
INSIDE = {
    schema.ExpectTable,
    schema.RegionTargetTable,
    service_schema.LatencyTable,
    ComponentTable,
    UserTable,
    TokenTable,
    OidcTable,
}
"""Tables inside of others, with a section of their own."""
_HEADER = re.compile(r"(?:# )?\[+(?P<name>[a-z._-]+)\]+")
_KEY = re.compile(r"(?P<off># )?(?P<key>[a-z_]+) = (?P<value>[^#]*?) *(?:#(?P<comment>.*))?")


def lines_of(section: str) -> dict[str, re.Match[str]]:
    """The lines with a key in (the last) section of a name, or in several sections together, by key."""
    found: dict[str, dict[str, re.Match[str]]] = {}
    current = ""
    for line in EXAMPLE.read_text().splitlines():
        if header := _HEADER.match(line):
            current = header["name"]
            if current == "check":
                current = "check playwright-pytest" if line.startswith("#") else "check http"
            found[current] = found.get(current, {})
        elif (key := _KEY.fullmatch(line)) and current:
            found[current][key["key"]] = key
    sections = [section] if section in found else section.split()
    return {key: line for name in sections for key, line in found[name].items()}


KEYS = [
    (
        section,
        field.alias or name,
        getattr(Evidence(), name) if model is schema.EvidenceTable else field.default,
        field.is_required(),
    )
    for section, model in SECTIONS.items()
    for name, field in model.model_fields.items()
]


def test_every_table_of_the_schema_is_there() -> None:
    registries = (schema.SINGLE, schema.NAMED, schema.LISTED, schema.KINDS)
    assert {model for kinds in registries for model in kinds.values()} | INSIDE == set(SECTIONS.values())


@pytest.mark.parametrize(("section", "key", "default", "required"), KEYS)
def test_every_key_is_there_with_its_default_and_unit(section: str, key: str, default: Any, required: bool) -> None:
    if f"{section}.{key}" in {
        "slo.checkout.latency",
        "regions.us-east.targets",
        "status_page.component",
        "web.users",
        "web.tokens",
        "web.oidc",
    }:  # has a section of its own
        return
    line = lines_of(section)[key]
    comment = line["comment"] or ""
    if required or key in ("expect", "kind"):  # without a default, or with a section of its own
        return
    if line["off"] and not comment.strip().startswith("for example"):
        # A line that is commented out shows the default, or says where it comes from.
        value = tomllib.loads(f"v = {line['value']}")["v"]
        assert (
            value == (list(default) if isinstance(default, tuple) else default)
            or "default: [defaults]" in comment
            or (default is None and "without it" in comment)
        )
    else:
        assert re.search("default|without it|none", comment), line[0]
    if isinstance(value := tomllib.loads(f"v = {line['value']}")["v"], str) and re.search(r"^\d\S*[a-zA-Z]$", value):
        word = "size" if re.search("B$", value) else "duration"
        assert parse_size(value) if word == "size" else parse_duration(value)
        assert word in comment or "read" in comment or key == "every"


def test_no_line_has_a_key_that_the_schema_lacks() -> None:
    for section, model in SECTIONS.items():
        assert set(lines_of(section)) <= {field.alias or name for name, field in model.model_fields.items()}, section


def test_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = read_config(EXAMPLE, environ=ENVIRON)
    assert reading.diagnostics == ()
    assert reading.config is not None
    assert reading.config.targets["shop"].url == "https://shop.example"
    assert [check.id for check in reading.config.declared] == ["home-page", "log-in"]
    assert rules_of(reading.config, reading.config.declared)[1] == ()
    assert {"an-access", "ada@shop.example", "correct horse"} <= {s.reveal() for s in reading.config.secrets}


def test_it_loads_with_every_line_switched_on(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", EXAMPLE.read_text())
    text = re.sub(r"(?m)^(body|form) = (?=.*(sent as)).*$", "", text)  # a request has one body
    text = re.sub(r"(?m)^(cron|timezone) = (?=.*(instead of|`cron`)).*$", "", text)  # a check has one schedule
    text = text.replace('url = "sqlite"', 'url = "${env:PROBE_DATABASE}"')
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "checks").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_shop.py").write_text("def test_buy(page): ...\n")
    (tmp_path / "certs").mkdir()
    for name in ("ca.pem", "probe.pem", "probe.key"):
        (tmp_path / "certs" / name).write_text("-----BEGIN X-----\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "team").write_text("slack://a-token\n")
    (tmp_path / "secrets" / "ada").write_text(HASH)
    reading = read_config(tmp_path / "config.toml", environ=ENVIRON)
    assert [diagnostic.key for diagnostic in reading.diagnostics] == ["drill[0]"]  # a fleet makes none
    assert reading.config is not None
    assert reading.config.fleet is not None
    assert [check.id for check in reading.config.declared] == ["home-page", "log-in", "shop.test_buy"]
    assert [region.name for region in reading.config.regions] == ["local", "us-east"]
    assert list(reading.config.channels) == ["team", "alertmanager", "hook"]
    assert len(reading.config.windows) == 2
    _, diagnostics = rules_of(reading.config, reading.config.declared)
    # The one thing that the example cannot have: a journey with steps.
    assert {d.key for d in diagnostics} == {"slo.checkout.step", "slo.checkout.latency.step"}
    assert all("has no step 'pay'; it is a single request" in f"{d.what}; {d.hint}" for d in diagnostics)
