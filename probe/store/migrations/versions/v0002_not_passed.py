"""What did not pass is found without a look at what did."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index: seconds where there are ten million runs."""
    columns = ["place", "started", "outcome", "layer", "failure", "step"]
    op.create_index("runs_not_passed", "runs", columns, sqlite_where=sa.text("outcome <> 'passed'"))
