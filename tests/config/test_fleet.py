"""`[fleet]`, the URL of its database, and whose regions are whose."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.config.database import is_trusted, store_url
from probe.config.load import read_config
from probe.config.rules import rules_of
from probe.config.settings import Fleet, Role
from probe.core.secret import Redactor, Secret
from probe.errors import StoreUnavailable
from probe.fleet.address import parse_address
from probe.loader import load as load_checks
from tests.config.conftest import Load

STORE = '[store]\nurl = "${env:DB}"\n'
DB = "postgresql://ann:p%40ss-word@127.0.0.1/probe"
SHOP = '[targets.shop]\nurl = "https://shop.example"\n'


def test_a_single_node_has_none(load: Load) -> None:
    config = load(SHOP + "[regions.us]\n")
    assert (config.fleet, config.database, config.only) == (None, None, None)
    assert [region.name for region in config.regions] == list(config.all_regions) == ["local", "us"]


def test_a_database_makes_a_fleet(load: Load) -> None:
    """All by itself; its URL and password never show."""
    config = load(SHOP + STORE, DB=DB)
    assert config.database == Secret(DB)
    assert config.fleet == Fleet(node=socket.gethostname())
    assert (config.fleet.probes, config.fleet.judges) == (True, True)
    assert Redactor(config.secrets).text(f"{DB} p%40ss-word p@ss-word") == "*** *** ***"


def test_everything_that_a_fleet_may_say(load: Load) -> None:
    config = load(
        STORE
        + '[fleet]\nrole = "${env:ROLE}"\nnode = "eu-1"\noutbox = "2GiB"\ncatch_up = 50\nstale_after = "15s"\n'
        + 'evidence = "s3://bucket/a/b"\nfast_path = ["team"]\n[channels.team]\nurl = "json://127.0.0.1/"\n',
        DB=DB,
        ROLE="all",
    )
    assert config.fleet == Fleet(
        node="eu-1",
        role=Role.ALL,
        outbox=2 * 2**30,
        catch_up=50,
        stale_after=timedelta(seconds=15),
        evidence="s3://bucket/a/b",
        fast_path=("team",),
    )


def test_an_agents_own_file_is_tiny(load: Load, tmp_path: Path) -> None:
    """No targets, no checks; a folder of checks beside it is not its own."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "odd.py").write_text("raise RuntimeError\n")
    config = load(
        STORE
        + '[probe]\nregion = "us"\n[fleet]\nrole = "agent"\n[regions.us.targets.shop]\nurl = "https://us.example"\n',
        DB=DB,
    )
    assert (config.only, config.all_regions, config.check_paths) == ("us", ("us",), ())
    assert [region.name for region in config.regions] == ["us"]
    assert config.region.targets["shop"].url == "https://us.example"


REGIONS = '[regions.eu]\nagent = true\n[regions.tor]\nproxy = "socks5://127.0.0.1:9050"\n[regions.us]\nagent = true\n'


def test_remote_agents_and_ways_out_of_this_machine_mix(load: Load) -> None:
    """A region with agents of its own is none of this process, but it is one of the fleet."""
    config = load(
        SHOP + STORE + '[probe]\nregion = "home"\n' + REGIONS + '[[check]]\nname = "a"\nregions = ["us"]', DB=DB
    )
    assert [region.name for region in config.regions] == ["home", "tor"]
    assert config.all_regions == ("eu", "home", "tor", "us")
    assert config.declared[0].regions == ("us",)


def test_agents_beside_a_node_that_judges_in_one_region(load: Load) -> None:
    config = load(SHOP + STORE + '[probe]\nregion = "eu"\n' + REGIONS, DB=DB)
    assert [region.name for region in config.regions] == ["eu", "tor"]
    assert config.all_regions == ("eu", "tor", "us")


def test_a_node_that_only_judges_probes_from_nowhere(load: Load) -> None:
    text = SHOP + STORE + '[fleet]\nrole = "evaluate"\n[regions.eu]\nagent = true\ncontrol = "dns:a.example"\n'
    config = load(text + '[[check]]\nname = "a"\n', DB=DB)
    assert (config.regions, config.all_regions) == ((), ("eu",))
    rules, found = rules_of(config, config.declared)
    assert found == ()
    assert rules.checks[config.declared[0].id].regions == ("eu",)
    assert dict(rules.controls) == {"eu": "control.eu"}


def test_rules_for_some_regions_alone(load: Load) -> None:
    """What a node judges by while it is cut off."""
    text = SHOP + STORE + REGIONS.replace("[regions.us]", '[regions.us]\ncontrol = "dns:a.example"')
    config = load(text + '[[check]]\nname = "all"\n[[check]]\nname = "us"\nregions = ["us"]\n', DB=DB)
    rules, _ = rules_of(config, config.declared)
    here = rules.within([region.name for region in config.regions])
    assert {check: watched.regions for check, watched in here.checks.items()} == {"all": ("local", "tor")}
    assert dict(here.controls) == {}
    assert dict(rules.within(["us"]).controls) == {"us": "control.us"}


def test_an_agent_takes_the_checks_of_its_region_from_python(tmp_path: Path) -> None:
    """What runs elsewhere is not looked at: its targets, objectives and regions are not known here."""
    (tmp_path / "shop.py").write_text(
        "from probe import check\n\n\n"
        '@check(target="shop", slo="buying", regions=["us", "eu"])\nasync def both(t):\n    ...\n\n\n'
        '@check(target="elsewhere", regions=["eu"])\nasync def there(t):\n    ...\n'
    )
    path = tmp_path / "config.toml"
    path.write_text(
        SHOP + STORE + '[probe]\nregion = "us"\nchecks = ["shop.py", "not-sent/"]\n[fleet]\nrole = "agent"\n'
    )
    loaded = load_checks(path, environ={"DB": DB})
    assert [check.id for check in loaded.checks] == ["both"]
    assert [watched.regions for watched in loaded.rules.checks.values()] == [("us",)]
    assert loaded.warnings == ()


def test_another_address_on_the_command_line_counts_in_every_region(load: Load) -> None:
    text = SHOP + '[regions.us.targets.shop]\nurl = "https://us.example"\nheaders = { a = "b" }\n'
    config = load(text, targets={"shop": "https://preview.example"})
    override = config.regions[1].targets["shop"]
    assert (config.targets["shop"].url, override.url) == ("https://preview.example", None)
    assert [*override.headers] == ["a"]


def test_secrets_of_a_region_are_secret(load: Load) -> None:
    text = SHOP + '[regions.us]\nheaders = { authorization = "Bearer abcdefgh" }\n'
    text += '[regions.us.targets.shop]\nurl = "${env:WHERE}"\nheaders = { x-api-key = "12345678" }\n'
    config = load(text, WHERE="https://ann:a-password@us.example")
    cleaned = Redactor(config.secrets).text("abcdefgh 12345678 a-password us.example")
    assert cleaned == "*** *** *** us.example"


# --- the URL ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("postgresql://ann@localhost/probe", True),
        ("postgres://ann@[::1]:5433/probe", True),
        ("postgresql://ann@127.0.0.1,127.0.0.2:1/probe", True),
        ("postgresql://ann@/probe?host=/run/postgresql", True),
        ("postgresql://ann@%2Frun%2Fpostgresql/probe", True),
        ("postgresql://ann@127.0.0.1,db2/probe", False),
        ("postgresql://ann@192.0.2.1/probe?sslmode=verify-ca", False),
        ("postgresql://ann@db1:5432,db2:5432/probe?sslmode=verify-full&sslrootcert=/ca.pem", True),
    ],
)
def test_what_is_verified_or_here(url: str, trusted: bool) -> None:
    assert is_trusted(store_url(url)) is trusted
    assert parse_address(Secret(url)).database == "probe"


def test_a_warning_where_anybody_could_answer(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(STORE)
    for url, warned in (
        ("postgresql://ann:pw-pw@db/p", True),
        ("postgresql://ann:pw-pw@db/p?sslmode=verify-full", False),
    ):
        found = read_config(path, environ={"DB": url}).diagnostics
        assert [diagnostic.key for diagnostic in found] == ["store.url"] * warned
        assert "pw-pw" not in str(found)


_PARTS = st.tuples(
    st.sampled_from(["postgresql://", "postgres://"]),
    st.sampled_from(["", "ann@", "ann:pw@", "ann:p%40@", ":pw@", "ann:a#b@", "ann:a/b@"]),
    st.sampled_from(["db", "db:1", "db:x", "db:0", "a,b:2", "a,", "[::1]:5", "[::1]", "127.0.0.1", "", "%2Frun"]),
    st.sampled_from(["", "/probe", "/a/b"]),
    st.lists(
        st.sampled_from(
            [
                "sslmode=require",
                "sslmode=verify-full",
                "sslmode=no",
                "sslrootcert=/a",
                "sslrootcert=",
                "sslcert=/c",
                "sslkey=/k",
                "host=/run",
                "target_session_attrs=any",
                "target_session_attrs=standby",
                "user=ann",
                "connect_timeout=3",
            ]
        ),
        max_size=3,
        unique_by=lambda pair: pair.partition("=")[0],
    ),
)


@given(_PARTS)
def test_what_is_accepted_here_is_understood_there(parts: tuple[str, str, str, str, list[str]]) -> None:
    """The judgement of the file and the way to the database agree on every URL."""
    *place, query = parts
    url = "".join(place) + ("?" + "&".join(query) if query else "")
    try:
        parse_address(Secret(url))
        understood = True
    except StoreUnavailable:
        understood = False
    try:
        store_url(url)
        said = ""
    except ValueError as error:
        said = str(error)
    assert (said == "") == understood
    assert "pw" not in said
