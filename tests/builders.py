"""Tiny DICOM objects made in code: CT slices, reports, presentation states.

Points are those of the project, (column, row) with (0, 0) in the centre of the first pixel; the builders write what
DICOM wants. Nothing is square, isotropic or axial unless a test asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"

STUDY = "1.2.826.0.1.3680043.10.1"
SERIES = STUDY + ".1"
FRAME_OF_REFERENCE = STUDY + ".9"
ROWS, COLUMNS = 48, 64
SPACING = (0.8, 0.5)
"""Pixel Spacing: between rows, between columns."""
OBLIQUE = (0.96, 0.0, -0.28, 0.084, 0.9539392, 0.288)
"""Image Orientation of a plane tilted about two axes."""

Point = tuple[float, float]
Line = tuple[Point, Point]
CodeTriple = tuple[str, str, str]

LONG_AXIS: CodeTriple = ("103339001", "SCT", "Long axis")
SHORT_AXIS: CodeTriple = ("103340004", "SCT", "Short axis")
LENGTH: CodeTriple = ("410668003", "SCT", "Length")
AREA: CodeTriple = ("42798000", "SCT", "Area")
FINDING: CodeTriple = ("121071", "DCM", "Finding")
SITE: CodeTriple = ("363698007", "SCT", "Finding Site")
TRACKING_ID: CodeTriple = ("112039", "DCM", "Tracking Identifier")
TRACKING_UID: CodeTriple = ("112040", "DCM", "Tracking Unique Identifier")
COMMENT: CodeTriple = ("121106", "DCM", "Comment")
PERSON: CodeTriple = ("121008", "DCM", "Person Observer Name")
DEVICE: CodeTriple = ("121013", "DCM", "Device Observer Name")
ALGORITHM: CodeTriple = ("111001", "DCM", "Algorithm Name")
GROUP: CodeTriple = ("125007", "DCM", "Measurement Group")
MEASUREMENTS: CodeTriple = ("126010", "DCM", "Imaging Measurements")
REPORT: CodeTriple = ("126000", "DCM", "Imaging Measurement Report")
NODULE: CodeTriple = ("27925004", "SCT", "Nodule")
LUNG: CodeTriple = ("39607008", "SCT", "Lung")

_numbers = count(1)


def new_uid() -> str:
    """A UID that no other object of this run has."""
    return f"{STUDY}.7.{next(_numbers)}"


def instance(sop_class_uid: str, sop_instance_uid: str, modality: str, series_uid: str, study_uid: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = sop_class_uid
    ds.file_meta.MediaStorageSOPInstanceUID = sop_instance_uid
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = sop_instance_uid
    ds.StudyInstanceUID = study_uid
    ds.SeriesInstanceUID = series_uid
    ds.Modality = modality
    ds.PatientID = "P1"
    ds.PatientName = "Nobody^Known"
    ds.StudyDate = "20260301"
    ds.StudyTime = "101500"
    ds.AccessionNumber = "A1"
    return ds


# --- images -----------------------------------------------------------------------------------------------------


def ct_instance(
    sop_instance_uid: str = STUDY + ".1.1",
    *,
    origin: tuple[float, float, float] = (-20.0, 15.0, 100.0),
    orientation: Sequence[float] = OBLIQUE,
    spacing: tuple[float, float] | None = SPACING,
    rows: int = ROWS,
    columns: int = COLUMNS,
    number: int = 1,
    series_uid: str = SERIES,
    study_uid: str = STUDY,
    hu: np.ndarray | None = None,
) -> Dataset:
    """One CT slice; `hu` (rows, columns) or a ramp over the columns that begins with water."""
    ds = instance(CT, sop_instance_uid, "CT", series_uid, study_uid)
    ds.FrameOfReferenceUID = FRAME_OF_REFERENCE
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber = number
    ds.Manufacturer = "Scanner Maker"
    ds.SeriesDescription = "Thorax 1.0"
    ds.BodyPartExamined = "CHEST"
    ds.Rows, ds.Columns = rows, columns
    ds.ImagePositionPatient = [round(value, 6) for value in origin]
    ds.ImageOrientationPatient = list(orientation)
    if spacing is not None:
        ds.PixelSpacing = list(spacing)
    ds.SliceThickness = 2.5
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    pixels = (np.tile(np.arange(columns), (rows, 1)) if hu is None else np.asarray(hu)) + 1024
    ds.PixelData = pixels.astype("<i2").tobytes()
    return ds


def ct_series(slices: int = 3, step_mm: float = 2.5, series_uid: str = SERIES, study_uid: str = STUDY) -> list[Dataset]:
    """Slices of one series, that far apart along their normal; instance n has UID `series_uid.n`, from 1."""
    row, column = np.array(OBLIQUE[:3]), np.array(OBLIQUE[3:])
    normal = np.cross(row, column)
    start = np.array((-20.0, 15.0, 100.0))
    return [
        ct_instance(
            f"{series_uid}.{n}",
            origin=tuple(float(v) for v in start + (n - 1) * step_mm * normal),
            number=n,
            series_uid=series_uid,
            study_uid=study_uid,
        )
        for n in range(1, slices + 1)
    ]


# --- content items ----------------------------------------------------------------------------------------------


def coded(triple: CodeTriple) -> Items:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = triple
    return Items([ds])


def item(
    value_type: str, concept: CodeTriple | None, *children: Dataset, relationship: str = "CONTAINS", **values: object
) -> Dataset:
    """One content item; `values` are set by keyword."""
    ds = Dataset()
    ds.ValueType = value_type
    ds.RelationshipType = relationship
    if concept is not None:
        ds.ConceptNameCodeSequence = coded(concept)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    if children:
        ds.ContentSequence = Items(children)
    return ds


def container(concept: CodeTriple | None, *children: Dataset) -> Dataset:
    return item("CONTAINER", concept, *children, ContinuityOfContent="SEPARATE")


def text(concept: CodeTriple, value: str, *children: Dataset, relationship: str = "HAS OBS CONTEXT") -> Dataset:
    return item("TEXT", concept, *children, relationship=relationship, TextValue=value)


def uidref(concept: CodeTriple, value: str) -> Dataset:
    return item("UIDREF", concept, relationship="HAS OBS CONTEXT", UID=value)


def code(concept: CodeTriple, value: CodeTriple, relationship: str = "CONTAINS") -> Dataset:
    return item("CODE", concept, relationship=relationship, ConceptCodeSequence=coded(value))


def person(name: str) -> Dataset:
    return item("PNAME", PERSON, relationship="HAS OBS CONTEXT", PersonName=name)


def num(concept: CodeTriple, value: float | str | None, unit: str, *children: Dataset) -> Dataset:
    ds = item("NUM", concept, *children)
    ds.MeasuredValueSequence = Items([])
    if value is not None:
        measured = Dataset()
        measured.NumericValue = value if isinstance(value, str) else f"{value:.6g}"
        measured.MeasurementUnitsCodeSequence = coded((unit, "UCUM", unit))
        ds.MeasuredValueSequence = Items([measured])
    return ds


def image(
    sop_instance_uid: str, frames: Sequence[int] = (), sop_class_uid: str = CT, relationship: str = "SELECTED FROM"
) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = sop_class_uid
    reference.ReferencedSOPInstanceUID = sop_instance_uid
    if frames:
        reference.ReferencedFrameNumber = list(frames)
    return item("IMAGE", None, relationship=relationship, ReferencedSOPSequence=Items([reference]))


def scoord(
    graphic_type: str, points: Sequence[Point], *children: Dataset, relationship: str = "INFERRED FROM"
) -> Dataset:
    data = [value for col, row in points for value in (col + 0.5, row + 0.5)]
    return item("SCOORD", None, *children, relationship=relationship, GraphicType=graphic_type, GraphicData=data)


def scoord3d(
    graphic_type: str, points: Sequence[Sequence[float]], *children: Dataset, frame_of_reference: str
) -> Dataset:
    return item(
        "SCOORD3D",
        None,
        *children,
        relationship="INFERRED FROM",
        GraphicType=graphic_type,
        GraphicData=[value for point in points for value in point],
        ReferencedFrameOfReferenceUID=frame_of_reference,
    )


def measured_line(
    concept: CodeTriple, line: Line, image_uid: str, value: float | None = None, unit: str = "mm"
) -> Dataset:
    """NUM > INFERRED FROM > SCOORD > SELECTED FROM > IMAGE: how TID 1500 documents hold a diameter."""
    return num(concept, value, unit, scoord("POLYLINE", line, image(image_uid)))


# --- documents --------------------------------------------------------------------------------------------------


def sr(
    *children: Dataset,
    sop_instance_uid: str | None = None,
    root: CodeTriple | None = REPORT,
    sop_class_uid: str = COMPREHENSIVE_SR,
    at: str = "20260302093000",
    predecessors: Sequence[str] = (),
    study_uid: str = STUDY,
) -> Dataset:
    """A document whose root holds these items."""
    uid = sop_instance_uid or new_uid()
    ds = instance(sop_class_uid, uid, "SR", f"{uid}.1", study_uid)
    ds.InstanceNumber = 1
    ds.Manufacturer = "Viewer Maker"
    ds.ManufacturerModelName = "Viewer"
    ds.ContentDate, ds.ContentTime = at[:8], at[8:]
    ds.ValueType = "CONTAINER"
    ds.ContinuityOfContent = "SEPARATE"
    if root is not None:
        ds.ConceptNameCodeSequence = coded(root)
    ds.ContentSequence = Items(children)
    if predecessors:
        ds.PredecessorDocumentsSequence = Items([_evidence(study_uid, predecessors)])
    return ds


def _evidence(study_uid: str, sop_instance_uids: Sequence[str]) -> Dataset:
    study, series = Dataset(), Dataset()
    series.ReferencedSOPSequence = Items([])
    for uid in sop_instance_uids:
        reference = Dataset()
        reference.ReferencedSOPClassUID = COMPREHENSIVE_SR
        reference.ReferencedSOPInstanceUID = uid
        series.ReferencedSOPSequence.append(reference)
    series.SeriesInstanceUID = f"{study_uid}.5"
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = Items([series])
    return study


def group(*children: Dataset, tracking_uid: str | None = None, tracking_id: str = "Lesion 1") -> Dataset:
    """A measurement group of TID 1501, with its tracking identifiers in front."""
    tracked = [] if tracking_uid is None else [text(TRACKING_ID, tracking_id), uidref(TRACKING_UID, tracking_uid)]
    return container(GROUP, *tracked, *children)


def bidirectional(
    image_uid: str,
    long: Line,
    short: Line,
    *extra: Dataset,
    stated: tuple[float | None, float | None] = (None, None),
    unit: str = "mm",
    tracking_uid: str | None = None,
    codes: tuple[CodeTriple, CodeTriple] = (LONG_AXIS, SHORT_AXIS),
) -> Dataset:
    """One lesion with both diameters, as TID 1500 writers and OHIF put it."""
    return group(
        *extra,
        measured_line(codes[0], long, image_uid, stated[0], unit),
        measured_line(codes[1], short, image_uid, stated[1], unit),
        tracking_uid=tracking_uid,
        tracking_id="Cornerstone3DTools@^0.1.0:Bidirectional",
    )


def rectangle(image_uid: str, corners: tuple[float, float, float, float], tracking_uid: str | None = None) -> Dataset:
    """A box around a lesion as OHIF writes it: the area with a closed polyline of 5 points. corners: x1, y1, x2, y2."""
    x1, y1, x2, y2 = corners
    ring = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
    area = num(AREA, (x2 - x1) * (y2 - y1), "mm2", scoord("POLYLINE", ring, image(image_uid)))
    return group(area, tracking_uid=tracking_uid, tracking_id="Cornerstone3DTools@^0.1.0:RectangleROI")


def tid1500(*groups: Dataset, reader: str | None = "Reader^One", **document: object) -> Dataset:
    """A Measurement Report: observer, then the groups below Imaging Measurements."""
    observers = [] if reader is None else [person(reader)]
    return sr(*observers, container(MEASUREMENTS, *groups), **document)  # type: ignore[arg-type]


# --- presentation states ----------------------------------------------------------------------------------------


def graphic(kind: str, points: Sequence[Point], units: str = "PIXEL") -> Dataset:
    """A graphic object; points as everywhere here for PIXEL, as fractions for DISPLAY."""
    shift = 0.5 if units == "PIXEL" else 0.0
    ds = Dataset()
    ds.GraphicAnnotationUnits = units
    ds.GraphicDimensions = 2
    ds.NumberOfGraphicPoints = len(points)
    ds.GraphicData = [value + shift for point in points for value in point]
    ds.GraphicType = kind
    ds.GraphicFilled = "N"
    return ds


def text_object(value: str, anchor: Point | None = None) -> Dataset:
    ds = Dataset()
    ds.UnformattedTextValue = value
    if anchor is not None:
        ds.AnchorPointAnnotationUnits = "PIXEL"
        ds.AnchorPoint = [anchor[0] + 0.5, anchor[1] + 0.5]
        ds.AnchorPointVisibility = "N"
    return ds


def annotation(
    graphics: Sequence[Dataset], texts: Sequence[Dataset] = (), images: Sequence[str] = (), layer: str = "MEASURE"
) -> Dataset:
    ds = Dataset()
    ds.GraphicLayer = layer
    if images:
        ds.ReferencedImageSequence = _image_references(images)
    if graphics:
        ds.GraphicObjectSequence = Items(graphics)
    if texts:
        ds.TextObjectSequence = Items(texts)
    return ds


def _image_references(uids: Sequence[str]) -> Items:
    references = []
    for uid in uids:
        reference = Dataset()
        reference.ReferencedSOPClassUID = CT
        reference.ReferencedSOPInstanceUID = uid
        references.append(reference)
    return Items(references)


def gsps(
    *annotations: Dataset,
    images: Sequence[str],
    displayed: tuple[int, int, int, int] = (1, 1, COLUMNS, ROWS),
    study_uid: str = STUDY,
) -> Dataset:
    """A grayscale presentation state on these images. displayed: first column and row, last column and row, from 1."""
    uid = new_uid()
    ds = instance(GSPS, uid, "PR", f"{uid}.1", study_uid)
    ds.InstanceNumber = 1
    ds.ContentLabel = "MARKS"
    ds.ContentCreatorName = "Reader^Two"
    ds.PresentationCreationDate, ds.PresentationCreationTime = "20260303", "080000"
    series = Dataset()
    series.SeriesInstanceUID = SERIES
    series.ReferencedImageSequence = _image_references(images)
    ds.ReferencedSeriesSequence = Items([series])
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = list(displayed[:2])
    area.DisplayedAreaBottomRightHandCorner = list(displayed[2:])
    area.PresentationSizeMode = "SCALE TO FIT"
    ds.DisplayedAreaSelectionSequence = Items([area])
    ds.GraphicAnnotationSequence = Items(annotations)
    return ds
