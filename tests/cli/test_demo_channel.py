"""`probe demo --channel URL`: the demo's alerts go there as well."""

from pathlib import Path

import pytest
import trustme

from probe.cli.demo import _alerting
from probe.core.secret import Secret
from probe.demo import checks_folder
from probe.demo.child import ca_file
from probe.loader import load


def test_a_channel_is_added_beside_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a route of its own, and its address among the secrets; without one nothing changes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    authority = ca_file()  # the shop writes it when it starts
    authority.parent.mkdir(parents=True)
    trustme.CA().cert_pem.write_to_path(str(authority))
    loaded = load(checks_folder() / "shop.toml", environ={})
    assert _alerting(None)(loaded) is loaded
    config = _alerting("json://127.0.0.1:1/tokentoken")(loaded).config
    assert set(config.channels) == {"terminal", "yours"}
    assert {channel for route in config.routes for channel in route.channels} == {"terminal", "yours"}
    assert Secret("json://127.0.0.1:1/tokentoken") in config.secrets
