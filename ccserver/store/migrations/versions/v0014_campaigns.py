"""What came of attempts, callbacks that an agent promised, evidence of the abandonment account, refusals of the gate, dead trunks."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _columns()
    _evidence()
    _refusals()
    _trunks()


def _columns() -> None:
    op.add_column("leads", sa.Column("only_agent", sa.Text(), nullable=True))
    op.add_column("leads", sa.Column("callback_at", TIME, nullable=True))
    for name in ("is_refusal", "is_success"):
        op.add_column("attempts", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in ("talk_s", "wrap_up_s"):
        op.add_column("attempts", sa.Column(name, sa.Float(), nullable=False, server_default="0"))


def _evidence() -> None:
    op.create_table(
        "abandonment_evidence",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("from_at", TIME, nullable=False),
        sa.Column("until_at", TIME, nullable=False),
        sa.Column("connected", sa.Integer(), nullable=False),
        sa.Column("abandoned", sa.Integer(), nullable=False),
        sa.Column("amd_errors", sa.Integer(), nullable=False),
        sa.Column("machines", sa.Integer(), nullable=False),
        sa.Column("left_before", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("preset", sa.Text(), nullable=False),
        sa.Column("max_abandon", sa.Float(), nullable=False),
        sa.Column("share_of", sa.Text(), nullable=False),
        sa.Column("abandon_window", sa.Text(), nullable=False),
        sa.Column("counts_amd_errors", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "from_at", name="pk_abandonment_evidence"),
    )
    op.create_index("ix_abandonment_evidence_until_at", "abandonment_evidence", ["until_at"])


def _refusals() -> None:
    op.create_table(
        "call_refusals",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("look", sa.Text(), nullable=False),
        sa.Column("hour", TIME, nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "reason", "look", "hour", name="pk_call_refusals"),
    )
    op.create_index("ix_call_refusals_hour", "call_refusals", ["hour"])


def _trunks() -> None:
    op.create_table(
        "trunk_events",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("trunk", sa.Text(), nullable=False),
        sa.Column("is_down", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_trunk_events"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trunk_events_at", "trunk_events", ["at"])
