"""Planes from headers: single frames, Enhanced frames, own groups before shared ones, and what is missing."""

import numpy as np
import pytest
from ct_series import COL_MM, ORIENTATION, ROW_MM, ct_slice, enhanced_ct, position
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from db.errors import GeometryError
from db.geometry import PixelSpacing, PointMm, PointPx
from mining.planes import frame_count, frame_planes, functional_group


def test_a_single_frame_has_one_plane_with_rows_and_columns_apart() -> None:
    (plane,) = frame_planes(ct_slice(3))
    assert plane.origin == PointMm(*position(3))
    assert plane.spacing == PixelSpacing(row_mm=ROW_MM, col_mm=COL_MM)
    assert plane.along_row == pytest.approx(ORIENTATION[:3], abs=1e-6)
    assert plane.along_column == pytest.approx(ORIENTATION[3:], abs=1e-6)


def test_a_step_down_follows_the_column_direction_by_the_row_spacing() -> None:
    (plane,) = frame_planes(ct_slice(0))
    a, b = plane.to_mm(PointPx(0, 0)), plane.to_mm(PointPx(0, 10))
    step = np.array([b.x - a.x, b.y - a.y, b.z - a.z])
    assert step == pytest.approx(np.array(ORIENTATION[3:]) * 10 * ROW_MM, abs=1e-5)


def test_the_frames_of_an_enhanced_image_lie_where_their_own_groups_say() -> None:
    planes = frame_planes(enhanced_ct((2, 0, 1)))
    assert [plane.origin for plane in planes] == [PointMm(*position(number)) for number in (2, 0, 1)]
    assert {plane.spacing for plane in planes} == {PixelSpacing(ROW_MM, COL_MM)}


def test_a_frames_own_group_goes_before_the_shared_one() -> None:
    ds = enhanced_ct((0, 1))
    own = Dataset()
    own.PixelSpacing = [2.0, 1.0]
    ds.PerFrameFunctionalGroupsSequence[1].PixelMeasuresSequence = Sequence([own])
    assert [plane.spacing.row_mm for plane in frame_planes(ds)] == [ROW_MM, 2.0]


def test_a_macro_that_stands_nowhere_is_none() -> None:
    assert functional_group(enhanced_ct(), 0, "FrameAnatomySequence") is None
    assert functional_group(ct_slice(0), 0, "PlanePositionSequence") is None


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", None),
        ("ImagePositionPatient", [1.0, 2.0]),
        ("ImageOrientationPatient", None),
        ("PixelSpacing", None),
        ("PixelSpacing", [0.0, 0.6]),
        ("ImageOrientationPatient", [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
    ],
)
def test_a_frame_without_a_usable_plane_is_refused(keyword: str, value: list[float] | None) -> None:
    ds = ct_slice(0)
    if value is None:
        delattr(ds, keyword)
    else:
        setattr(ds, keyword, value)
    with pytest.raises(GeometryError):
        frame_planes(ds)


def test_many_frames_without_functional_groups_have_no_planes() -> None:
    ds = ct_slice(0)
    ds.NumberOfFrames = 4
    assert frame_count(ds) == 4
    with pytest.raises(GeometryError, match="functional groups"):
        frame_planes(ds)


@pytest.mark.parametrize("stated", [None, "", 0, 1])
def test_an_image_that_states_no_number_of_frames_has_one(stated: object) -> None:
    ds = Dataset()
    if stated is not None:
        ds.NumberOfFrames = stated
    assert frame_count(ds) == 1
