"""Transfers, own calls, callbacks, messages, marks, the audit log and the notices of the event stream."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("interactions", sa.Column("parent", sa.BigInteger(), nullable=True))
    op.create_index("ix_interactions_parent", "interactions", ["parent"])
    op.add_column("queue_visits", sa.Column("announced_wait_s", sa.Float(), nullable=True))
    op.create_table(
        "transfers",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_transfers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_transfers_interaction", "transfers", ["interaction"])
    op.create_table(
        "own_calls",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("pbx", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_own_calls"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_own_calls_agent_started_at", "own_calls", ["agent", "started_at"])
    op.create_table(
        "callbacks",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("call", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ended_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_callbacks"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_callbacks_call", "callbacks", ["call"])
    op.create_index("ix_callbacks_interaction", "callbacks", ["interaction"])
    op.create_index("ix_callbacks_number_asked_at", "callbacks", ["number", "asked_at"])
    op.create_table(
        "messages",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_messages"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_messages_interaction", "messages", ["interaction"])
    op.create_table(
        "marks",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_marks"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_marks_interaction", "marks", ["interaction"])
    op.create_table(
        "audit",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_audit"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "notices",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("caller_number", sa.Text(), nullable=True),
        sa.Column("caller_name", sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_notices"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_notices_at", "notices", ["at"])
    op.create_index("ix_notices_interaction", "notices", ["interaction"])
    op.create_table(
        "feed_places",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name="pk_feed_places"),
    )


def downgrade() -> None:
    op.drop_table("feed_places")
    op.drop_table("notices")
    op.drop_table("audit")
    op.drop_table("marks")
    op.drop_table("messages")
    op.drop_table("callbacks")
    op.drop_table("own_calls")
    op.drop_table("transfers")
    op.drop_column("queue_visits", "announced_wait_s")
    op.drop_index("ix_interactions_parent", "interactions")
    op.drop_column("interactions", "parent")
