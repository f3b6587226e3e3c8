from pathlib import Path

import numpy as np
import pytest
from ct_series import (
    COL_MM,
    INTERVAL_MM,
    ROW_MM,
    SERIES_UID,
    SLICES,
    ct_slice,
    enhanced_ct,
    expected_hu,
    series,
    uid_of,
    write,
)
from pydicom.dataset import Dataset

from db.errors import ContentError, GeometryError
from db.geometry import PointPx
from db.measurement import ImageReference
from mining.volume import load_image, load_slices, load_volume, neighbours, read_headers, sort_slices


def test_slices_come_in_the_order_of_their_place_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    volume = load_volume(series(tmp_path))
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, np.stack([expected_hu(number) for number in range(SLICES)]))
    assert [image.sop_instance_uid for image in volume.images] == [uid_of(number) for number in range(SLICES)]
    assert volume.series_instance_uid == SERIES_UID


def test_planes_and_interval_are_measured_along_the_oblique_normal(tmp_path: Path) -> None:
    volume = load_volume(series(tmp_path))
    assert volume.slice_interval_mm == pytest.approx(INTERVAL_MM, abs=1e-5)
    assert (volume.spacing.row_mm, volume.spacing.col_mm) == (ROW_MM, COL_MM)
    foot, distance_mm = volume.planes[0].to_px(volume.planes[3].to_mm(PointPx(col=4.0, row=7.0)))
    assert distance_mm == pytest.approx(3 * INTERVAL_MM, abs=1e-4)
    assert (foot.col, foot.row) == pytest.approx((4.0, 7.0), abs=1e-4)


def test_frames_of_an_enhanced_ct_are_sorted_and_keep_their_frame_numbers(tmp_path: Path) -> None:
    volume = load_volume(write(tmp_path, enhanced_ct(order=(2, 0, 1))))
    assert np.array_equal(volume.voxels, np.stack([expected_hu(number) for number in range(3)]))
    assert [image.frame_number for image in volume.images] == [2, 3, 1]
    assert volume.index_of(ImageReference(f"{SERIES_UID}.900", 1)) == 2


def test_progress_ends_at_the_number_of_slices(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    load_volume(series(tmp_path), lambda step, done, total: seen.append((step, done, total)))
    assert seen[-1] == ("load", SLICES, SLICES)


def test_a_missing_slice_is_named_by_the_one_behind_the_gap(tmp_path: Path) -> None:
    paths = write(tmp_path, *(ct_slice(number) for number in (0, 1, 2, 4)))
    with pytest.raises(GeometryError) as caught:
        load_volume(paths)
    assert caught.value.facts["sop_instance_uid"] == uid_of(4)
    assert caught.value.facts["distance_mm"] == pytest.approx(2 * INTERVAL_MM, abs=1e-3)


@pytest.mark.parametrize(("moved_mm", "is_regular"), [(0.015, True), (0.024, True), (0.05, False)])
def test_a_slice_may_be_off_by_one_percent_of_the_interval(tmp_path: Path, moved_mm: float, is_regular: bool) -> None:
    slices = [ct_slice(number) for number in range(4)] + [ct_slice(4, place=4 + moved_mm / INTERVAL_MM)]
    paths = write(tmp_path, *slices)
    if is_regular:
        assert load_volume(paths).slice_interval_mm == pytest.approx(INTERVAL_MM, abs=1e-5)
    else:
        with pytest.raises(GeometryError, match="not regular"):
            load_volume(paths)


def test_two_slices_at_one_place_are_named(tmp_path: Path) -> None:
    paths = write(tmp_path, *(ct_slice(number) for number in range(4)), ct_slice(7, place=2))
    with pytest.raises(GeometryError, match="one position") as caught:
        load_volume(paths)
    named = {caught.value.facts["sop_instance_uid"], caught.value.facts["other_sop_instance_uid"]}
    assert named == {uid_of(2), uid_of(7)}


def test_one_slice_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="two slices"):
        load_volume(write(tmp_path, ct_slice(0)))


def test_no_files_are_no_volume() -> None:
    with pytest.raises(ContentError, match="without images"):
        load_volume([])


def other_series(ds: Dataset) -> None:
    ds.SeriesInstanceUID = "1.2.3"


def other_size(ds: Dataset) -> None:
    ds.Rows, ds.PixelData = ds.Rows - 2, ds.PixelData[: -2 * 2 * ds.Columns]


def other_orientation(ds: Dataset) -> None:
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def turned_round(ds: Dataset) -> None:
    ds.ImageOrientationPatient = [-float(value) for value in ds.ImageOrientationPatient]


def other_spacing(ds: Dataset) -> None:
    ds.PixelSpacing = [0.6, 0.9]


def no_position(ds: Dataset) -> None:
    del ds.ImagePositionPatient


def no_rescale(ds: Dataset) -> None:
    del ds.RescaleIntercept


@pytest.mark.parametrize(
    ("spoil", "reason", "kind"),
    [
        (other_series, "several series", ContentError),
        (other_size, "several sizes", ContentError),
        (other_orientation, "several orientations", GeometryError),
        (turned_round, "several orientations", GeometryError),
        (other_spacing, "several pixel spacings", GeometryError),
        (no_position, "ImagePositionPatient is missing", GeometryError),
        (no_rescale, "no Hounsfield units", ContentError),
    ],
)
def test_a_series_that_is_no_stack_is_refused_with_the_instance(tmp_path, spoil, reason, kind) -> None:  # type: ignore[no-untyped-def]
    slices = [ct_slice(number) for number in range(SLICES)]
    spoil(slices[3])
    with pytest.raises(kind, match=reason) as caught:
        load_volume(write(tmp_path, *slices))
    assert caught.value.facts["sop_instance_uid"] == uid_of(3)


def test_a_file_that_is_not_dicom_is_a_content_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no preamble here" * 20)
    with pytest.raises(ContentError, match="not a DICOM"):
        load_volume([path])


def test_an_object_without_pixels_is_no_slice(tmp_path: Path) -> None:
    ds = ct_slice(0)
    del ds.Rows
    with pytest.raises(ContentError, match="no slice"):
        read_headers(write(tmp_path, ds))


def test_neighbours_are_fewer_at_the_end_of_the_series(tmp_path: Path) -> None:
    headers = sort_slices(read_headers(series(tmp_path)))
    middle = neighbours(headers, ImageReference(uid_of(2)), reach=1)
    assert np.array_equal(load_slices(middle), np.stack([expected_hu(number) for number in (1, 2, 3)]))
    assert [header.image.sop_instance_uid for header in neighbours(headers, ImageReference(uid_of(4)), 1)] == [
        uid_of(3),
        uid_of(4),
    ]
    with pytest.raises(ContentError, match="not in the series"):
        neighbours(headers, ImageReference("1.2.3"), 1)


def test_no_slices_keep_three_dimensions() -> None:
    assert load_slices([]).shape == (0, 0, 0)


def test_an_image_alone_needs_no_plane(tmp_path: Path) -> None:
    ds = ct_slice(1)
    del ds.ImagePositionPatient
    assert np.array_equal(load_image(write(tmp_path, ds)[0]), expected_hu(1))


def test_a_frame_that_is_not_there_is_a_content_error(tmp_path: Path) -> None:
    path = write(tmp_path, enhanced_ct())[0]
    assert np.array_equal(load_image(path, frame_number=1), expected_hu(2))
    with pytest.raises(ContentError, match="no such frame"):
        load_image(path, frame_number=4)
