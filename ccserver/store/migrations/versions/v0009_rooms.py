"""Conferences with a number, and who was in them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conferences",
        *_key(),
        sa.Column("conference", sa.BigInteger(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("most_at_once", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_conferences"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_conferences_conference", "conferences", ["conference"])
    op.create_table(
        "conference_members",
        *_key(),
        sa.Column("conference", sa.BigInteger(), nullable=True),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("pbx", sa.Text(), nullable=False),
        sa.Column("uniqueid", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("caller_number", sa.Text(), nullable=True),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.Column("is_moderator", sa.Boolean(), nullable=False),
        sa.Column("joined_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_conference_members"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_conference_members_conference", "conference_members", ["conference"])


def _key() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
    )
