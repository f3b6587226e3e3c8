"""The tables of what came in: received, harvested, categorised. No logic.

Names are singular; the plural names are the views of `db.views`, which is what people read.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables import Base, IntegerKey, one_of

# --- what was received ------------------------------------------------------------------------------------------


class Patient(Base):
    __tablename__ = "patient"
    __table_args__ = (UniqueConstraint("patient_id", "issuer_of_patient_id"), one_of("split", "train", "val", "test"))

    patient_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    patient_id: Mapped[str] = mapped_column(Text)
    issuer_of_patient_id: Mapped[str] = mapped_column(Text, default="")
    split: Mapped[str] = mapped_column(String(8))
    resolved_patient_pk: Mapped[int | None] = mapped_column(ForeignKey("patient.patient_pk"))
    """The patient that this one was merged into."""
    split_quarantined: Mapped[bool] = mapped_column(default=False)
    """A merge joined two splits: neither of them may use this patient."""


class Study(Base):
    __tablename__ = "study"
    __table_args__ = (one_of("state", "receiving", "settled", "incomplete"), Index(None, "state", "received_last_at"))

    study_instance_uid: Mapped[str] = mapped_column(Text, primary_key=True)
    patient_pk: Mapped[int | None] = mapped_column(ForeignKey("patient.patient_pk"), index=True)
    accession_number: Mapped[str] = mapped_column(Text, default="")
    study_date: Mapped[date | None]
    description: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default="receiving")
    revision: Mapped[int] = mapped_column(default=0)
    """Counts up each time the study settles; what was done for an older revision is undone work."""
    harvested_revision: Mapped[int] = mapped_column(default=0)
    analysed_revision: Mapped[int] = mapped_column(default=0)
    attempted_revision: Mapped[int] = mapped_column(default=0)
    """The revision that `attempts`, `next_try_at` and `error` speak of."""
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text, default="")
    analyse: Mapped[bool] = mapped_column(default=False)
    """Whether anything of it came from a peer with `analyse = true`."""
    received_first_at: Mapped[datetime]
    received_last_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    source_ae: Mapped[str] = mapped_column(String(16), default="")
    expected_instances: Mapped[int | None]
    """What the sender's PACS counts, where it can be asked (PS3.4 C.3.4, NumberOfStudyRelatedInstances)."""


class Series(Base):
    __tablename__ = "series"

    series_instance_uid: Mapped[str] = mapped_column(Text, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey("study.study_instance_uid"), index=True)
    modality: Mapped[str] = mapped_column(Text, default="")
    series_number: Mapped[int | None] = mapped_column(BigInteger)
    description: Mapped[str] = mapped_column(Text, default="")
    body_part: Mapped[str] = mapped_column(Text, default="")
    manufacturer: Mapped[str] = mapped_column(Text, default="")
    convolution_kernel: Mapped[str] = mapped_column(Text, default="")
    frame_of_reference_uid: Mapped[str] = mapped_column(Text, default="")
    slice_interval_mm: Mapped[float | None]


class Instance(Base):
    """One received content of one SOP instance; the same UID with another content is a second row."""

    __tablename__ = "instance"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "content_sha256"),
        one_of("state", "current", "superseded", "conflict"),
        Index(None, "study_instance_uid", "state"),
    )

    instance_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(Text)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey("study.study_instance_uid"))
    series_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    sop_class_uid: Mapped[str] = mapped_column(Text, index=True)
    transfer_syntax_uid: Mapped[str] = mapped_column(Text)
    content_sha256: Mapped[str] = mapped_column(String(64))
    """Of the data set's bytes as received, without the file meta information."""
    file_name: Mapped[str] = mapped_column(Text)
    """In the file store (`db.files`)."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16), default="current")
    received_at: Mapped[datetime]
    source_ae: Mapped[str] = mapped_column(String(16), default="")
    indexed: Mapped[bool] = mapped_column(default=False)
    """Whether the settle step has read its header into `series` and `image`."""


class Image(Base):
    """The geometry of an instance that has pixels."""

    __tablename__ = "image"

    sop_instance_uid: Mapped[str] = mapped_column(Text, primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"), index=True)
    image_type: Mapped[str] = mapped_column(Text, default="")
    instance_number: Mapped[int | None] = mapped_column(BigInteger)
    rows: Mapped[int]
    columns: Mapped[int]
    frames: Mapped[int] = mapped_column(default=1)
    row_spacing_mm: Mapped[float | None]
    col_spacing_mm: Mapped[float | None]
    planes: Mapped[list[Any]] = mapped_column(default=list)
    """Per frame [x, y, z, six direction cosines]; one entry if all frames share it, none if there is no plane."""
    purpose: Mapped[str] = mapped_column(Text, default="")
    """What it was made for if not to show a patient's lesions (`mining.image_purpose`); empty for an ordinary image."""


class Refusal(Base):
    """An object that was not taken, or not wholly: what, from whom, why."""

    __tablename__ = "refusal"

    refusal_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    source: Mapped[str] = mapped_column(Text)
    sop_instance_uid: Mapped[str] = mapped_column(Text, default="")
    reason_code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)


# --- what was harvested -----------------------------------------------------------------------------------------


class SourceObject(Base):
    """A stored object that a reader of `mining` has read."""

    __tablename__ = "source_object"

    source_sop_instance_uid: Mapped[str] = mapped_column(Text, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(ForeignKey("study.study_instance_uid"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    writer: Mapped[str] = mapped_column(Text, default="")
    content_at: Mapped[datetime | None]
    predecessors: Mapped[list[Any]] = mapped_column(default=list)
    own: Mapped[bool] = mapped_column(default=False)
    """One of our results, by UID in the ledger."""
    stated_verdicts: Mapped[list[Any]] = mapped_column(default=list)
    """[UID, verdict, reader] of each result, detection or tracking UID that the document judges in words."""
    reader_version: Mapped[int] = mapped_column(default=1)
    harvested_at: Mapped[datetime]


class MeasurementRow(Base):
    __tablename__ = "measurement"

    lesion_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    source_sop_instance_uid: Mapped[str] = mapped_column(
        ForeignKey("source_object.source_sop_instance_uid"), index=True
    )
    source_item: Mapped[str] = mapped_column(Text)
    source_kind: Mapped[str] = mapped_column(Text)
    sop_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    frame_number: Mapped[int] = mapped_column(default=1)
    long_x1: Mapped[float | None]
    long_y1: Mapped[float | None]
    long_x2: Mapped[float | None]
    long_y2: Mapped[float | None]
    """The axes are NULL for what was only pointed at: a place without an extent, or a key image."""
    short_x1: Mapped[float | None]
    short_y1: Mapped[float | None]
    short_x2: Mapped[float | None]
    short_y2: Mapped[float | None]
    outline_x1: Mapped[float | None]
    outline_y1: Mapped[float | None]
    outline_x2: Mapped[float | None]
    outline_y2: Mapped[float | None]
    """The extent of the region that derived axes come from, without a margin; NULL for drawn axes."""
    point_x: Mapped[float | None]
    point_y: Mapped[float | None]
    """The place that was pointed at; NULL where axes were drawn, and for a key image."""
    derived: Mapped[bool] = mapped_column(default=False)
    stated_long_axis_mm: Mapped[float | None]
    stated_short_axis_mm: Mapped[float | None]
    finding_code: Mapped[str | None] = mapped_column(Text)
    finding: Mapped[str | None] = mapped_column(Text)
    site_code: Mapped[str | None] = mapped_column(Text)
    site: Mapped[str | None] = mapped_column(Text)
    tracking_id: Mapped[str] = mapped_column(Text, default="")
    tracking_uid: Mapped[str] = mapped_column(Text, default="", index=True)
    reader: Mapped[str] = mapped_column(Text, default="")
    measured_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    by_algorithm: Mapped[str] = mapped_column(Text, default="")
    """Name of the algorithm that drew it; empty for a person."""
    noisy_because: Mapped[str | None] = mapped_column(Text)
    excluded_because: Mapped[str | None] = mapped_column(Text)
    """Why the row is not truth; NULL for truth."""
    same_as: Mapped[str | None] = mapped_column(String(36), index=True)
    """The lesion_id of the row that shows this drawing; NULL for the row that shows it itself."""
    replaced_by: Mapped[str | None] = mapped_column(Text)
    """The later document that names this row's document as its predecessor."""
    lesion_identity: Mapped[str | None] = mapped_column(Text, index=True)
    """The same for one lesion in several documents, readers and time points."""


class Rejection(Base):
    __tablename__ = "rejection"

    rejection_pk: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    source_sop_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    source_item: Mapped[str] = mapped_column(Text, default="")
    reason_code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    traceback: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class LesionRow(Base):
    """The flat, indexed copy of everything that is known of a measurement; `lesions` is a view over it.

    Written by `db.lesions.refresh` in the transactions of harvest and categorise; a test holds it against its rebuild.
    """

    __tablename__ = "lesion"
    __table_args__ = (Index(None, "category", "long_axis_mm"), Index(None, "category_id", "long_axis_mm"))

    lesion_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    patient_id: Mapped[str | None] = mapped_column(Text, index=True)
    issuer_of_patient_id: Mapped[str | None] = mapped_column(Text)
    accession_number: Mapped[str | None] = mapped_column(Text)
    study_instance_uid: Mapped[str | None] = mapped_column(Text, index=True)
    series_instance_uid: Mapped[str | None] = mapped_column(Text, index=True)
    sop_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    frame_number: Mapped[int]
    modality: Mapped[str | None] = mapped_column(Text)
    study_date: Mapped[date | None] = mapped_column(index=True)
    body_part: Mapped[str | None] = mapped_column(Text)
    series_description: Mapped[str | None] = mapped_column(Text)
    manufacturer: Mapped[str | None] = mapped_column(Text)
    row_spacing_mm: Mapped[float | None]
    col_spacing_mm: Mapped[float | None]
    slice_interval_mm: Mapped[float | None]
    long_x1: Mapped[float | None]
    long_y1: Mapped[float | None]
    long_x2: Mapped[float | None]
    long_y2: Mapped[float | None]
    short_x1: Mapped[float | None]
    short_y1: Mapped[float | None]
    short_x2: Mapped[float | None]
    short_y2: Mapped[float | None]
    long_axis_px: Mapped[float | None]
    short_axis_px: Mapped[float | None]
    long_axis_mm: Mapped[float | None] = mapped_column(index=True)
    short_axis_mm: Mapped[float | None]
    stated_long_axis_mm: Mapped[float | None]
    stated_short_axis_mm: Mapped[float | None]
    stated_disagrees: Mapped[bool | None]
    box_x1: Mapped[float | None]
    box_y1: Mapped[float | None]
    box_x2: Mapped[float | None]
    box_y2: Mapped[float | None]
    point_x: Mapped[float | None]
    point_y: Mapped[float | None]
    finding_code: Mapped[str | None] = mapped_column(Text)
    finding: Mapped[str | None] = mapped_column(Text)
    site_code: Mapped[str | None] = mapped_column(Text)
    site: Mapped[str | None] = mapped_column(Text)
    tracking_id: Mapped[str | None] = mapped_column(Text)
    tracking_uid: Mapped[str | None] = mapped_column(Text, index=True)
    reader: Mapped[str | None] = mapped_column(Text)
    measured_at: Mapped[datetime | None]
    comment: Mapped[str | None] = mapped_column(Text)
    by_algorithm: Mapped[str | None] = mapped_column(Text)
    image_purpose: Mapped[str | None] = mapped_column(Text)
    source_kind: Mapped[str] = mapped_column(Text)
    source_writer: Mapped[str | None] = mapped_column(Text)
    source_sop_instance_uid: Mapped[str] = mapped_column(Text, index=True)
    source_item: Mapped[str] = mapped_column(Text)
    reader_version: Mapped[int]
    derived: Mapped[bool]
    image_present: Mapped[bool]
    possibly_noisy: Mapped[bool]
    noisy_because: Mapped[str | None] = mapped_column(Text)
    excluded_because: Mapped[str | None] = mapped_column(Text)
    lesion_identity: Mapped[str | None] = mapped_column(Text, index=True)
    category_id: Mapped[int | None]
    category: Mapped[str | None] = mapped_column(Text)
    label_generation: Mapped[int | None]
    split: Mapped[str | None] = mapped_column(String(8), index=True)


# --- categories -------------------------------------------------------------------------------------------------


class LabelGeneration(Base):
    """One run of categorise; the newest finished one is current."""

    __tablename__ = "label_generation"

    label_generation: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    created_at: Mapped[datetime]
    extractor: Mapped[str] = mapped_column(Text)
    weights_sha256: Mapped[str] = mapped_column(String(64), default="")
    settings: Mapped[dict[str, Any]]
    lesions: Mapped[int]
    figures: Mapped[dict[str, Any]]
    """Stability, silhouette, agreement with the generation before."""


class Category(Base):
    """A group of lesions that keeps its identity from one generation to the next."""

    __tablename__ = "category"

    category_id: Mapped[int] = mapped_column(IntegerKey, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    named_by_person: Mapped[bool] = mapped_column(default=False)
    finding_code: Mapped[str | None] = mapped_column(Text)
    site_code: Mapped[str | None] = mapped_column(Text)


class CategoryStatistics(Base):
    __tablename__ = "category_statistics"

    label_generation: Mapped[int] = mapped_column(ForeignKey("label_generation.label_generation"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.category_id"), primary_key=True)
    members: Mapped[int]
    stability: Mapped[float | None]


class CategoryMember(Base):
    __tablename__ = "category_member"

    label_generation: Mapped[int] = mapped_column(ForeignKey("label_generation.label_generation"), primary_key=True)
    lesion_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.category_id"), index=True)
    distance: Mapped[float]
    """To the centre of its cluster, in the feature space of the generation: small is typical."""
