"""From a configuration with files, through what is published, to what a node of a region reads on another machine."""

import tomllib
from pathlib import Path

import pytest
import tomli_w

from probe.config.load import load_config
from probe.config.publish import merged
from probe.errors import ProbeError
from probe.fleet.bundle import Bundle, lay_out, unpack
from probe.fleet.publication import publication_of
from probe.loader import LoadedChecks, load

DB = "postgresql://ann@127.0.0.1/probe"
WHOLE = """
[probe]
region = "eu"
[store]
url = "${env:DB}"
[targets.shop]
url = "https://shop.example"
ca = "certs/ca.pem"
headers = { x-api-key = "${file:secrets/key}" }
[targets.pay]
url = "https://pay.example"
ca = "/etc/pay/ca.pem"
headers = { x-api-key = "${env:PAY}" }
[defaults]
target = "shop"
[regions.us]
agent = true
[[check]]
name = "home"
[[check]]
kind = "playwright-pytest"
file = "tests/test_shop.py"
regions = ["eu"]
"""
HELPER = "PATH = '/a'\n"
BOTH = (
    "from helper import PATH\nfrom probe import check\n\n\n@check\nasync def both(t):\n    ...\n\n\n"
    "@check(target='pay', regions=['eu'])\nasync def there(t):\n    ...\n"
)
ELSEWHERE = "from probe import check\n\n\n@check(target='pay', regions=['eu'])\nasync def pays(t):\n    ...\n"


@pytest.fixture
def whole(tmp_path: Path) -> LoadedChecks:
    folder = tmp_path / "whole"
    for name, text in {
        "config.toml": WHOLE.replace("/etc/pay", str(tmp_path)),
        "certs/ca.pem": "-----BEGIN X-----\n",
        "secrets/key": "a-key",
        "tests/test_shop.py": "def test_buy(page): ...\n",
        "checks/both.py": BOTH,
        "checks/pays.py": ELSEWHERE,
        "checks/helper.py": HELPER,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "ca.pem").write_text("-----BEGIN X-----\n")
    return load(folder / "config.toml", environ={"DB": DB, "PAY": "a-payment-key"})


def received(tmp_path: Path, bundle: Bundle, own: str) -> LoadedChecks:
    """What a node with this file of its own makes of the bundle."""
    here, there = tmp_path / "node", tmp_path / "received"
    (here / "secrets").mkdir(parents=True)
    (here / "secrets" / "key").write_text("a-key-of-the-node")
    (here / "config.toml").write_text(own)
    local = load_config(here / "config.toml", environ={"DB": DB}).config
    bundle = unpack(bundle.pack())
    lay_out(bundle, there)
    document = tomllib.loads(bundle.text)
    (there / "config.toml").write_text(tomli_w.dumps(merged(document, local)))
    return load(there / "config.toml", environ={"DB": DB})


def test_an_agent_of_another_region(tmp_path: Path, whole: LoadedChecks) -> None:
    """Its checks, their files and helpers, the certificate; secrets of its own; nothing of what only others use."""
    bundle = publication_of(whole).regions["us"]
    own = '[probe]\nregion = "us"\n[store]\nurl = "${env:DB}"\n[fleet]\nrole = "agent"\n'
    loaded = received(tmp_path, bundle, own)
    assert {check.id for check in loaded.checks} == {"home", "both"}
    assert loaded.warnings == ()
    shop = loaded.config.targets["shop"]
    assert shop.headers["x-api-key"].reveal() == "a-key-of-the-node"
    assert shop.ca == str(tmp_path / "received" / "certs" / "ca.pem")
    assert [*loaded.config.targets] == ["shop"]
    assert set(bundle.files) == {"certs/ca.pem", "checks/both.py", "checks/helper.py"}


def test_a_node_that_only_judges(tmp_path: Path, whole: LoadedChecks) -> None:
    """It knows all checks by the same rules, without a secret or a certificate of a target."""
    publication = publication_of(whole)
    own = '[store]\nurl = "${env:DB}"\n[fleet]\nrole = "evaluate"\n'
    loaded = received(tmp_path, publication.whole, own)
    assert {check.id for check in loaded.checks} == {"home", "both", "there", "pays", "test_shop.test_buy"}
    assert dict(loaded.rules.checks) == dict(publication.rules.checks)
    assert loaded.config.regions == ()


def test_a_file_that_says_only_what_a_node_does(tmp_path: Path) -> None:
    """It must not take the place of what the fleet runs."""
    (tmp_path / "config.toml").write_text('[store]\nurl = "${env:DB}"\n')
    with pytest.raises(ProbeError, match="nothing in it can be published"):
        publication_of(load(tmp_path / "config.toml", environ={"DB": DB}))
