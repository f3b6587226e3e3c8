"""Lesions → a structure set: a region of interest for each, its contours traced from the mask. Pure.

For planning systems and for viewers that take no segmentation. A contour is a ring of points in the patient, so each
slice's own plane places it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import RTStructureSetStorage

from db.errors import ContentError
from dicom_node.report.captions import model_line, name_of, sizes_of
from dicom_node.report.colours import rgb_of
from dicom_node.report.context import LONG_STRING, Context, Identity
from dicom_node.report.header import finish
from dicom_node.report.instance import algorithm_item, coded, new_instance
from dicom_node.report.key_slices import image_item
from dicom_node.report.outlines import Floats, outer_contours
from dicom_node.report.source import SourceImages, plane_of
from dicom_node.report.subject import Lesion, Subject

SOP_CLASS_UID = str(RTStructureSetStorage)

DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"
"""The retired class that a reference to a study still names (PS3.3 C.8.8.5)."""

SHORT_STRING = 16
"""Most characters of an SH (PS3.5 table 6.2-1)."""


def structure_set(subject: Subject, identity: Identity) -> Dataset | None:
    """The structure set of all lesions; None without one. A lesion without a mask is its box on the key slice.

    The interpreted type stays empty: GTV would say that somebody decided to treat it. Source: PS3.3 A.19, C.8.8.5,
    C.8.8.6, C.8.8.8. Raises ContentError if a mask leaves the series.
    """
    context, sources = subject.context, subject.sources
    if sources is None or not subject.lesions:
        return None
    ds = new_instance(SOP_CLASS_UID, "RTSTRUCT", context, identity)
    ds.OperatorsName = None
    ds.StructureSetLabel = "AI_RESEARCH_ONLY"
    ds.StructureSetDescription = model_line(context.model)
    ds.FrameOfReferenceUID = sources.headers[0].FrameOfReferenceUID
    ds.PositionReferenceIndicator = sources.headers[0].get("PositionReferenceIndicator", "")
    ds.ReferencedFrameOfReferenceSequence = [_frame_of_reference(sources)]
    ds.StructureSetROISequence = [_region(lesion, context, str(ds.FrameOfReferenceUID)) for lesion in subject.lesions]
    ds.ROIContourSequence = [_contours(lesion, sources) for lesion in subject.lesions]
    ds.RTROIObservationsSequence = [_observation(lesion) for lesion in subject.lesions]
    ds.ApprovalStatus = "UNAPPROVED"
    finish(ds, context, "lesions, RTSTRUCT")
    ds.StructureSetDate, ds.StructureSetTime = ds.ContentDate, ds.ContentTime
    del ds.ContentDate, ds.ContentTime
    return ds


def _frame_of_reference(sources: SourceImages) -> Dataset:
    first = sources.headers[0]
    series, study, frame = Dataset(), Dataset(), Dataset()
    instances = {str(header.SOPInstanceUID): header for header in sources.headers}
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ContourImageSequence = [image_item(header, None) for header in instances.values()]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = DETACHED_STUDY, first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _region(lesion: Lesion, context: Context, frame_of_reference_uid: str) -> Dataset:
    region = Dataset()
    region.ROINumber = lesion.number
    region.ReferencedFrameOfReferenceUID = frame_of_reference_uid
    region.ROIName = name_of(lesion)
    region.ROIDescription = f"{lesion.label}, {sizes_of(lesion.detection)}"
    region.ROIGenerationAlgorithm = "AUTOMATIC"
    region.ROIGenerationDescription = f"{context.model.name} {context.model.model_id}"[:LONG_STRING].rstrip()
    region.ROIDerivationAlgorithmIdentificationSequence = [algorithm_item(context.model)]
    return region


def _observation(lesion: Lesion) -> Dataset:
    observation = Dataset()
    observation.ObservationNumber = observation.ReferencedROINumber = lesion.number
    observation.ROIObservationLabel = f"AI lesion {lesion.number}"[:SHORT_STRING]
    observation.ROIObservationDescription = lesion.label
    observation.RTROIIdentificationCodeSequence = [coded(lesion.codes.finding)]
    observation.RTROIInterpretedType = observation.ROIInterpreter = ""
    return observation


def _contours(lesion: Lesion, sources: SourceImages) -> Dataset:
    contours = Dataset()
    contours.ReferencedROINumber = lesion.number
    contours.ROIDisplayColor = rgb_of(lesion.number)
    images = list(sources.place)
    contours.ContourSequence = [
        _contour(sources.headers[index], images[index].frame_number if sources.multi_frame else None, ring)
        for index, ring in rings_of(lesion, sources)
    ]
    return contours


def rings_of(lesion: Lesion, sources: SourceImages) -> Iterator[tuple[int, Floats]]:
    """The slices of a lesion, as indices of the sources, each with a contour (N, 2) as col and row."""
    mask = lesion.detection.mask
    if mask is None or not mask.voxels.any():
        corners = np.array([(point.col, point.row) for point in lesion.ring[:-1]])
        yield sources.index(lesion.detection.image), corners
        return
    if not 0 <= mask.z <= mask.z + len(mask.voxels) <= len(sources.headers):
        raise ContentError("a mask leaves the series it was made on", detection_id=lesion.detection.detection_id)
    for offset, voxels in enumerate(mask.voxels):
        for ring in outer_contours(voxels):
            yield mask.z + offset, ring + np.array([mask.col, mask.row])


def _contour(header: Dataset, frame_number: int | None, ring: Floats) -> Dataset:
    contour = Dataset()
    contour.ContourImageSequence = [image_item(header, frame_number)]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(ring)
    contour.ContourData = _decimals(to_mm(header, ring))
    return contour


def to_mm(header: Dataset, ring: Floats) -> Floats:
    """Points (N, 2) of a slice, as col and row, in the patient: (N, 3)."""
    plane = plane_of(header)
    steps = np.array([plane.along_row, plane.along_column]) * [[plane.spacing.col_mm], [plane.spacing.row_mm]]
    origin = np.array([plane.origin.x, plane.origin.y, plane.origin.z])
    points: Floats = origin + ring @ steps
    return points


def _decimals(points_mm: npt.NDArray[np.float64]) -> Sequence[str]:
    """As DS, in at most 16 characters (PS3.5 table 6.2-1) and to 10 nm."""
    return [f"{value:.5f}" for value in points_mm.ravel().tolist()]
