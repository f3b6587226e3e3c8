"""Answers to our results made in code: as OHIF saves them, and as assessments in words.

OHIF's shapes are those that version 3.13.2 wrote in a browser: Enhanced SR, no reader's name, fresh tracking UIDs, our
codes and labels kept, our certainty and algorithm gone. In our series it names ours as predecessor, without SOP class;
in a new series it names nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from builders import (
    AREA,
    COMMENT,
    ENHANCED_SR,
    FINDING,
    MEASUREMENTS,
    NODULE,
    REPORT,
    STUDY,
    CodeTriple,
    Line,
    code,
    coded,
    container,
    group,
    image,
    item,
    num,
    person,
    scoord,
    sr,
    text,
    uidref,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

LONG, SHORT = ("103339001", "SCT", "Long Axis"), ("103340004", "SCT", "Short Axis")
NAME_OF_NOBODY = "unknown^unknown"
TEXT_POSITION: CodeTriple = ("TextPosition", "99CS3D", "Text Annotation Position")
ASSESSMENT: CodeTriple = ("ASSESS", "99SITE", "Assessment")

Corners = tuple[float, float, float, float]


def ohif_axes(image_uid: str, long: Line, short: Line, uid: str, *, text_moved: bool = False) -> Dataset:
    """A Bidirectional; text_moved: the reader dragged its label away, maybe beyond the image."""
    position = item("SCOORD", TEXT_POSITION, image(image_uid), GraphicType="POINT", GraphicData=[-1.5, 136.5])
    return group(
        code(FINDING, NODULE),
        num(LONG, 38.5821012454094, "mm", scoord("POLYLINE", long, image(image_uid))),
        num(SHORT, 37.0372543132383, "mm", scoord("POLYLINE", short, image(image_uid))),
        text(COMMENT, "Lesion 1: nodule 0.90 (AI, research only)", relationship="CONTAINS"),
        *([position] if text_moved else []),
        tracking_uid=uid,
        tracking_id="Cornerstone3DTools@^0.1.0:Bidirectional",
    )


def ohif_box(image_uid: str, corners: Corners, uid: str) -> Dataset:
    """A RectangleROI whose slice was shown: with the pixels' statistics behind the area."""
    x1, y1, x2, y2 = corners
    ring = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
    return group(
        code(FINDING, NODULE),
        num(AREA, (x2 - x1) * (y2 - y1), "mm2", scoord("POLYLINE", ring, image(image_uid))),
        num(("56851009", "SCT", "Maximum"), 230, "[hnsf'U]"),
        num(("373098007", "SCT", "Mean"), 93.29, "[hnsf'U]"),
        num(("386136009", "SCT", "Standard Deviation"), 39.97, "[hnsf'U]"),
        text(COMMENT, "Lesion 1: nodule 0.90 (AI, research only)", relationship="CONTAINS"),
        tracking_uid=uid,
        tracking_id="Cornerstone3DTools@^0.1.0:RectangleROI",
    )


def ohif_saved(
    *groups: Dataset,
    uid: str,
    into: tuple[str, str] | None = None,
    at: str = "20261124153000",
    reader: str = NAME_OF_NOBODY,
    study_uid: str = STUDY,
) -> Dataset:
    """What "Create Report" sends. into: series and report that the reader chose to go on with; None: a new series."""
    ds = sr(
        person(reader),
        container(MEASUREMENTS, *groups),
        sop_instance_uid=uid,
        root=REPORT,
        sop_class_uid=ENHANCED_SR,
        at=at,
        study_uid=study_uid,
    )
    ds.Manufacturer = ds.ManufacturerModelName = "Unspecified"
    if into is not None:
        ds.SeriesInstanceUID = into[0]
        ds.PredecessorDocumentsSequence = _predecessor(study_uid, *into)
        ds.InstanceNumber = 2
    return ds


def _predecessor(study_uid: str, series_uid: str, sop_instance_uid: str) -> Items:
    """Without the SOP class, as OHIF names it."""
    reference, series, study = Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    series.ReferencedSOPSequence = Items([reference])
    series.SeriesInstanceUID = series_uid
    study.ReferencedSeriesSequence = Items([series])
    study.StudyInstanceUID = study_uid
    return Items([study])


# --- in words -----------------------------------------------------------------------------------------------------


def composite(sop_instance_uid: str, sop_class_uid: str) -> Dataset:
    """A reference to another document."""
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item("COMPOSITE", None, ReferencedSOPSequence=Items([reference]))


def said(verdict: CodeTriple | str, *about: Dataset) -> Dataset:
    """A part of an assessment: a verdict by code or by text, beside what it is about."""
    spoken = (
        text(ASSESSMENT, verdict, relationship="CONTAINS") if isinstance(verdict, str) else code(ASSESSMENT, verdict)
    )
    return container(("PART", "99SITE", "Assessed result"), *about, spoken)


def tracked(uid: str) -> Dataset:
    return uidref(("112040", "DCM", "Tracking Unique Identifier"), uid)


def assessment(*content: Dataset, uid: str, reader: str | None = "Reader^Two", at: str = "20261124160000") -> Dataset:
    """An IHE AIRA-like document: Enhanced SR without a drawing."""
    observer = [] if reader is None else [person(reader)]
    root = ("AIRA", "99SITE", "AI Result Assessment")
    return sr(*observer, *content, sop_instance_uid=uid, root=root, sop_class_uid=ENHANCED_SR, at=at)


def evidence(ds: Dataset, sop_instance_uids: Sequence[str], series_uid: str = "1.8") -> Dataset:
    """The document, with these objects as its evidence."""
    study = _predecessor(STUDY, series_uid, sop_instance_uids[0])[0]
    references = []
    for uid in sop_instance_uids:
        reference = Dataset()
        reference.ReferencedSOPInstanceUID = uid
        references.append(reference)
    study.ReferencedSeriesSequence[0].ReferencedSOPSequence = Items(references)
    ds.CurrentRequestedProcedureEvidenceSequence = Items([study])
    ds.ConceptNameCodeSequence = coded(("AIRA", "99SITE", "AI Result Assessment"))
    return ds
