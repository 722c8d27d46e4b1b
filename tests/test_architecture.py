"""What a machine can check about the house: layers are import-linter's (make lint), the rest is here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import probe
from scripts.help import text

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "probe").rglob("*.py"))


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


def test_public_names_exist_and_are_documented() -> None:
    """What `probe` exports is there, has a docstring, and nothing else is public."""
    for name in probe.__all__:
        assert getattr(probe, name).__doc__, name
    assert set(probe.__all__) <= set(dir(probe))
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        _ = probe.chekc


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import probe", "aiohttp|playwright|pydantic|typer|rich|structlog|cryptography|asyncio"),
        ("from probe import check, journey", "aiohttp|playwright|pydantic|typer|rich|structlog|cryptography"),
        ("from probe import expect", "playwright|pydantic|typer|rich|structlog"),
        ("import probe.cli", "aiohttp|playwright|pydantic|structlog|cryptography"),
        ("import probe.probers.http", "playwright|pydantic|typer|rich|structlog"),
        ("import probe.cli.session, probe.loader", "playwright"),
    ],
)
def test_nothing_heavy_is_imported_early(code: str, heavy: str) -> None:
    """What a command does not need it does not import."""
    loaded = python(f"{code}\nimport sys; print(' '.join(sorted(sys.modules)))").split()
    assert [name for name in loaded if re.fullmatch(heavy, name)] == []


def test_help_is_the_command_lines_own() -> None:
    """The stored text of `probe --help` is what the command line says (`make doc` writes it)."""
    assert (ROOT / "probe/cli/help.txt").read_text() == text()


def test_version_and_help_without_the_command_line() -> None:
    """The two quick answers are right, and quick: typer is not imported for them."""
    run = "import sys; sys.argv = ['probe', {!r}]\nfrom probe.__main__ import main\ntry: main()\nexcept SystemExit: pass\n"
    assert python(run.format("--version")) == f"probe {probe.__version__}"
    assert python(run.format("--help") + "assert 'typer' not in sys.modules").startswith("Usage: probe")


def test_modules_are_small() -> None:
    """None over 500 lines, and no room for odds and ends."""
    sizes = {m.relative_to(ROOT): len(m.read_text().splitlines()) for m in MODULES}
    assert {m: n for m, n in sizes.items() if n > 500} == {}
    assert [m for m in sizes if m.stem in {"utils", "helpers", "manager", "misc", "common"}] == []


def test_no_line_covers_up() -> None:
    """Every exemption says why."""
    bare = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:)(:?\s*[\[\w][\w\[\], -]*)?\s*$")
    files = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").rglob("*.py"))]
    found = [
        f"{f.relative_to(ROOT)}:{n}"
        for f in files
        for n, line in enumerate(f.read_text().splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_documents_name_what_exists() -> None:
    """Paths in the documents are there."""
    missing = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        words = page.read_text()
        links = re.findall(r"\]\(((?!http|#)[^)#]+)", words)
        missing += [f"{page.name}: {link}" for link in links if not (page.parent / link).exists()]
        paths = re.findall(r"`((?:probe|checks|docs|scripts|tests|deploy)/[\w./]*)`", words)
        missing += [f"{page.name}: {path}" for path in paths if not (ROOT / path).exists()]
    assert missing == []


def test_every_room_is_in_the_architecture() -> None:
    """A new room is told of."""
    told = (ROOT / "docs/architecture.md").read_text()
    rooms = {p.relative_to(ROOT).parts[1] for p in MODULES} - {"__init__.py"}
    assert [r for r in sorted(rooms) if f"probe/{r}" not in told] == []
