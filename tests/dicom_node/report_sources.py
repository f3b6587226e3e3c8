"""Small CT headers and detections for the tests of the report: square, anisotropic or oblique, never centred."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from math import cos, radians, sin

import numpy as np
from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from db.detection import Detection, Mask, Prior
from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.measurement import ImageReference
from dicom_node.report import seg
from dicom_node.report.context import Context, Identity, ModelDescription
from dicom_node.report.profiles import PROFILES
from dicom_node.report.subject import Subject, describe, describe_failure

STUDY = "1.2.826.0.1.3680043.10.1"
SERIES = f"{STUDY}.2"
TRACKING = ("2.25.101", "2.25.102", "2.25.103")
NOW = datetime(2026, 11, 24, 9, 8, 7, tzinfo=UTC)
MODEL = ModelDescription("Lesion node", "0123456789ab", "Lesion node project", "0.1.0", "2.25.4711")

_TILT = radians(20)
SHAPES = {
    # name: rows, columns, row_mm, col_mm, image orientation
    "square": (64, 64, 0.8, 0.8, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
    "anisotropic": (60, 72, 0.9, 0.6, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
    "oblique": (60, 72, 0.9, 0.6, (cos(_TILT), sin(_TILT), 0.0, 0.0, 0.0, -1.0)),
}
INTERVAL_MM = 2.5


def ct_headers(shape: str = "anisotropic", slices: int = 9) -> tuple[Dataset, ...]:
    """Headers of one CT series, sorted along the normal, without pixels."""
    rows, columns, row_mm, col_mm, orientation = SHAPES[shape]
    normal = np.cross(orientation[:3], orientation[3:])
    headers = []
    for index in range(slices):
        header = Dataset()
        header.SpecificCharacterSet = "ISO_IR 100"
        header.SOPClassUID = CTImageStorage
        header.SOPInstanceUID = f"{SERIES}.{index + 1}"
        header.StudyInstanceUID, header.SeriesInstanceUID = STUDY, SERIES
        header.FrameOfReferenceUID = f"{STUDY}.9"
        header.PositionReferenceIndicator = ""
        header.Modality = "CT"
        header.PatientName, header.PatientID = "Müller^Jörg", "P-17"
        header.PatientBirthDate, header.PatientSex = "19500228", "M"
        header.IssuerOfPatientID = "Ward"
        header.StudyDate, header.StudyTime, header.StudyID = "20261120", "101112", "S1"
        header.AccessionNumber, header.StudyDescription = "A-4", "CT Thorax"
        header.ReferringPhysicianName = "Dubois^Hélène"
        header.PatientAge = "076Y"
        header.Rows, header.Columns = rows, columns
        header.PixelSpacing = [row_mm, col_mm]
        header.ImageOrientationPatient = [round(value, 8) for value in orientation]
        position = np.array([-21.5, 13.25, 40.0]) + index * INTERVAL_MM * normal
        header.ImagePositionPatient = [round(float(value), 6) for value in position]
        header.SliceThickness = 3.0
        header.InstanceNumber = index + 1
        headers.append(header)
    return tuple(headers)


ENHANCED = f"{SERIES}.77"


def enhanced_ct(shape: str = "anisotropic", slices: int = 9) -> tuple[Dataset]:
    """The same slices as the frames of one image, the lowest last; its thickness and orientation are shared."""
    slices_up = ct_headers(shape, slices)
    image = deepcopy(slices_up[0])
    for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SliceThickness"):
        del image[keyword]
    image.SOPClassUID, image.SOPInstanceUID = EnhancedCTImageStorage, ENHANCED
    image.NumberOfFrames = slices
    shared = Dataset()
    shared.PixelMeasuresSequence = [_only(slices_up[0], "PixelSpacing", "SliceThickness")]
    shared.PlaneOrientationSequence = [_only(slices_up[0], "ImageOrientationPatient")]
    image.SharedFunctionalGroupsSequence = [shared]
    image.PerFrameFunctionalGroupsSequence = [_frame(header) for header in reversed(slices_up)]
    return (image,)


def in_frame(detection: Detection, slices: int = 9) -> Detection:
    """The same lesion on the enhanced image."""
    z = int(detection.image.sop_instance_uid.rpartition(".")[2]) - 1
    return replace(detection, image=ImageReference(ENHANCED, slices - z))


def _frame(header: Dataset) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = [_only(header, "ImagePositionPatient")]
    return groups


def _only(header: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        item[keyword] = header[keyword]
    return item


def lesion(
    number: int = 1, *, z: int = 3, row: int = 12, col: int = 20, category: str = "liver cyst", mask: bool = True
) -> Detection:
    """A detection of 10 rows and 16 columns on slice `z`, through three slices; the axes lie on the key slice."""
    spacing = PixelSpacing(*[float(value) for value in ct_headers()[0].PixelSpacing])
    long_axis = Axis(PointPx(col + 1.25, row + 4.0), PointPx(col + 14.5, row + 6.75))
    short_axis = Axis(PointPx(col + 8.5, row + 1.0), PointPx(col + 6.25, row + 8.5))
    voxels = np.zeros((3, 10, 16), bool)
    voxels[0, 4:6, 6:9] = True
    voxels[1, 2:8, 1:15] = True
    voxels[2, 3:7, 4:12] = True
    return Detection(
        detection_id=f"00000000-0000-4000-8000-{number:012d}",
        image=ImageReference(f"{SERIES}.{z + 1}"),
        box=BoxPx(col - 0.75, row - 1.5, col + 15.25, row + 9.5),
        z_first=z - 1,
        z_last=z + 1,
        long_axis=long_axis,
        short_axis=short_axis,
        long_axis_mm=long_axis.length_mm(spacing),
        short_axis_mm=short_axis.length_mm(spacing),
        score=0.9312,
        category=category,
        tracking_uid=TRACKING[number - 1],
        mask=Mask(z - 1, row, col, voxels) if mask else None,
    )


def with_prior(detection: Detection, long_axis_mm: float) -> Detection:
    return replace(detection, prior=Prior("00000000-0000-4000-8000-000000000099", date(2026, 3, 1), long_axis_mm))


def lesions() -> list[Detection]:
    """Three that share no voxel; the second has no mask."""
    return [
        lesion(1),
        lesion(2, z=6, row=30, col=5, category="lung nodule", mask=False),
        lesion(3, z=5, row=40, col=40, category=""),
    ]


@dataclass(frozen=True)
class Whole:
    """What a result is built from beside the detections."""

    context: Context
    identity: Identity


def context(images: tuple[Dataset, ...] | None = None, **changes: object) -> Whole:
    identity: dict[str, object] = {
        "series_instance_uid": "2.25.500",
        "sop_instance_uid": "2.25.501",
        "series_number": 901,
    }
    shared: dict[str, object] = {"images": images or ct_headers(), "model": MODEL, "created_at": NOW}
    for key, value in changes.items():
        (shared if key in Context.__dataclass_fields__ else identity)[key] = value
    return Whole(Context(**shared), Identity(**identity))  # type: ignore[arg-type]


def measurement_report(detections: Sequence[Detection], whole: Whole, profile: str = "ohif") -> Dataset:
    return built(profile, describe(detections, whole.context), whole)


def failure_report(reason: str, whole: Whole, profile: str = "ohif") -> Dataset:
    return built(profile, describe_failure(reason, whole.context), whole)


def built(profile: str, subject: Subject, whole: Whole) -> Dataset:
    dataset = PROFILES[profile].build(subject, whole.identity)
    assert dataset is not None
    return dataset


def segmentation(detections: Sequence[Detection], whole: Whole) -> Dataset | None:
    return seg.segmentation(describe(detections, whole.context), whole.identity)
