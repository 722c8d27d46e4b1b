"""The migrations make what the code expects."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from probe.store.database import REVISIONS, create
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


def parts_of(sql: str) -> list[str]:
    """The columns and constraints of a statement, without white space."""
    return sorted("".join(sql.split()).replace(")", "").split(","))


def test_a_new_database_is_what_the_migrations_make() -> None:
    """Each table and index, column for column (in whatever order the constraints stand); and it says which schema it has."""
    made = []
    for make in (upgrade, create):
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            make(connection)
            found = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master ORDER BY name").all()
            made.append([(kind, name, parts_of(sql or "")) for kind, name, sql in found])
            assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == REVISIONS[-1]
        engine.dispose()
    assert made[0] == made[1]


def test_the_database_is_in_the_folder_of_data(tmp_path: Path) -> None:
    """Under one name, that the reader knows too."""
    assert StoreSettings(path=tmp_path).database == tmp_path / "probe.db"
