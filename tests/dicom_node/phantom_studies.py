"""Small phantom studies for the tests, each made once."""

from functools import cache

from pydicom.dataset import Dataset

from db.geometry import PixelSpacing, Plane, PointMm
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study

SMALL = PhantomSettings(rows=112, slices=(12, 16), lesions=(3, 5), unread_share=0.0, odd_geometry_share=1.0)
"""Every study has unequal spacing, a non-square matrix or an oblique plane."""


@cache
def small_study(index: int, seed: int = 5) -> PhantomStudy:
    return make_study(seed, index, SMALL)


def plane_of(image: Dataset) -> Plane:
    """As a receiver reads it from the data set."""
    orientation = [float(v) for v in image.ImageOrientationPatient]
    return Plane(
        PointMm(*(float(v) for v in image.ImagePositionPatient)),
        (orientation[0], orientation[1], orientation[2]),
        (orientation[3], orientation[4], orientation[5]),
        PixelSpacing(*(float(v) for v in image.PixelSpacing)),
    )
