"""Recordings as an archive, consent, supervision, the chained audit log, persons whose fields are sealed, quality of talks."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
