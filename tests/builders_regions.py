"""Regions made in code: segmentations and structure sets. Masks are (rows, columns); points as in builders.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from builders import (
    COLUMNS,
    CT,
    FRAME_OF_REFERENCE,
    OBLIQUE,
    ROWS,
    SERIES,
    SPACING,
    STUDY,
    CodeTriple,
    Point,
    coded,
    instance,
    item,
    new_uid,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"

ALTERED: CodeTriple = ("49755003", "SCT", "Morphologically Altered Structure")
ANATOMY: CodeTriple = ("123037004", "SCT", "Anatomical Structure")
TISSUE: CodeTriple = ("85756007", "SCT", "Tissue")
NEOPLASM: CodeTriple = ("108369006", "SCT", "Neoplasm")
LIVER: CodeTriple = ("10200004", "SCT", "Liver")
REFERENCED_SEGMENT: CodeTriple = ("121191", "DCM", "Referenced Segment")


def plus(
    width: int, height: int, centre: tuple[int, int] = (32, 24), rows: int = ROWS, columns: int = COLUMNS
) -> np.ndarray:
    """Two crossing bars of one pixel, of odd width and height: their lengths are the axes, edge to edge."""
    mask = np.zeros((rows, columns), np.bool_)
    col, row = centre
    mask[row, col - width // 2 : col + width // 2 + 1] = True
    mask[row - height // 2 : row + height // 2 + 1, col] = True
    return mask


@dataclass(frozen=True)
class Frame:
    """One frame of a segmentation; of a label map the mask holds numbers, of a fractional one values."""

    mask: np.ndarray
    origin: Sequence[float] | None = None
    sources: Sequence[str] = ()
    segment: int | None = 1


def segment(
    number: int = 1,
    label: str = "Lesion",
    category: CodeTriple | None = ALTERED,
    kind: CodeTriple | None = NEOPLASM,
    algorithm: str = "MANUAL",
    **elements: object,
) -> Dataset:
    """An item of the Segment Sequence; `elements` are set by keyword."""
    ds = Dataset()
    ds.SegmentNumber = number
    ds.SegmentLabel = label
    ds.SegmentAlgorithmType = algorithm
    if category is not None:
        ds.SegmentedPropertyCategoryCodeSequence = coded(category)
    if kind is not None:
        ds.SegmentedPropertyTypeCodeSequence = coded(kind)
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def seg(
    segments: Sequence[Dataset],
    frames: Sequence[Frame],
    *,
    kind: str = "BINARY",
    orientation: Sequence[float] = OBLIQUE,
    spacing: tuple[float, float] = SPACING,
    sop_instance_uid: str | None = None,
    series: Sequence[str] = (),
    study_uid: str = STUDY,
) -> Dataset:
    """A segmentation. series: SOP Instance UIDs that the whole object refers to."""
    uid = sop_instance_uid or new_uid()
    ds = instance(LABEL_MAP if kind == "LABELMAP" else SEG, uid, "SEG", f"{uid}.1", study_uid)
    ds.FrameOfReferenceUID = FRAME_OF_REFERENCE
    ds.SegmentationType = kind
    ds.ContentCreatorName = "Reader^Three"
    ds.ContentDate, ds.ContentTime = "20260304", "110000"
    ds.SegmentSequence = Items(segments)
    _pixels(ds, [frame.mask for frame in frames], kind)
    ds.SharedFunctionalGroupsSequence = Items([_shared(orientation, spacing)])
    ds.PerFrameFunctionalGroupsSequence = Items([_per_frame(frame) for frame in frames])
    if series:
        referenced = Dataset()
        referenced.SeriesInstanceUID = SERIES
        referenced.ReferencedInstanceSequence = Items([reference(source) for source in series])
        ds.ReferencedSeriesSequence = Items([referenced])
    return ds


def _pixels(ds: Dataset, masks: Sequence[np.ndarray], kind: str) -> None:
    bits = 1 if kind == "BINARY" else 8
    ds.NumberOfFrames = len(masks)
    ds.Rows, ds.Columns = masks[0].shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = 0
    if kind == "FRACTIONAL":
        ds.SegmentationFractionalType = "PROBABILITY"
        ds.MaximumFractionalValue = 200
    flat = np.concatenate([mask.ravel() for mask in masks]).astype(np.uint8)
    content = np.packbits(flat, bitorder="little").tobytes() if bits == 1 else flat.tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OB"


def _shared(orientation: Sequence[float], spacing: tuple[float, float]) -> Dataset:
    group, plane, measures = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = list(orientation)
    measures.PixelSpacing = list(spacing)
    measures.SliceThickness = 2.5
    group.PlaneOrientationSequence = Items([plane])
    group.PixelMeasuresSequence = Items([measures])
    return group


def _per_frame(frame: Frame) -> Dataset:
    group = Dataset()
    if frame.origin is not None:
        position = Dataset()
        position.ImagePositionPatient = [round(float(value), 6) for value in frame.origin]
        group.PlanePositionSequence = Items([position])
    if frame.segment is not None:
        identification = Dataset()
        identification.ReferencedSegmentNumber = frame.segment
        group.SegmentIdentificationSequence = Items([identification])
    if frame.sources:
        derivation = Dataset()
        derivation.SourceImageSequence = Items([reference(source) for source in frame.sources])
        group.DerivationImageSequence = Items([derivation])
    return group


def reference(sop_instance_uid: str, sop_class_uid: str = CT) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = sop_class_uid
    ds.ReferencedSOPInstanceUID = sop_instance_uid
    return ds


def referenced_segment(sop_instance_uid: str, number: int | None = 1) -> Dataset:
    """The item by which a measurement group of TID 1411 names its segment."""
    ds = reference(sop_instance_uid, SEG)
    if number is not None:
        ds.ReferencedSegmentNumber = number
    return item("IMAGE", REFERENCED_SEGMENT, ReferencedSOPSequence=Items([ds]))


# --- structure sets ---------------------------------------------------------------------------------------------


def on_slice(image: Dataset, points: Sequence[Point], off_mm: float = 0.0) -> list[tuple[float, ...]]:
    """Points of an image's pixels in the patient; off_mm: so far beside its plane."""
    along = np.array([float(v) for v in image.ImageOrientationPatient]).reshape(2, 3)
    origin = np.array([float(v) for v in image.ImagePositionPatient]) + off_mm * np.cross(along[0], along[1])
    row_mm, col_mm = (float(v) for v in image.PixelSpacing)
    return [tuple(origin + col * col_mm * along[0] + row * row_mm * along[1]) for col, row in points]


def contour(points_mm: Sequence[Sequence[float]], image: str | None = None, kind: str = "CLOSED_PLANAR") -> Dataset:
    """One contour; image: the SOP Instance UID that it names."""
    ds = Dataset()
    if image is not None:
        ds.ContourImageSequence = Items([reference(image)])
    ds.ContourGeometricType = kind
    ds.NumberOfContourPoints = len(points_mm)
    ds.ContourData = [f"{value:.5f}" for point in points_mm for value in point]
    return ds


@dataclass(frozen=True)
class Roi:
    contours: Sequence[Dataset]
    name: str = "GTV"
    interpreted: str = "GTV"
    generated: str = "MANUAL"


def rtstruct(*rois: Roi, sop_instance_uid: str | None = None, frame_of_reference: str = FRAME_OF_REFERENCE) -> Dataset:
    """A structure set with these regions, numbered from 1."""
    uid = sop_instance_uid or new_uid()
    ds = instance(RTSTRUCT, uid, "RTSTRUCT", f"{uid}.1", STUDY)
    ds.StructureSetLabel = "MARKS"
    ds.StructureSetDate, ds.StructureSetTime = "20260305", "120000"
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = Items(), Items(), Items()
    for number, roi in enumerate(rois, start=1):
        region, contours, observation = Dataset(), Dataset(), Dataset()
        region.ROINumber = number
        region.ReferencedFrameOfReferenceUID = frame_of_reference
        region.ROIName = roi.name
        region.ROIGenerationAlgorithm = roi.generated
        contours.ReferencedROINumber = number
        contours.ContourSequence = Items(roi.contours)
        observation.ObservationNumber = number
        observation.ReferencedROINumber = number
        observation.RTROIInterpretedType = roi.interpreted
        observation.ROIInterpreter = "Reader^Four"
        ds.StructureSetROISequence.append(region)
        ds.ROIContourSequence.append(contours)
        ds.RTROIObservationsSequence.append(observation)
    return ds
