"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "interactions",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pbx", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("caller_number", sa.Text(), nullable=True),
        sa.Column("caller_name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.Column("wait_s", sa.Float(), nullable=False),
        sa.Column("talk_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_interactions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_interactions_agent_arrived_at", "interactions", ["agent", "arrived_at"])
    op.create_index("ix_interactions_arrived_at", "interactions", ["arrived_at"])
    op.create_index("ix_interactions_caller_number_arrived_at", "interactions", ["caller_number", "arrived_at"])
    op.create_index("ix_interactions_interaction", "interactions", ["interaction"])
    op.create_table(
        "segments",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_segments"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_segments_interaction", "segments", ["interaction"])
    op.create_table(
        "queue_visits",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("entered_at", TIME, nullable=False),
        sa.Column("wait_s", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("is_within_service_level", sa.Boolean(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_queue_visits"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_queue_visits_entered_at_queue", "queue_visits", ["entered_at", "queue"])
    op.create_index("ix_queue_visits_interaction", "queue_visits", ["interaction"])
    op.create_table(
        "offers",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("pbx", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("offered_at", TIME, nullable=False),
        sa.Column("ring_s", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_offers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_offers_agent_offered_at", "offers", ["agent", "offered_at"])
    op.create_index("ix_offers_interaction", "offers", ["interaction"])
    op.create_table(
        "agent_states",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_agent_states"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_agent_states_agent_started_at", "agent_states", ["agent", "started_at"])
    op.create_table(
        "recordings",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("pbx", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_recordings"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_recordings_interaction", "recordings", ["interaction"])
    op.create_table(
        "repairs",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_repairs"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_repairs_at", "repairs", ["at"])
    op.create_table(
        "faults",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_faults"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_faults_at", "faults", ["at"])
    op.create_table(
        "recording_files",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("finished_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_recording_files"),
    )
    op.create_table(
        "projection",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("applied_seq", sa.BigInteger(), nullable=False),
        sa.Column("applied_index", sa.Integer(), nullable=False),
        sa.Column("rows_written", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", name="pk_projection"),
    )


def downgrade() -> None:
    op.drop_table("projection")
    op.drop_table("recording_files")
    op.drop_table("faults")
    op.drop_table("repairs")
    op.drop_table("recordings")
    op.drop_table("agent_states")
    op.drop_table("offers")
    op.drop_table("queue_visits")
    op.drop_table("segments")
    op.drop_table("interactions")
