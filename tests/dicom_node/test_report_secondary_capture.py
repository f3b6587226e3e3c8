"""The picture: the marks stand on the right pixels, the legend is complete, and no patient is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from read_back import reread, validated
from report_sources import SERIES, SHAPES, Whole, context, ct_headers, enhanced_ct, in_frame, lesion, lesions

from db.detection import Detection
from db.errors import ContentError
from db.geometry import BoxPx, PixelSpacing
from db.measurement import ImageReference
from dicom_node.report import picture, secondary_capture
from dicom_node.report.picture import BOX_COLOUR, SIDE_PX, Mark, Tile, scale_of, tile_picture, windowed, wrapped
from dicom_node.report.subject import describe, describe_failure

BRIGHT_HU = 250.0


def built(detections: list[Detection], whole: Whole) -> Dataset:
    return reread(secondary_capture.secondary_capture(describe(detections, whole.context), whole.identity))


def tile_of(detection: Detection, shape: str, grey: np.ndarray | None) -> Tile:
    rows, columns, row_mm, col_mm, _ = SHAPES[shape]
    corners = detection.box.corners
    mark = Mark("7", (*corners, corners[0]), detection.long_axis.points, detection.short_axis.points)
    return Tile("image 4", rows, columns, PixelSpacing(row_mm, col_mm), (mark,), grey, "no pixels")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_box_lies_on_the_pixels_that_it_holds(shape: str) -> None:
    rows, columns = SHAPES[shape][:2]
    detection = lesion()
    box = BoxPx(20.0, 11.0, 36.0, 23.0)
    grey = np.zeros((rows, columns), np.uint8)
    grey[11:24, 20:37] = 255
    tile = tile_of(detection, shape, grey)
    across, down = scale_of(tile)
    assert max(columns * across, rows * down) == pytest.approx(SIDE_PX)
    pixels = np.asarray(tile_picture(Tile("", rows, columns, tile.spacing, (), grey)))
    seen_rows, seen_columns = np.nonzero(pixels[..., 0] > 127)
    assert seen_columns.min() == pytest.approx((box.x1) * across, abs=1.0)
    assert seen_columns.max() == pytest.approx((box.x2 + 1) * across - 1, abs=1.0)
    drawn = Mark("7", (*box.corners, box.corners[0]), detection.long_axis.points, detection.short_axis.points)
    marked = np.asarray(tile_picture(Tile("", rows, columns, tile.spacing, (drawn,), None)))
    ring_rows, ring_columns = np.nonzero((marked == BOX_COLOUR).all(axis=-1))
    on_left = ring_columns[ring_rows == round(17 * down)]
    assert on_left.min() == pytest.approx((box.x1 + 0.5) * across - 0.5, abs=1.0), "through the first pixel's middle"
    assert ring_rows.max() == pytest.approx((box.y2 + 0.5) * down - 0.5, abs=1.0)
    assert seen_rows.max() > ring_rows.max(), "half a pixel of the lesion lies outside"


def test_lung_is_shown_as_lung_and_all_else_as_soft_tissue() -> None:
    hu = np.full((40, 50), -850.0, np.float32)
    hu[:20] = 40.0
    assert windowed(hu, [BoxPx(20, 33, 25, 36)])[39, 0] > 50, "lung is grey, not black"
    assert windowed(hu, [BoxPx(20, 3, 25, 6)])[39, 0] == 0


def page_text(monkeypatch: pytest.MonkeyPatch, detections: list[Detection], whole: Whole) -> list[str]:
    """All that is written on the page."""
    written: list[str] = []
    draw = picture.ImageDraw.ImageDraw.text

    def text(self: object, at: object, said: str, **how: object) -> None:
        written.append(said)
        draw(self, at, said, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(picture.ImageDraw.ImageDraw, "text", text)
    built(detections, whole)
    return written


def test_the_page_tells_all_but_who_the_patient_is(monkeypatch: pytest.MonkeyPatch) -> None:
    written = page_text(monkeypatch, lesions(), context(pixels=lambda image: np.zeros((60, 72), np.float32)))
    for line in (
        "AI, research only - not a medical device",
        "Lesion node 0123456789ab, version 0.1.0, 2026-11-24 09:08",
        "image 4: lesion 1",
        "1: liver cyst, 8.3 x 6.9 mm, score 0.93, image 4",
        "2: lung nodule, 8.3 x 6.9 mm, score 0.93, image 7",
        "3: lesion, 8.3 x 6.9 mm, score 0.93, image 6",
    ):
        assert line in written
    assert not any(name in " ".join(written) for name in ("Müller", "P-17", "1950", "Hélène"))


def test_a_slice_that_cannot_be_decoded_is_drawn_without_pixels_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def pixels(image: ImageReference) -> np.ndarray:
        if image.sop_instance_uid == f"{SERIES}.6":
            raise ContentError("the pixels cannot be decoded")
        return np.full((60, 72), BRIGHT_HU, np.float32)

    written = page_text(monkeypatch, lesions(), context(pixels=pixels))
    assert written.count(secondary_capture.NO_PIXELS) == 1
    assert "3: lesion, 8.3 x 6.9 mm, score 0.93, image 6" in written


def test_without_a_way_to_pixels_the_places_are_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert page_text(monkeypatch, lesions(), context()).count(secondary_capture.NO_PIXELS) == 3


def test_only_key_slices_are_decoded() -> None:
    asked: list[ImageReference] = []

    def pixels(image: ImageReference) -> np.ndarray:
        asked.append(image)
        return np.zeros((60, 72), np.float32)

    built([*lesions(), lesion(2, z=3, row=30)], context(pixels=pixels))
    assert [image.sop_instance_uid for image in asked] == [f"{SERIES}.4", f"{SERIES}.6", f"{SERIES}.7"]
    found = [in_frame(lesion())]
    built(found, context(enhanced_ct(), pixels=pixels))
    assert asked[-1] == found[0].image


@pytest.mark.parametrize("failed", [False, True])
def test_nothing_found_and_a_failure_give_a_page_with_the_statement(failed: bool) -> None:
    whole = context()
    subject = describe_failure("no plane", whole.context) if failed else describe([], whole.context)
    ds = secondary_capture.secondary_capture(subject, whole.identity)
    assert ds.pixel_array.any()
    assert "SourceImageSequence" not in ds


def test_it_is_a_derived_picture_that_names_its_sources_and_nobody() -> None:
    headers = ct_headers()
    headers[0].LossyImageCompression, headers[0].LossyImageCompressionRatio = "01", "8.5"
    ds = built(lesions(), context(headers))
    assert list(ds.ImageType) == ["DERIVED", "SECONDARY"]
    assert (ds.BurnedInAnnotation, ds.LossyImageCompression, float(ds.LossyImageCompressionRatio)) == ("NO", "01", 8.5)
    assert "PixelSpacing" not in ds and "FrameOfReferenceUID" not in ds
    named = [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence]
    assert named == [f"{SERIES}.4", f"{SERIES}.6", f"{SERIES}.7"]


def test_a_name_that_is_burnt_into_a_source_is_told() -> None:
    headers = ct_headers()
    headers[3].BurnedInAnnotation = "YES"
    assert built(lesions(), context(headers)).BurnedInAnnotation == "YES"


def test_long_lines_are_broken_between_words() -> None:
    pieces = wrapped("1: " + "suspicious " * 20, 400)
    assert len(pieces) > 3
    assert " ".join(" ".join(pieces).split()) == "1: " + " ".join(["suspicious"] * 20)


def test_letters_that_the_font_has_not_are_written_as_those_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    written = page_text(monkeypatch, [lesion(category="größere Zyste é 肝")], context())
    assert "1: grossere Zyste e ?, 8.3 x 6.9 mm, score 0.93, image 4" in written


@pytest.mark.slow
@pytest.mark.parametrize("found", [lesions(), []], ids=["lesions", "none"])
def test_dciodvfy_finds_no_error(found: list[Detection], tmp_path: Path) -> None:
    validated(built(found, context()), tmp_path)
