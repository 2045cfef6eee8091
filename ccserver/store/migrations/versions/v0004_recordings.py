"""Recordings as an archive; consent of customers, and their objections."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _consent()
    _archive()


def _consent() -> None:
    with op.batch_alter_table("recordings") as table:
        table.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="talk"))
        table.add_column(sa.Column("queue", sa.Text(), nullable=True))
        table.add_column(sa.Column("is_provisional", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("pauses", sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "consents",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_consents"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_consents_interaction", "consents", ["interaction"])
    op.create_table(
        "objections",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_objections"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_objections_interaction", "objections", ["interaction"])


def _archive() -> None:
    op.create_table(
        "archive_files",
        sa.Column("interaction", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("coding", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("audio_sha256", sa.Text(), nullable=False),
        sa.Column("silence_left", sa.Float(), nullable=False),
        sa.Column("silence_right", sa.Float(), nullable=False),
        sa.Column("stretches", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("interaction", "kind", "part", name="pk_archive_files"),
    )
    op.create_index("ix_archive_files_began_at", "archive_files", ["began_at"])
    op.create_index("ix_archive_files_state", "archive_files", ["state"])
    op.create_table(
        "recording_holds",
        sa.Column("interaction", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("interaction", name="pk_recording_holds"),
    )
    op.create_table(
        "recording_deletions",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_recording_deletions"),
    )
    op.create_index("ix_recording_deletions_interaction", "recording_deletions", ["interaction"])
