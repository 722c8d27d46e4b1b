"""The command, as a user types it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from probe.cli import app
from tests.cli.world import CANARY


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CANARY", CANARY)

    def call(folder: Path, *arguments: str) -> Result:
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call
