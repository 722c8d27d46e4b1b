"""`probe demo --channel URL`: the demo's alerts go there as well."""

import os

from probe.cli.demo import _alerting
from probe.core.secret import Secret
from probe.demo import checks_folder
from probe.loader import load


def test_a_channel_is_added_beside_the_terminal() -> None:
    """With a route of its own, and its address among the secrets; without one nothing changes."""
    loaded = load(checks_folder() / "shop.toml", environ=os.environ)
    assert _alerting(None)(loaded) is loaded
    config = _alerting("json://127.0.0.1:1/tokentoken")(loaded).config
    assert set(config.channels) == {"terminal", "yours"}
    assert {channel for route in config.routes for channel in route.channels} == {"terminal", "yours"}
    assert Secret("json://127.0.0.1:1/tokentoken") in config.secrets
