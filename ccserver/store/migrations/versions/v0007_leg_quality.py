"""How good the line of each leg was."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leg_quality",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.Column("pbx", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("received_lost", sa.BigInteger(), nullable=False),
        sa.Column("received_jitter_ms", sa.Float(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=True),
        sa.Column("sent_lost", sa.BigInteger(), nullable=True),
        sa.Column("sent_jitter_ms", sa.Float(), nullable=True),
        sa.Column("rtt_ms", sa.Float(), nullable=True),
        sa.Column("mos", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_leg_quality"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_leg_quality_interaction", "leg_quality", ["interaction"])
    op.create_index("ix_leg_quality_at", "leg_quality", ["at"])
