"""Alembic migrations, run from inside the package: there is no alembic.ini, and no command to call."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config(connection: Connection) -> Config:
    """Alembic's configuration for a connection that is inside a transaction."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    found.attributes["connection"] = connection
    return found


def upgrade(connection: Connection) -> None:
    """Bring a database to the newest schema, all of it or nothing: the caller ends the transaction."""
    command.upgrade(config(connection), "head")
