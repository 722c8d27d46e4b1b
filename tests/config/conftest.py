"""A configuration, read from its text."""

from collections.abc import Callable
from pathlib import Path

import pytest

from probe.config.load import load_config
from probe.config.settings import Config
from probe.core.check import CheckSpec, HttpCall

Load = Callable[..., Config]


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
