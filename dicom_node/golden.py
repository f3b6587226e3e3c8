"""Fixed detections on a fixed phantom, and everything that is built from them: what the rules are held against. Pure.

Five cases: a usual axial series; an oblique one with pixels that are not square; the frames of one image; nothing
found; a failure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from db.detection import Detection, Mask
from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.measurement import ImageReference
from db.uids import uid_from
from dicom_node.report.context import Context, Identity, ModelDescription
from dicom_node.report.encode import encode
from dicom_node.report.profiles import PROFILES, Profile
from dicom_node.report.subject import Subject, describe, describe_failure
from dicom_node.viewer_rules.rule import Expected, expected_of

SEED, SLICES, INTERVAL_MM = 7, 12, 2.5
MADE_AT = datetime(2026, 11, 2, 7, 30, tzinfo=UTC)
MODEL = ModelDescription("Lesion node detector", "0123456789ab", "Lesion node (open source)", "golden", "2.25.4711")
ENHANCED = uid_from("golden frames")
IN_FRAMES, IN_ALL_FRAMES = ("ImagePositionPatient",), ("PixelSpacing", "SliceThickness", "ImageOrientationPatient")
_TILT = radians(20)


@dataclass(frozen=True, slots=True)
class Shape:
    """The images of one case: (rows, columns), the spacing, and how they lie."""

    rows: int
    columns: int
    spacing: PixelSpacing
    orientation: tuple[float, ...]


SQUARE = Shape(96, 80, PixelSpacing(0.75, 0.75), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
OBLIQUE = Shape(80, 96, PixelSpacing(0.9, 0.6), (cos(_TILT), sin(_TILT), 0.0, 0.0, 0.0, -1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One object, with the case that it is of and what it must show."""

    case: str
    profile: Profile
    dataset: Dataset
    expected: Expected


def cases() -> dict[str, Subject]:
    """What is encoded, by the name of the case."""
    return {
        "axial": subject_of(SQUARE),
        "oblique": subject_of(OBLIQUE),
        "frames": describe(in_frames(detections(SQUARE)), context_of(SQUARE, frames=True)),
        "none found": describe([], context_of(SQUARE)),
        "failed": describe_failure("the slices are not evenly spaced", context_of(SQUARE)),
    }


def golden(case: str, subject: Subject, names: Collection[str] = tuple(PROFILES)) -> list[Golden]:
    """The objects of a case in these encodings; an encoding without anything to say of it is left out."""
    made = encode(subject, names, lambda profile: _identity(case, profile))
    datasets = [dataset for _, dataset in made]
    return [
        Golden(case, profile, dataset, expected_of(subject, [each for each in datasets if each is not dataset]))
        for profile, dataset in made
    ]


def _identity(case: str, profile: Profile) -> Identity:
    return Identity(
        uid_from("golden series", case, profile.name),
        uid_from("golden result", case, profile.name),
        profile.series_number,
    )


def subject_of(shape: Shape) -> Subject:
    return describe(detections(shape), context_of(shape))


def context_of(shape: Shape, frames: bool = False) -> Context:
    """frames: the slices are those of one Enhanced CT."""
    images, volume = ct_images(shape), volume_hu(shape)
    place = {ImageReference(str(image.SOPInstanceUID)): index for index, image in enumerate(images)}
    if frames:
        place = {ImageReference(ENHANCED, SLICES - index): index for index in range(SLICES)}
        images = (enhanced_ct(images),)
    return Context(images, MODEL, MADE_AT, pixels=lambda image: volume[place[image]])


def enhanced_ct(slices: Sequence[Dataset]) -> Dataset:
    """One image with these slices as its frames, the last one first."""
    image = deepcopy(slices[0])
    for keyword in (*IN_FRAMES, *IN_ALL_FRAMES):
        del image[keyword]
    image.SOPClassUID, image.SOPInstanceUID, image.NumberOfFrames = EnhancedCTImageStorage, ENHANCED, len(slices)
    measures, orientation = (
        _only(slices[0], "PixelSpacing", "SliceThickness"),
        _only(slices[0], "ImageOrientationPatient"),
    )
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    image.SharedFunctionalGroupsSequence, image.PerFrameFunctionalGroupsSequence = [shared], []
    for header in reversed(slices):
        frame = Dataset()
        frame.PlanePositionSequence = [_only(header, *IN_FRAMES)]
        image.PerFrameFunctionalGroupsSequence.append(frame)
    return image


def _only(header: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        item[keyword] = header[keyword]
    return item


def in_frames(found: Sequence[Detection]) -> list[Detection]:
    """The same lesions on the frames of `enhanced_ct`, which count the other way."""
    return [replace(each, image=ImageReference(ENHANCED, SLICES - (each.z_first + 1))) for each in found]


def ct_images(shape: Shape) -> tuple[Dataset, ...]:
    """Headers of one series, in slice order."""
    normal = np.cross(shape.orientation[:3], shape.orientation[3:])
    study, images = uid_from("golden study", shape), []
    for index in range(SLICES):
        image = Dataset()
        image.SpecificCharacterSet = "ISO_IR 100"
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, uid_from("golden image", shape, index)
        image.StudyInstanceUID, image.SeriesInstanceUID = study, uid_from("golden images", shape)
        image.FrameOfReferenceUID, image.PositionReferenceIndicator = uid_from("golden frame", shape), ""
        image.Modality = "CT"
        image.PatientName, image.PatientID = "Prüfung^Ägnes", "GOLDEN"
        image.PatientBirthDate, image.PatientSex = "19500228", "F"
        image.StudyDate, image.StudyTime, image.StudyID = "20261102", "071500", "1"
        image.AccessionNumber, image.ReferringPhysicianName = "A1", ""
        image.StudyDescription = "CT of a phantom"
        image.Rows, image.Columns = shape.rows, shape.columns
        image.PixelSpacing = [shape.spacing.row_mm, shape.spacing.col_mm]
        image.ImageOrientationPatient = [round(value, 8) for value in shape.orientation]
        position = np.array([-31.5, 13.25, 40.0]) + index * INTERVAL_MM * normal
        image.ImagePositionPatient = [round(float(value), 6) for value in position]
        image.SliceThickness = INTERVAL_MM
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -1024, 1, "HU"
        image.WindowCenter, image.WindowWidth = 40, 400
        image.InstanceNumber = index + 1
        images.append(image)
    return tuple(images)


def volume_hu(shape: Shape) -> npt.NDArray[np.float32]:
    """(S, H, W): a soft body in air, the lesions a little brighter, with noise."""
    rng = np.random.default_rng(SEED)
    rows, cols = np.mgrid[0 : shape.rows, 0 : shape.columns]
    inside = ((rows / shape.rows - 0.5) ** 2 + (cols / shape.columns - 0.5) ** 2) < 0.22
    volume = np.where(inside, 40.0, -1000.0)[None] + rng.normal(0.0, 12.0, (SLICES, shape.rows, shape.columns))
    for each in detections(shape):
        assert each.mask is not None  # noqa: S101
        mask = each.mask
        depth, height, width = mask.voxels.shape
        volume[mask.z : mask.z + depth, mask.row : mask.row + height, mask.col : mask.col + width] += 60.0 * mask.voxels
    return np.asarray(volume, np.float32)


def detections(shape: Shape) -> Sequence[Detection]:
    """Three lesions, none in the middle, one at the edge of the image."""
    return [
        _detection(1, shape, 4, 30, 18, "liver cyst"),
        _detection(2, shape, 7, 44, 50, "lymph nodes of the mediastinum"),
        _detection(3, shape, 6, 0, 36, ""),
    ]


def _detection(number: int, shape: Shape, z: int, row: int, col: int, category: str) -> Detection:
    """An ellipsoid of 3 slices, 9 rows and 15 columns at its most; its key slice is the middle one."""
    depth, height, width = np.mgrid[-1:2, -4:5, -7:8]
    voxels = (depth / 1.6) ** 2 + (height / 4.4) ** 2 + (width / 7.4) ** 2 <= 1.0
    long_axis = Axis(PointPx(col + 0.25, row + 3.5), PointPx(col + 13.75, row + 5.0))
    short_axis = Axis(PointPx(col + 7.5, row + 0.25), PointPx(col + 6.5, row + 7.75))
    return Detection(
        detection_id=f"00000000-0000-4000-8000-{number:012d}",
        image=ImageReference(str(uid_from("golden image", shape, z))),
        box=BoxPx(col - 0.5, row - 0.5, col + 14.5, row + 8.5),
        z_first=z - 1,
        z_last=z + 1,
        long_axis=long_axis,
        short_axis=short_axis,
        long_axis_mm=long_axis.length_mm(shape.spacing),
        short_axis_mm=short_axis.length_mm(shape.spacing),
        score=0.9 - number / 10,
        category=category,
        tracking_uid=uid_from("golden lesion", number),
        mask=Mask(z - 1, row, col, voxels),
    )
