"""What supervisors heard, of which call, and in which mode."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "supervisions",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("watch", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("supervisor", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_supervisions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_supervisions_interaction", "supervisions", ["interaction"])
    op.create_index("ix_supervisions_started_at", "supervisions", ["started_at"])
