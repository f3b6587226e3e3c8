"""The presentation state: read back by our own reader, and by dcmtk, on planes of all kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset
from read_back import harvested, is_known_as_ours, reread, validated
from report_sources import (
    MODEL,
    SERIES,
    SHAPES,
    TRACKING,
    Whole,
    context,
    ct_headers,
    enhanced_ct,
    in_frame,
    lesion,
    lesions,
)

from db.detection import Detection
from dicom_node.report.gsps import layer_description, layer_name, presentation_state
from dicom_node.report.subject import describe
from mining.copies import OwnDetection
from mining.readers.gsps import read_gsps

APART_PX = 0.05


def built(detections: list[Detection], whole: Whole) -> Dataset:
    ds = presentation_state(describe(detections, whole.context), whole.identity)
    assert ds is not None
    return reread(ds)


def own(detection: Detection) -> OwnDetection:
    return OwnDetection(detection.image, detection.box, detection.long_axis, detection.short_axis)


@pytest.mark.parametrize("shape", SHAPES)
def test_axes_come_back_on_their_slice_and_are_known_as_ours(shape: str) -> None:
    images, found = ct_headers(shape), lesions()
    rows, places = harvested(read_gsps, built(found, context(images)), images)
    assert places == []
    by_uid = {row.tracking_uid: row for row in rows}
    assert set(by_uid) == set(TRACKING)
    for detection in found:
        row = by_uid[detection.tracking_uid]
        assert row.image == detection.image
        assert row.long_axis.a.distance_px(detection.long_axis.a) < APART_PX
        assert row.short_axis is not None and row.short_axis.b.distance_px(detection.short_axis.b) < APART_PX
        assert is_known_as_ours(row, own(detection))


def test_the_box_is_a_closed_ring_half_a_pixel_from_the_indices() -> None:
    detection = lesion(1)
    graphics = built([detection], context()).GraphicAnnotationSequence[0].GraphicObjectSequence
    ring = graphics[0]
    assert (ring.GraphicType, ring.NumberOfGraphicPoints, ring.GraphicAnnotationUnits) == ("POLYLINE", 5, "PIXEL")
    left, top = detection.box.x1 + 0.5, detection.box.y1 + 0.5
    right, bottom = detection.box.x2 + 0.5, detection.box.y2 + 0.5
    assert list(ring.GraphicData) == [left, top, right, top, right, bottom, left, bottom, left, top]
    assert [graphic.NumberOfGraphicPoints for graphic in graphics] == [5, 2, 2]


def test_lesions_of_one_slice_share_its_annotation_and_their_texts_lie_on_the_image_and_apart() -> None:
    ds = built([lesion(1), lesion(2, z=3, row=14, col=24), lesion(3, z=3, row=40, col=50)], context())
    (annotation,) = ds.GraphicAnnotationSequence
    assert annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID == f"{SERIES}.4"
    texts = annotation.TextObjectSequence
    assert [text.UnformattedTextValue.splitlines()[0] for text in texts] == [
        f"AI {number}: liver cyst 0.93" for number in (1, 2, 3)
    ]
    assert texts[0].UnformattedTextValue.splitlines()[1] == "8.3 x 6.9 mm"
    for text in texts:
        (x1, y1), (x2, y2) = text.BoundingBoxTopLeftHandCorner, text.BoundingBoxBottomRightHandCorner
        assert 0 <= x1 < x2 <= ct_headers()[0].Columns and 0 <= y1 < y2 <= ct_headers()[0].Rows
    assert [group.GraphicGroupLabel for group in ds.GraphicGroupSequence] == ["Lesion 1", "Lesion 2", "Lesion 3"]


def test_its_one_layer_says_who_drew_and_obeys_the_lengths() -> None:
    (layer,) = built([lesion()], context()).GraphicLayerSequence
    assert layer.GraphicLayer == "AI 0123456789AB"
    assert layer.GraphicLayerDescription == f"AI - {MODEL.name} {MODEL.model_id} (research only)"
    long = layer_description(replace(MODEL, name="n" * 64, model_id="v" * 64))
    assert len(long) == 64 and long.startswith("AI - n") and long.endswith("v (research only)")
    assert layer_name(replace(MODEL, model_id="modèle-very-long-id")) == "AI MOD_LE_VERY_L"


def test_one_area_is_displayed_the_whole_image_with_its_pixels_as_they_are() -> None:
    ds = built(lesions(), context())
    (area,) = ds.DisplayedAreaSelectionSequence
    assert (list(area.DisplayedAreaTopLeftHandCorner), list(area.DisplayedAreaBottomRightHandCorner)) == (
        [1, 1], [72, 60]
    )  # fmt: skip
    assert list(area.PresentationPixelSpacing) == [0.9, 0.6]
    named = [item.ReferencedSOPInstanceUID for item in ds.ReferencedSeriesSequence[0].ReferencedImageSequence]
    assert named == [f"{SERIES}.4", f"{SERIES}.6", f"{SERIES}.7"]


def shown(images: tuple[Dataset, ...], intercepts: tuple[float, ...] = (-1024.0,)) -> tuple[Dataset, ...]:
    """Images with a rescale and two windows."""
    for number, image in enumerate(images):
        image.RescaleSlope, image.RescaleIntercept = 2, intercepts[number % len(intercepts)]
        image.WindowCenter, image.WindowWidth = [40, -600], [400, 1500]
    return images


def test_the_images_keep_their_rescale_and_their_first_window() -> None:
    ds = built(lesions(), context(shown(ct_headers())))
    assert (ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType) == (2, -1024, "HU")
    assert {(float(item.WindowCenter), float(item.WindowWidth)) for item in ds.SoftcopyVOILUTSequence} == {(40, 400)}
    covered = [item.ReferencedImageSequence[0].ReferencedSOPInstanceUID for item in ds.SoftcopyVOILUTSequence]
    assert covered == [f"{SERIES}.4", f"{SERIES}.6", f"{SERIES}.7"]
    assert ds.PresentationLUTShape == "IDENTITY"


def test_slices_of_several_rescales_get_their_windows_in_stored_values() -> None:
    ds = built(lesions(), context(shown(ct_headers(), (-1000.0, 0.0))))
    assert "RescaleSlope" not in ds
    windows = [(float(item.WindowCenter), float(item.WindowWidth)) for item in ds.SoftcopyVOILUTSequence]
    assert windows == [(20.0, 200.0), (20.0, 200.0), (520.0, 200.0)], "on slices 3, 5 and 6, counted from 0"


def test_frames_have_rescale_and_window_in_their_functional_groups() -> None:
    (image,) = enhanced_ct()
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.PixelValueTransformationSequence = [Dataset()]
    shared.PixelValueTransformationSequence[0].RescaleSlope = 1
    shared.PixelValueTransformationSequence[0].RescaleIntercept = -1024
    for number, frame in enumerate(image.PerFrameFunctionalGroupsSequence, start=1):
        frame.FrameVOILUTSequence = [Dataset()]
        frame.FrameVOILUTSequence[0].WindowCenter, frame.FrameVOILUTSequence[0].WindowWidth = number, 300
    ds = built([in_frame(each) for each in lesions()], context((image,)))
    assert ds.RescaleIntercept == -1024
    windows = {
        int(item.ReferencedImageSequence[0].ReferencedFrameNumber): float(item.WindowCenter)
        for item in ds.SoftcopyVOILUTSequence
    }
    assert windows == {6: 6.0, 4: 4.0, 3: 3.0}


def test_images_without_a_window_get_none() -> None:
    assert "SoftcopyVOILUTSequence" not in built(lesions(), context())


def test_an_image_whose_high_values_are_dark_stays_so() -> None:
    images = ct_headers()
    for image in images:
        image.PhotometricInterpretation = "MONOCHROME1"
    assert built(lesions(), context(images)).PresentationLUTShape == "INVERSE"


def test_nothing_to_draw_gives_no_object() -> None:
    whole = context()
    assert presentation_state(describe([], whole.context), whole.identity) is None


def test_frames_of_one_image_are_named_by_number() -> None:
    images, found = enhanced_ct("oblique"), [in_frame(each) for each in lesions()]
    ds = built(found, context(images))
    (named,) = ds.ReferencedSeriesSequence[0].ReferencedImageSequence
    assert list(named.ReferencedFrameNumber) == [6, 4, 3], "the frames run down"
    rows, _ = harvested(read_gsps, ds, images)
    assert {row.image for row in rows} == {detection.image for detection in found}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_dciodvfy_and_dcmpschk_find_no_error(shape: str, tmp_path: Path) -> None:
    validated(built(lesions(), context(shown(ct_headers(shape)))), tmp_path, "dcmpschk")
