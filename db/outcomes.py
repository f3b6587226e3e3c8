"""The tables of what goes out: models, analyses, detections, results, deliveries; and of the node itself. No logic."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from db.detection import axes_tracking_uid
from db.tables import Base, IntegerKey, Uid, one_of

# --- models -----------------------------------------------------------------------------------------------------


class TrainingSet(Base):
    """A snapshot of what a model may learn from and is judged on; its id is the hash of its members."""

    __tablename__ = "training_set"

    training_set_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]
    label_generation: Mapped[int | None] = mapped_column(ForeignKey("label_generation.label_generation"))


class TrainingSetMember(Base):
    __tablename__ = "training_set_member"

    training_set_id: Mapped[str] = mapped_column(ForeignKey("training_set.training_set_id"), primary_key=True)
    lesion_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    split: Mapped[str] = mapped_column(String(8))
    category_id: Mapped[int | None]


_PROMOTED = text("state = 'promoted'")
"""At most one model is; db.registry keeps it so, and the database would refuse a second."""


class Model(Base):
    __tablename__ = "model"
    __table_args__ = (
        one_of("state", "candidate", "shadow", "promoted", "retired"),
        Index("ix_model_promoted", "state", unique=True, sqlite_where=_PROMOTED, postgresql_where=_PROMOTED),
    )

    model_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    """The first 12 digits of the weights' SHA-256."""
    state: Mapped[str] = mapped_column(String(16), default="candidate")
    trained_at: Mapped[datetime]
    promoted_at: Mapped[datetime | None]
    label_generation: Mapped[int | None] = mapped_column(ForeignKey("label_generation.label_generation"))
    training_set_id: Mapped[str] = mapped_column(ForeignKey("training_set.training_set_id"))
    weights_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    weights_name: Mapped[str] = mapped_column(Text)
    """In the file store; the card lies beside it as .json."""
    git_commit: Mapped[str] = mapped_column(Text, default="")
    card: Mapped[dict[str, Any]]
    froc_at_0_5: Mapped[float | None]
    froc_at_1: Mapped[float | None]
    froc_at_2: Mapped[float | None]
    froc_at_4: Mapped[float | None]
    froc_at_8: Mapped[float | None]
    gate: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The comparison with the incumbent, in numbers and as a sentence."""


# --- results ----------------------------------------------------------------------------------------------------


class Analysis(Base):
    """A study looked at, or not looked at and why, in one revision of it by one model."""

    __tablename__ = "analysis"
    __table_args__ = (
        one_of("state", "found", "none found", "not analysed", "failed"),
        UniqueConstraint("study_instance_uid", "study_revision", "model_id"),
    )

    analysis_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey("study.study_instance_uid"), index=True)
    study_revision: Mapped[int]
    series_instance_uid: Mapped[str | None] = mapped_column(Text)
    model_id: Mapped[str | None] = mapped_column(ForeignKey("model.model_id"))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    images_sha256: Mapped[str] = mapped_column(String(64), default="")
    """`db.studies.images_sha256` of what was looked at; the analysis holds for later revisions with the same images."""
    edition: Mapped[int] = mapped_column(default=0)
    """Counts up when a person takes a finding out of it or puts it back: the results are made anew."""
    issued_edition: Mapped[int] = mapped_column(default=0)
    """The edition that the newest results show."""
    issue_attempts: Mapped[int] = mapped_column(default=0)
    """Failed tries to make the results of `edition`."""
    next_issue_at: Mapped[datetime | None]
    overview: Mapped[dict[str, Any]] = mapped_column(default=dict, deferred=True)
    """A coarse picture of the series (`detector.overview`), so that a later study can be laid over it."""
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]


def _axes_of_row(context: DefaultExecutionContext) -> str:
    return axes_tracking_uid(context.get_current_parameters()["tracking_uid"])  # type: ignore[no-untyped-call]


class DetectionRow(Base):
    __tablename__ = "detection"

    detection_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    analysis_id: Mapped[str] = mapped_column(ForeignKey("analysis.analysis_id"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    frame_number: Mapped[int] = mapped_column(default=1)
    box_x1: Mapped[float]
    box_y1: Mapped[float]
    box_x2: Mapped[float]
    box_y2: Mapped[float]
    z_first: Mapped[int]
    z_last: Mapped[int]
    """Slices of the sorted series, 0-based, both included."""
    z_first_mm: Mapped[float | None]
    z_last_mm: Mapped[float | None]
    """The same as positions along the series' normal."""
    long_x1: Mapped[float]
    long_y1: Mapped[float]
    long_x2: Mapped[float]
    long_y2: Mapped[float]
    short_x1: Mapped[float]
    short_y1: Mapped[float]
    short_x2: Mapped[float]
    short_y2: Mapped[float]
    long_axis_mm: Mapped[float]
    short_axis_mm: Mapped[float]
    score: Mapped[float]
    category: Mapped[str] = mapped_column(Text, default="")
    tracking_uid: Mapped[str] = mapped_column(Uid, index=True)
    tracking_uid_axes: Mapped[str] = mapped_column(Uid, index=True, default=_axes_of_row)
    """Of the group that holds the two axes in our reports."""
    mask_name: Mapped[str] = mapped_column(Text, default="")
    """In the file store; empty if there is none."""
    reported: Mapped[bool] = mapped_column(default=True)
    """Above the operating point."""
    discarded_by: Mapped[str] = mapped_column(Text, default="")
    """The person who took it out of the results; empty if nobody did."""
    discarded_at: Mapped[datetime | None]
    prior_detection_id: Mapped[str | None] = mapped_column(String(36))
    """The same lesion in an earlier study of the patient, whose tracking UID this one carries on."""
    prior_long_axis_mm: Mapped[float | None]
    prior_study_date: Mapped[date | None]
    created_at: Mapped[datetime]


class Result(Base):
    """The ledger of every DICOM object that we made. What stands here is never harvested."""

    __tablename__ = "result"

    result_sop_instance_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    analysis_id: Mapped[str] = mapped_column(ForeignKey("analysis.analysis_id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    """SR, SEG, PR, SC, KO or RTSTRUCT."""
    profile: Mapped[str] = mapped_column(Text)
    edition: Mapped[int] = mapped_column(default=0)
    """Of the analysis, when it was made."""
    rejects: Mapped[str | None] = mapped_column(Uid)
    """The SOP Instance UID of the result that this one, a rejection note, takes back."""
    sop_class_uid: Mapped[str] = mapped_column(Uid)
    series_instance_uid: Mapped[str] = mapped_column(Uid, index=True)
    instance_number: Mapped[int] = mapped_column(default=1)
    file_name: Mapped[str] = mapped_column(Text)
    header_sha256: Mapped[str] = mapped_column(String(64), default="")
    """Of the patient and study attributes it was built from: another value means it is stale."""
    created_at: Mapped[datetime]
    superseded_by: Mapped[str | None] = mapped_column(Uid)


class Translation(Base):
    """The ledger of documents that we wrote anew from marks of others, as viewers take it up. Never harvested."""

    __tablename__ = "translation"

    result_sop_instance_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    source_sop_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey("study.study_instance_uid"), index=True)
    file_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


DELIVERY_STATES = (
    "held",
    "waiting",
    "delivered",
    "committed",
    "dead",
    "discarded",
    "shadow",
    "retracted",
)
"""held: for a person. delivered: the peer answered Success. committed: it has promised to keep it. dead: given up.
discarded: not sent, or no more. shadow: kept and compared, never sent. retracted: taken back there.
"""


class Delivery(Base):
    """The outbox: one result for one destination. Its state lives here and nowhere else."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("result_sop_instance_uid", "destination"),
        one_of("state", *DELIVERY_STATES),
        Index(None, "state", "next_try_at"),
        Index(None, "state", "next_commit_at"),
    )

    delivery_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    result_sop_instance_uid: Mapped[str] = mapped_column(ForeignKey("result.result_sop_instance_uid"))
    destination: Mapped[str] = mapped_column(Text, index=True)
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    last_answer: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    committed_at: Mapped[datetime | None]
    commitment_uid: Mapped[str | None] = mapped_column(Uid, index=True)
    """The transaction by which storage commitment was asked last."""
    commit_tries: Mapped[int] = mapped_column(default=0)
    next_commit_at: Mapped[datetime | None]
    """When to ask for commitment (again); NULL if there is nothing more to ask."""


class Commitment(Base):
    """One N-ACTION of ours: storage commitment asked of a destination (PS3.4 J.3.2)."""

    __tablename__ = "commitment"

    transaction_uid: Mapped[str] = mapped_column(Uid, primary_key=True)
    destination: Mapped[str] = mapped_column(Text, index=True)
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    committed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)


class CommitmentRequest(Base):
    """One N-ACTION of a peer: storage commitment asked of us for what it sent; answered by N-EVENT-REPORT."""

    __tablename__ = "commitment_request"
    __table_args__ = (
        UniqueConstraint("ae_title", "transaction_uid"),
        one_of("state", "waiting", "answered", "dead"),
        Index(None, "state", "next_try_at"),
    )

    request_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    ae_title: Mapped[str] = mapped_column(String(16))
    transaction_uid: Mapped[str] = mapped_column(Text)
    instances: Mapped[list[Any]]
    """[SOP Class UID, SOP Instance UID] each."""
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    last_answer: Mapped[str] = mapped_column(Text, default="")


class Circuit(Base):
    """A destination that failed several times in a row: nothing goes there before one probe has succeeded."""

    __tablename__ = "circuit"

    destination: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    """In a row."""
    opened_at: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(Text, default="")


class Assessment(Base):
    """What a radiologist's answer says of one detection; or, with `added`, of a lesion that we did not report."""

    __tablename__ = "assessment"
    __table_args__ = (one_of("verdict", "accepted", "modified", "rejected", "added"),)

    assessment_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    detection_id: Mapped[str | None] = mapped_column(ForeignKey("detection.detection_id"), index=True)
    analysis_id: Mapped[str | None] = mapped_column(ForeignKey("analysis.analysis_id"), index=True)
    """The analysis that the answer is to."""
    lesion_id: Mapped[str | None] = mapped_column(String(36), index=True)
    """The reader's own drawing, of `modified` and `added`."""
    tracking_uid: Mapped[str] = mapped_column(Text, default="")
    verdict: Mapped[str] = mapped_column(String(16))
    reader: Mapped[str] = mapped_column(Text, default="")
    assessed_at: Mapped[datetime]
    source_sop_instance_uid: Mapped[str] = mapped_column(Text, default="", index=True)
    """The document that says so; empty where a person said so on our page."""
    shift_px: Mapped[float | None]


# --- the node itself --------------------------------------------------------------------------------------------


class Audit(Base):
    """What a person did, by command or on the page."""

    __tablename__ = "audit"

    audit_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Task(Base):
    """Work that is not of one study: categorise and train. Whoever asks adds a row; the worker ends it."""

    __tablename__ = "task"
    __table_args__ = (
        one_of("kind", "categorise", "train"),
        one_of("state", "waiting", "running", "done", "failed"),
        Index(None, "state", "kind"),
    )

    task_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(Text, default="")
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Heartbeat(Base):
    """The processes that run: who, where, when seen last."""

    __tablename__ = "heartbeat"

    executor_id: Mapped[str] = mapped_column(Text, primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    seen_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
