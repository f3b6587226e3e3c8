"""The label map: the same voxels in one number a pixel, and small."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset
from read_back import harvested, reread, validated
from report_sources import SHAPES, TRACKING, Whole, context, ct_headers, enhanced_ct, in_frame, lesion, lesions

from db.detection import Detection, Mask
from dicom_node.report.seg import label_map, segmentation
from dicom_node.report.subject import describe
from mining.readers.seg import read_seg


def built(detections: list[Detection], whole: Whole) -> Dataset:
    ds = label_map(describe(detections, whole.context), whole.identity)
    assert ds is not None
    return reread(ds)


def labels_of(ds: Dataset, slices: int = 9) -> np.ndarray:
    """(S, H, W) numbers, as highdicom reads them."""
    content = BytesIO()
    ds.save_as(content, enforce_file_format=True)
    read = hd.seg.segread(BytesIO(content.getvalue()))
    uids = [str(header.SOPInstanceUID) for header in ct_headers(slices=slices)]
    return np.asarray(
        read.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True, combine_segments=True)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_every_voxel_comes_back(shape: str) -> None:
    found = [lesion(1), lesion(3, z=5, row=40, col=40)]
    labels = labels_of(built(found, context(ct_headers(shape))))
    expected = np.zeros((9, *SHAPES[shape][:2]), int)
    for number, detection in enumerate(found, start=1):
        mask = detection.mask
        assert mask is not None
        slices, height, width = mask.voxels.shape
        part = expected[mask.z : mask.z + slices, mask.row : mask.row + height, mask.col : mask.col + width]
        part[mask.voxels] = number
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("build", [segmentation, label_map])
@pytest.mark.parametrize("frames", [False, True])
def test_our_reader_measures_the_segments_on_the_slices_of_the_detections(build: object, frames: bool) -> None:
    images = enhanced_ct("oblique") if frames else ct_headers("oblique")
    found = [in_frame(each) if frames else each for each in (lesion(1), lesion(3, z=5, row=40, col=40))]
    whole = context(images)
    ds = build(describe(found, whole.context), whole.identity)  # type: ignore[operator]
    rows, _ = harvested(read_seg, ds, images)
    assert [(row.image, row.tracking_uid) for row in rows] == [
        (found[0].image, TRACKING[0]), (found[1].image, TRACKING[2])
    ]  # fmt: skip
    assert all(row.by_algorithm for row in rows)


def test_a_lesion_in_another_one_stays_whole() -> None:
    small = replace(lesion(2), mask=Mask(3, 15, 24, np.ones((1, 2, 3), bool)))
    ds = built([lesion(1), small], context())
    assert [segment.SegmentLabel for segment in ds.SegmentSequence] == ["Lesion 1: liver cyst", "Lesion 2: liver cyst"]
    labels = labels_of(ds)
    assert (labels == 2).sum() == 6
    mask = lesion(1).mask
    assert mask is not None and (labels == 1).sum() == mask.voxels.sum() - 6


def test_a_lesion_that_others_cover_wholly_has_no_empty_segment() -> None:
    left, right = np.zeros((1, 4, 8), bool), np.zeros((1, 4, 8), bool)
    left[..., :5], right[..., 3:] = True, True
    covers = [replace(lesion(n), mask=Mask(3, 15, 24, voxels)) for n, voxels in ((1, left), (3, right))]
    covered = replace(lesion(2), mask=Mask(3, 15, 24, np.ones((1, 4, 8), bool)))
    ds = built([covers[0], covered, covers[1]], context())
    assert [(segment.SegmentNumber, segment.SegmentLabel) for segment in ds.SegmentSequence] == [
        (1, "Lesion 1: liver cyst"), (2, "Lesion 3: liver cyst")
    ]  # fmt: skip
    assert set(np.unique(labels_of(ds))) == {0, 1, 2}


def test_it_has_a_frame_for_each_touched_slice_and_is_packed() -> None:
    ds = built([lesion(1), lesion(2, z=4, row=30)], context())
    assert (int(ds.NumberOfFrames), ds.SegmentationType, ds.BitsAllocated) == (4, "LABELMAP", 8)
    assert ds.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert len(ds.PixelData) < ds.Rows * ds.Columns


def test_no_voxel_gives_no_object() -> None:
    whole = context()
    assert label_map(describe([lesion(mask=False)], whole.context), whole.identity) is None


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_dciodvfy_finds_no_error(shape: str, tmp_path: Path) -> None:
    validated(built(lesions(), context(ct_headers(shape))), tmp_path)
