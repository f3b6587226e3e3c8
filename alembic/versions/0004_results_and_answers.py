"""Results and answers: editions, commitment, circuits, translations, what an answer says

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATE = "ck_delivery_state_known"
STATES = "state IN ('held', 'waiting', 'delivered', 'committed', 'dead', 'discarded', 'shadow', 'retracted')"
FORMER_STATES = "state IN ('held', 'waiting', 'delivered', 'dead', 'discarded')"


def upgrade() -> None:
    _add_counts("analysis", "edition", "issued_edition", "issue_attempts")
    _add_counts("result", "edition")
    _add_counts("delivery", "commit_tries")
    with op.batch_alter_table("analysis") as analysis:
        analysis.add_column(sa.Column("next_issue_at", sa.DateTime(), nullable=True))
        analysis.add_column(sa.Column("overview", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("analysis") as analysis:
        analysis.alter_column("overview", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("detection") as detection:
        detection.add_column(sa.Column("discarded_by", sa.Text(), nullable=False, server_default=""))
        detection.add_column(sa.Column("discarded_at", sa.DateTime(), nullable=True))
        detection.add_column(sa.Column("prior_detection_id", sa.String(36), nullable=True))
        detection.add_column(sa.Column("prior_long_axis_mm", sa.Double(), nullable=True))
        detection.add_column(sa.Column("prior_study_date", sa.Date(), nullable=True))
    with op.batch_alter_table("detection") as detection:
        detection.alter_column("discarded_by", existing_type=sa.Text(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("source_object") as source:
        source.add_column(sa.Column("stated_verdicts", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("source_object") as source:
        source.alter_column("stated_verdicts", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("result") as result:
        result.add_column(sa.Column("rejects", sa.String(64), nullable=True))
    with op.batch_alter_table("delivery") as delivery:
        delivery.drop_constraint(op.f(STATE), type_="check")
        delivery.create_check_constraint(op.f(STATE), STATES)
        delivery.add_column(sa.Column("commitment_uid", sa.String(64), nullable=True))
        delivery.add_column(sa.Column("next_commit_at", sa.DateTime(), nullable=True))
        delivery.create_index("ix_delivery_commitment_uid", ["commitment_uid"])
        delivery.create_index("ix_delivery_state_next_commit_at", ["state", "next_commit_at"])
    with op.batch_alter_table("assessment") as assessment:
        assessment.add_column(sa.Column("analysis_id", sa.String(36), nullable=True))
        assessment.add_column(sa.Column("lesion_id", sa.String(36), nullable=True))
        assessment.create_foreign_key(
            "fk_assessment_analysis_id_analysis", "analysis", ["analysis_id"], ["analysis_id"]
        )
        for name in ("analysis_id", "lesion_id", "source_sop_instance_uid"):
            assessment.create_index(f"ix_assessment_{name}", [name])
    _create_tables()


def _add_counts(table: str, *names: str) -> None:
    with op.batch_alter_table(table) as changed:
        for name in names:
            changed.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table(table) as changed:
        for name in names:
            changed.alter_column(name, existing_type=sa.Integer(), existing_nullable=False, server_default=None)


def _create_tables() -> None:
    op.create_table(
        "translation",
        sa.Column("result_sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("source_sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"], ["study.study_instance_uid"], name="fk_translation_study_instance_uid_study"
        ),
        sa.PrimaryKeyConstraint("result_sop_instance_uid", name="pk_translation"),
    )
    op.create_index("ix_translation_source_sop_instance_uid", "translation", ["source_sop_instance_uid"])
    op.create_index("ix_translation_study_instance_uid", "translation", ["study_instance_uid"])
    op.create_table(
        "commitment",
        sa.Column("transaction_uid", sa.String(64), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=True),
        sa.Column("committed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_uid", name="pk_commitment"),
    )
    op.create_index("ix_commitment_destination", "commitment", ["destination"])
    op.create_table(
        "commitment_request",
        sa.Column("request_pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ae_title", sa.String(16), nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(), nullable=True),
        sa.Column("answered_at", sa.DateTime(), nullable=True),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'answered', 'dead')", name=op.f("ck_commitment_request_state_known")),
        sa.PrimaryKeyConstraint("request_pk", name="pk_commitment_request"),
        sa.UniqueConstraint("ae_title", "transaction_uid", name="uq_commitment_request_ae_title_transaction_uid"),
    )
    op.create_index("ix_commitment_request_state_next_try_at", "commitment_request", ["state", "next_try_at"])
    op.create_table(
        "circuit",
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=True),
        sa.Column("probe_at", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name="pk_circuit"),
    )


def downgrade() -> None:
    for table in ("circuit", "commitment_request", "commitment", "translation"):
        op.drop_table(table)
    with op.batch_alter_table("assessment") as assessment:
        for name in ("source_sop_instance_uid", "lesion_id", "analysis_id"):
            assessment.drop_index(f"ix_assessment_{name}")
        assessment.drop_constraint("fk_assessment_analysis_id_analysis", type_="foreignkey")
        assessment.drop_column("lesion_id")
        assessment.drop_column("analysis_id")
    op.execute("UPDATE delivery SET state = 'delivered' WHERE state IN ('committed', 'retracted')")
    op.execute("UPDATE delivery SET state = 'discarded' WHERE state = 'shadow'")
    with op.batch_alter_table("delivery") as delivery:
        delivery.drop_index("ix_delivery_state_next_commit_at")
        delivery.drop_index("ix_delivery_commitment_uid")
        for name in ("next_commit_at", "commitment_uid", "commit_tries"):
            delivery.drop_column(name)
        delivery.drop_constraint(op.f(STATE), type_="check")
        delivery.create_check_constraint(op.f(STATE), FORMER_STATES)
    with op.batch_alter_table("result") as result:
        result.drop_column("rejects")
        result.drop_column("edition")
    with op.batch_alter_table("source_object") as source:
        source.drop_column("stated_verdicts")
    with op.batch_alter_table("detection") as detection:
        for name in ("prior_study_date", "prior_long_axis_mm", "prior_detection_id", "discarded_at", "discarded_by"):
            detection.drop_column(name)
    with op.batch_alter_table("analysis") as analysis:
        for name in ("overview", "next_issue_at", "issue_attempts", "issued_edition", "edition"):
            analysis.drop_column(name)
