"""The migrations make what the code expects."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from probe.store.database import REVISIONS
from probe.store.migrations import config, upgrade
from probe.store.schema import metadata
from probe.store.settings import StoreSettings


def test_migrations_make_the_tables_of_the_code() -> None:
    """Table for table, column for column, index for index; the code knows every revision, in their order."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        scripts = ScriptDirectory.from_config(config(connection))
    engine.dispose()
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == REVISIONS


def test_the_database_is_in_the_folder_of_data(tmp_path: Path) -> None:
    """Under one name, that the reader knows too."""
    assert StoreSettings(path=tmp_path).database == tmp_path / "probe.db"
