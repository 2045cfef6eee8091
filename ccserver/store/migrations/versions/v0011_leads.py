"""Lists of leads, attempts, numbers that are not called."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_OPEN = sa.text("state IN ('stored', 'placed')")
MAY_COME_BACK = sa.text("state IN ('stored', 'placed', 'unknown')")


def upgrade() -> None:
    _leads()
    _attempts()
    _not_called()


def _leads() -> None:
    op.create_table(
        "lead_lists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lead_lists"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_lead_lists_name", "lead_lists", ["name"], unique=True)
    op.create_table(
        "leads",
        sa.Column("id", ID, nullable=False),
        sa.Column("list", sa.Integer(), nullable=False),
        sa.Column("external_key", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("precedence", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_attempt_at", TIME, nullable=True),
        sa.Column("wake_at", TIME, nullable=True),
        sa.Column("hot_at", TIME, nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=True),
        sa.Column("consent_kind", sa.Text(), nullable=True),
        sa.Column("consent_at", TIME, nullable=True),
        sa.Column("consent_until", TIME, nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claim_token", sa.Text(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("added_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leads"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_leads_list_external_key", "leads", ["list", "external_key"], unique=True)
    op.create_index("ix_leads_turn", "leads", ["list", "state", "urgency", "precedence", "tries", "last_attempt_at", "id"])
    op.create_index("ix_leads_list_state_wake_at", "leads", ["list", "state", "wake_at"])
    op.create_table(
        "lead_numbers",
        sa.Column("lead", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("e164", sa.Text(), nullable=False),
        sa.Column("line_type", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("time_zones", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("last_attempt_at", TIME, nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("lead", "position", name="pk_lead_numbers"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_lead_numbers_e164", "lead_numbers", ["e164"])
    op.create_table(
        "lead_imports",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("list", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("rejects_bytes", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", "list", name="pk_lead_imports"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("lead", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=False),
        sa.Column("trunk", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stored_at", TIME, nullable=False),
        sa.Column("placed_at", TIME, nullable=True),
        sa.Column("answered_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("cause", sa.Integer(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("interaction", sa.BigInteger(), nullable=True),
        sa.Column("disposition", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_number_stored_at", "attempts", ["number", "stored_at"])
    op.create_index("ix_attempts_lead", "attempts", ["lead"])
    op.create_index("ix_attempts_campaign_stored_at", "attempts", ["campaign", "stored_at"])
    op.create_index("ix_attempts_caller_id_stored_at", "attempts", ["caller_id", "stored_at"])
    op.create_index("ix_attempts_unsettled", "attempts", ["state"], sqlite_where=MAY_COME_BACK, postgresql_where=MAY_COME_BACK)
    op.create_index("ix_attempts_open", "attempts", ["number"], unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)


def _not_called() -> None:
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", "campaign", name="pk_do_not_call"),
    )
    op.create_index("ix_do_not_call_at", "do_not_call", ["at"])
    op.create_table(
        "registers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("imported_at", TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_registers"),
    )
