"""Results of one study in the ledger, for the tests of the outbox."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.models import Study
from db.outcomes import Analysis, Result

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


def add_results(session: Session, *uids: str) -> None:
    session.add(Study(study_instance_uid="1.2", state="settled", received_first_at=NOW, received_last_at=NOW))
    session.flush()
    session.add(
        Analysis(
            analysis_id="a", study_instance_uid="1.2", study_revision=1, state="found", started_at=NOW, finished_at=NOW
        )
    )
    session.flush()
    for uid in uids:
        session.add(
            Result(
                result_sop_instance_uid=uid, analysis_id="a", kind="SR", profile="ohif", file_name=uid,
                sop_class_uid="1", series_instance_uid="1", instance_number=1, header_sha256="", created_at=NOW,
            )
        )  # fmt: skip
    session.flush()
