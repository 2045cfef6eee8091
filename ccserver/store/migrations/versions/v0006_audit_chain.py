"""The audit log as a chain that is only ever extended: rows of before are chained in the order of their times."""

import hashlib
import json
from datetime import UTC

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
AUDIT = sa.table(
    "audit",
    sa.column("run", sa.Text()),
    sa.column("seq", sa.BigInteger()),
    sa.column("command_index", sa.Integer()),
    sa.column("by", sa.Text()),
    sa.column("act", sa.Text()),
    sa.column("what", sa.Text()),
    sa.column("is_done", sa.Boolean()),
    sa.column("at", TIME),
    sa.column("interaction", sa.BigInteger()),
    sa.column("agent", sa.Text()),
    sa.column("position", sa.BigInteger()),
    sa.column("digest", sa.Text()),
)
# As in store/chain.py at this revision: a migration stays as it is when the code moves on.
CHAINED = ("run", "seq", "command_index", "by", "act", "what", "is_done", "at", "interaction", "agent")
BEGINNING = hashlib.sha256(b"ccserver audit log").hexdigest()


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    with op.batch_alter_table("audit") as table:
        table.add_column(sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("digest", sa.Text(), nullable=False, server_default=""))
    position, digest = _chain()
    op.create_index("ix_audit_position", "audit", ["position"], unique=True)
    head = sa.table("audit_head", sa.column("id"), sa.column("position"), sa.column("digest"))
    op.bulk_insert(head, [{"id": 1, "position": position, "digest": digest}])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def _chain() -> tuple[int, str]:
    connection, key = op.get_bind(), (AUDIT.c.run, AUDIT.c.seq, AUDIT.c.command_index)
    position, digest = 0, BEGINNING
    keys = connection.execute(sa.select(*key).order_by(AUDIT.c.at, *key)).all()
    for run, seq, index in keys:
        here = (AUDIT.c.run == run, AUDIT.c.seq == seq, AUDIT.c.command_index == index)
        row = connection.execute(sa.select(*(AUDIT.c[name] for name in CHAINED)).where(*here)).mappings().one()
        at = row["at"].replace(tzinfo=UTC) if row["at"].tzinfo is None else row["at"].astimezone(UTC)
        cells = [at.isoformat(timespec="microseconds") if name == "at" else row[name] for name in CHAINED]
        position += 1
        content = json.dumps([position, *cells], separators=(",", ":"))
        digest = hashlib.sha256(f"{digest}\n{content}".encode()).hexdigest()
        connection.execute(AUDIT.update().where(*here).values(position=position, digest=digest))
    return position, digest


TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{act} BEFORE {act.upper()} ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for act in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_refuse()",
    ],
}
