"""Moments as people say them on the command line: so long ago, at that time of the day, or on that date."""

from datetime import UTC, datetime

import pytest
import typer

from probe.cli.stored import moment_of

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", "2026-11-24T11:00:00+00:00"),
        ("12:03", "2026-11-24T12:03:00+00:00"),
        ("12:03:10", "2026-11-24T12:03:10+00:00"),
        ("23:59", "2026-11-23T23:59:00+00:00"),
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-24T12:03:10.500Z", "2026-11-24T12:03:10.500000+00:00"),
        ("2026-11-24T12:03+01:00", "2026-11-24T12:03:00+01:00"),
    ],
)
def test_a_moment(text: str, moment: str) -> None:
    assert moment_of("--since", text, NOW, json=False).isoformat() == moment


@pytest.mark.parametrize("text", ["12", "12:03+01:00", "24:00", "soon", "0s"])
def test_what_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        moment_of("--since", text, NOW, json=False)
    assert "--since: " in capsys.readouterr().err
