"""Passages through the flows, and the answers of surveys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "flow_passages",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_flow_passages"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_flow_passages_interaction", "flow_passages", ["interaction"])
    op.create_index("ix_flow_passages_started_at", "flow_passages", ["started_at"])
    op.create_table(
        "survey_answers",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("command_index", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("interaction", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", "command_index", name="pk_survey_answers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_survey_answers_interaction", "survey_answers", ["interaction"])
    op.create_index("ix_survey_answers_at", "survey_answers", ["at"])
