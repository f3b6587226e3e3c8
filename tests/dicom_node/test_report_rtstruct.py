"""The structure set: its contours lie where the mask lies, in the patient, on planes of all kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from read_back import harvested, is_known_as_ours, reread, validated
from report_sources import (
    ENHANCED,
    MODEL,
    SERIES,
    SHAPES,
    Whole,
    context,
    ct_headers,
    enhanced_ct,
    in_frame,
    lesion,
    lesions,
    segmentation,
)

from db.detection import Detection, Mask
from db.errors import ContentError
from db.geometry import BoxPx, PointMm
from db.measurement import ImageReference
from dicom_node.report.rtstruct import structure_set
from dicom_node.report.source import plane_of
from dicom_node.report.subject import describe
from mining.copies import OwnDetection
from mining.readers.rtstruct import read_rtstruct

APART_PX = 0.05


def built(detections: list[Detection], whole: Whole) -> Dataset:
    ds = structure_set(describe(detections, whole.context), whole.identity)
    assert ds is not None
    return reread(ds)


@pytest.mark.parametrize("shape", SHAPES)
def test_regions_come_back_where_the_masks_are_and_say_who_drew_them(shape: str) -> None:
    images, found = ct_headers(shape), lesions()
    rows, _ = harvested(read_rtstruct, built(found, context(images)), images)
    assert [row.tracking_id for row in rows] == ["Lesion 1: liver cyst", "Lesion 2: lung nodule", "Lesion 3"]
    for detection, row in zip(found, rows, strict=True):
        assert row.image == detection.image and row.outline is not None
        assert row.by_algorithm == MODEL.name, "so the harvest takes it for no person's"
        mask = detection.mask
        expected = detection.box
        if mask is not None:  # columns 1 to 14 and rows 2 to 7 of the crop have voxels
            expected = BoxPx(mask.col + 0.5, mask.row + 1.5, mask.col + 14.5, mask.row + 7.5)
        for corner, other in zip(row.outline.corners, expected.corners, strict=True):
            assert corner.distance_px(other) < APART_PX
        if mask is None:
            own = OwnDetection(detection.image, detection.box, detection.long_axis, detection.short_axis)
            assert is_known_as_ours(row, own)


@pytest.mark.parametrize("shape", SHAPES)
def test_points_lie_half_a_pixel_around_voxels_on_the_plane_of_their_image(shape: str) -> None:
    images = {str(image.SOPInstanceUID): image for image in ct_headers(shape)}
    voxels = np.zeros((1, 3, 4), bool)
    voxels[0, 1, 2] = True
    detection = replace(lesion(), mask=Mask(3, 10, 20, voxels))
    (contour,) = built([detection], context(tuple(images.values()))).ROIContourSequence[0].ContourSequence
    (reference,) = contour.ContourImageSequence
    assert reference.ReferencedSOPInstanceUID == f"{SERIES}.4"
    plane = plane_of(images[reference.ReferencedSOPInstanceUID])
    feet = [plane.to_px(PointMm(*point)) for point in np.array(contour.ContourData, float).reshape(-1, 3).tolist()]
    assert all(abs(off_mm) < 1e-4 for _, off_mm in feet)
    points = {(round(foot.col, 3), round(foot.row, 3)) for foot, _ in feet}
    assert points == {(22.5, 11.0), (21.5, 11.0), (22.0, 11.5), (22.0, 10.5)}


def test_every_slice_of_a_mask_has_its_contour_and_a_lesion_without_mask_its_box() -> None:
    first, second, _ = built(lesions(), context()).ROIContourSequence
    named = [contour.ContourImageSequence[0].ReferencedSOPInstanceUID for contour in first.ContourSequence]
    assert named == [f"{SERIES}.3", f"{SERIES}.4", f"{SERIES}.5"]
    (box,) = second.ContourSequence
    assert (box.ContourGeometricType, box.NumberOfContourPoints) == ("CLOSED_PLANAR", 4)


def test_frames_of_one_image_are_named_by_number() -> None:
    images = enhanced_ct("oblique")
    ds = built([in_frame(lesion())], context(images))
    named = [each.ContourImageSequence[0] for each in ds.ROIContourSequence[0].ContourSequence]
    assert [(item.ReferencedSOPInstanceUID, item.ReferencedFrameNumber) for item in named] == [
        (ENHANCED, 7), (ENHANCED, 6), (ENHANCED, 5)
    ]  # fmt: skip
    (row,), _ = harvested(read_rtstruct, ds, images)
    assert row.image == ImageReference(ENHANCED, 6)


def test_a_region_says_what_it_is_and_that_nobody_made_it_a_target() -> None:
    ds = built(lesions(), context())
    assert ds.StructureSetLabel == "AI_RESEARCH_ONLY" and ds.ApprovalStatus == "UNAPPROVED"
    for region, observation in zip(ds.StructureSetROISequence, ds.RTROIObservationsSequence, strict=True):
        assert region.ROIGenerationAlgorithm == "AUTOMATIC"
        assert observation.RTROIInterpretedType == ""
        assert observation.ROIObservationLabel == f"AI lesion {region.ROINumber}"
    meanings = [each.RTROIIdentificationCodeSequence[0].CodeMeaning for each in ds.RTROIObservationsSequence]
    assert meanings == ["Cyst", "Nodule", "Lesion"]
    assert len({tuple(each.ROIDisplayColor) for each in ds.ROIContourSequence}) == 3


def test_a_category_with_a_backslash_is_one_name() -> None:
    whole = context()
    found = [lesion(category="cyst\\abscess of the liver or of what lies beside it, as it were, somewhere")]
    (region,) = built(found, whole).StructureSetROISequence
    assert region.ROIName == "Lesion 1: cyst/abscess of the liver or of what lies beside it, a"
    masks = segmentation(found, whole)
    assert masks is not None and reread(masks).SegmentSequence[0].SegmentLabel == region.ROIName


def test_a_mask_that_leaves_the_series_is_refused() -> None:
    mask = lesion().mask
    assert mask is not None
    with pytest.raises(ContentError, match="leaves the series"):
        built([replace(lesion(), mask=replace(mask, z=7))], context())


def test_nothing_found_gives_no_object() -> None:
    whole = context()
    assert structure_set(describe([], whole.context), whole.identity) is None


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_dciodvfy_finds_no_error(shape: str, tmp_path: Path) -> None:
    validated(built(lesions(), context(ct_headers(shape))), tmp_path)
