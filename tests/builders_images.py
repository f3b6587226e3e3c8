"""Images of other kinds than a CT slice, made in code, and places on them in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builders import COLUMNS, OBLIQUE, ROWS, SPACING, STUDY, Point, ct_instance
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
MR = "1.2.840.10008.5.1.4.1.1.4"
PET = "1.2.840.10008.5.1.4.1.1.128"
US = "1.2.840.10008.5.1.4.1.1.6.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
MG = "1.2.840.10008.5.1.4.1.1.1.2"

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
ONE = STUDY + ".1.1"
"""The image of a study with a single one."""


def image_of(
    sop_class_uid: str,
    modality: str,
    *,
    uid: str = ONE,
    spacing: tuple[float, float] | None = SPACING,
    orientation: Sequence[float] | None = OBLIQUE,
) -> Dataset:
    """An image of any class. spacing: between rows, between columns; orientation None: it has no plane."""
    ds = ct_instance(uid, spacing=spacing, orientation=orientation or OBLIQUE)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class_uid
    ds.Modality = modality
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    if orientation is None:
        del ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.FrameOfReferenceUID
    return ds


def enhanced_ct(frames: int = 4, step_mm: float = 3.0) -> Dataset:
    """One coronal Enhanced CT whose frames each have a plane of their own, that far apart towards the back."""
    ds = image_of(ENHANCED_CT, "CT")
    del ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing
    ds.NumberOfFrames = frames
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(CORONAL)
    measures.PixelSpacing = list(SPACING)
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([orientation]), Items([measures])
    ds.SharedFunctionalGroupsSequence = Items([shared])
    ds.PerFrameFunctionalGroupsSequence = Items([])
    for frame in range(frames):
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [-20.0, 15.0 + frame * step_mm, 100.0]
        group.PlanePositionSequence = Items([position])
        ds.PerFrameFunctionalGroupsSequence.append(group)
    ds.PixelData = np.zeros((frames, ROWS, COLUMNS), dtype="<i2").tobytes()
    return ds


def in_mm(ds: Dataset, points: Sequence[Point]) -> list[list[float]]:
    """Where points of a single-frame image lie in the patient (PS3.3 C.7.6.2.1.1)."""
    cosines = np.array(ds.ImageOrientationPatient, dtype=float)
    row_mm, col_mm = (float(value) for value in ds.PixelSpacing)
    origin = np.array(ds.ImagePositionPatient, dtype=float)
    return [(origin + col * col_mm * cosines[:3] + row * row_mm * cosines[3:]).tolist() for col, row in points]
