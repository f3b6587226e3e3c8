"""One promoted model

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PROMOTED = sa.text("state = 'promoted'")


def upgrade() -> None:
    # Two people who promoted at one moment could leave two on PostgreSQL: the later one stays.
    op.execute(
        "UPDATE model SET state = 'retired' WHERE state = 'promoted' AND model_id <> "
        "(SELECT model_id FROM model WHERE state = 'promoted' ORDER BY promoted_at DESC, model_id LIMIT 1)"
    )
    op.create_index(
        "ix_model_promoted", "model", ["state"], unique=True, sqlite_where=PROMOTED, postgresql_where=PROMOTED
    )


def downgrade() -> None:
    op.drop_index("ix_model_promoted", table_name="model")
