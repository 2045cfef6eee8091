"""Callbacks that an agent promised are found without looking at the other leads."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    promised = sa.text("callback_at IS NOT NULL")
    op.create_index("ix_leads_callbacks", "leads", ["list", "callback_at"], sqlite_where=promised, postgresql_where=promised)
