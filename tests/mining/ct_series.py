"""Tiny CT series in code: 44 rows × 36 columns, unequal spacing, an oblique plane, values that name their pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

ROWS, COLUMNS, SLICES = 44, 36, 5
ROW_MM, COL_MM, INTERVAL_MM = 0.9, 0.6, 2.5
TILT = np.deg2rad(20.0)
ORIENTATION = (1.0, 0.0, 0.0, 0.0, float(np.cos(TILT)), float(np.sin(TILT)))
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])
SERIES_UID = "1.2.826.0.1.3680043.10.511.3.1"


def expected_hu(number: int) -> npt.NDArray[np.int16]:
    """HU of slice `number`: -1000 + 100 a slice + 40 a row + 1 a column."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    return (-1000 + 100 * number + 40 * rows + columns).astype(np.int16)


def position(number: float) -> list[float]:
    return [round(float(value), 6) for value in np.array([-20.0, 5.0, 100.0]) + number * INTERVAL_MM * NORMAL]


def uid_of(number: int) -> str:
    return f"{SERIES_UID}.{number + 1}"


def ct_slice(number: int, place: float | None = None) -> Dataset:
    """Slice `number` of the series; `place` moves it along the normal, in intervals."""
    ds = _image(uid_of(number), CTImageStorage)
    ds.ImagePositionPatient = position(number if place is None else place)
    ds.ImageOrientationPatient = list(ORIENTATION)
    ds.PixelSpacing = [ROW_MM, COL_MM]
    ds.RescaleSlope, ds.RescaleIntercept = "0.5", "-1024"
    ds.PixelData = _stored(expected_hu(number)).tobytes()
    return ds


def enhanced_ct(order: tuple[int, ...] = (2, 0, 1)) -> Dataset:
    """One Enhanced CT whose frames lie in this order of places; the orientation is shared, the position is not."""
    ds = _image(f"{SERIES_UID}.900", EnhancedCTImageStorage)
    ds.NumberOfFrames = len(order)
    orientation, measures, rescale = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(ORIENTATION)
    measures.PixelSpacing = [ROW_MM, COL_MM]
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = "0.5", "-1024", "HU"
    shared = Dataset()
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PixelValueTransformationSequence = Sequence([rescale])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_at(number) for number in order])
    ds.PixelData = np.stack([_stored(expected_hu(number)) for number in order]).tobytes()
    return ds


def write(folder: Path, *datasets: Dataset) -> list[Path]:
    paths = []
    for ds in datasets:
        path = folder / f"{ds.SOPInstanceUID}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def series(folder: Path) -> list[Path]:
    """The five slices, not in their order."""
    return write(folder, *(ct_slice(number) for number in (3, 0, 4, 1, 2)))


def _at(number: int) -> Dataset:
    place, group = Dataset(), Dataset()
    place.ImagePositionPatient = position(number)
    group.PlanePositionSequence = Sequence([place])
    return group


def _stored(hu: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    return ((hu.astype(np.int32) + 1024) * 2).astype(np.uint16)


def _image(sop_instance_uid: str, sop_class_uid: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = sop_class_uid, sop_instance_uid, SERIES_UID
    ds.Modality = "CT"
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    return ds
