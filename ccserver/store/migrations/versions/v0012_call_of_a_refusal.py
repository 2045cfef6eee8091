"""A number that is not called tells the call in which that was asked."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("do_not_call") as table:
        table.add_column(sa.Column("interaction", sa.BigInteger(), nullable=True))
