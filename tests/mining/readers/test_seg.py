"""Segmentations: masks of every kind and grid, on the image that they lie on; and what is no lesion."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import OBLIQUE, SERIES, SPACING, ct_instance, ct_series
from builders_regions import ANATOMY, LIVER, TISSUE, Frame, on_slice, plus, reference, seg, segment
from held_images import HeldImages
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRBigEndian, JPEG2000Lossless, RLELossless

from db.codes import Code
from db.geometry import BoxPx, PixelSpacing
from db.measurement import ImageReference, Measurement, Rejected
from mining.drawings import Unusable
from mining.readers.seg import Segmentation, read_seg
from mining.readers.seg_pixels import (
    DEFLATED_IMAGE_FRAME,
    MAX_PIXELS,
    MAX_RLE_BYTES,
    TOO_LARGE,
    SegmentPixels,
    pixels_of,
    undo_rle,
)
from mining.region_slices import Region

CT = ct_series()
MIDDLE = f"{SERIES}.2"
ORIGINS = [image.ImagePositionPatient for image in CT]
MM = PixelSpacing(*SPACING)
BIG, SMALL = plus(21, 9), plus(11, 5)
"""10.5 by 7.2 mm, and 5.5 by 4 mm."""


def read(ds: Dataset, images: Sequence[Dataset] = CT) -> tuple[list[Measurement], list[tuple[str, str]]]:
    found = list(read_seg(ds, HeldImages([*images, ds])))
    rejected = [(r.source_item, r.reason_code) for r in found if isinstance(r, Rejected)]
    return [m for m in found if isinstance(m, Measurement)], rejected


def axes(measurement: Measurement, spacing: PixelSpacing = MM) -> tuple[float, float]:
    assert measurement.short_axis is not None
    return measurement.long_axis.length_mm(spacing), measurement.short_axis.length_mm(spacing)


def test_a_segment_is_a_measurement_with_all_that_is_said_of_it() -> None:
    lesion = segment(
        3,
        TrackingID="Lesion 1",
        TrackingUID="1.9.1",
        SegmentDescription="upper lobe",
        AnatomicRegionSequence=Items([_code("39607008", "SCT", "Lung")]),
    )
    ds = seg([lesion], [Frame(BIG, ORIGINS[1], [MIDDLE], 3)])
    (found,), rejected = read(ds)
    assert not rejected
    assert axes(found) == pytest.approx((10.5, 7.2))
    assert (found.source.item, found.source.kind) == ("SegmentSequence[1]", "SEG")
    assert found.image == ImageReference(MIDDLE)
    assert found.derived
    assert found.finding == Code("108369006", "SCT", "Neoplasm")
    assert found.site == Code("39607008", "SCT", "Lung")
    assert (found.tracking_id, found.tracking_uid, found.comment) == ("Lesion 1", "1.9.1", "upper lobe")
    assert (found.reader, found.by_algorithm) == ("Reader^Three", "")
    assert found.measured_at is not None and found.measured_at.isoformat() == "2026-03-04T11:00:00+00:00"
    assert found.outline is not None
    corners = (found.outline.x1, found.outline.y1, found.outline.x2, found.outline.y2)
    assert corners == pytest.approx((21.5, 19.5, 42.5, 28.5), abs=1e-3)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def test_the_longest_slice_is_measured() -> None:
    ds = seg([segment()], [Frame(SMALL, ORIGINS[0]), Frame(BIG, ORIGINS[1]), Frame(plus(13, 7), ORIGINS[2])])
    (found,), _ = read(ds)
    assert (found.image, axes(found)) == (ImageReference(MIDDLE), pytest.approx((10.5, 7.2), abs=1e-4))


def test_millimetres_of_the_mask_decide_which_slice_is_the_longest() -> None:
    """11 rows of 0.8 mm are longer than 15 columns of 0.5 mm."""
    ds = seg([segment()], [Frame(plus(15, 5), ORIGINS[0]), Frame(plus(5, 11), ORIGINS[2])])
    (found,), _ = read(ds)
    assert found.image == ImageReference(f"{SERIES}.3")
    assert axes(found) == pytest.approx((8.8, 2.5), abs=1e-4)


@pytest.mark.parametrize("turn_deg", [0.0, 30.0, 90.0])
def test_a_grid_that_is_turned_in_the_plane_lies_on_the_image_through_the_patient(turn_deg: float) -> None:
    """The bars stay as long as they are; where they end is worked out by hand."""
    turn = np.radians(turn_deg)
    row, column = np.array(OBLIQUE[:3]), np.array(OBLIQUE[3:])
    orientation = [*(row * np.cos(turn) + column * np.sin(turn)), *(column * np.cos(turn) - row * np.sin(turn))]
    first = on_slice(CT[1], [(20.0, 14.0)])[0]
    mask = plus(31, 13, (20, 10), 24, 44)  # 31 columns of 0.3 mm, 13 rows of 0.4 mm
    ds = seg([segment()], [Frame(mask, first, [MIDDLE])], orientation=orientation, spacing=(0.4, 0.3))
    (found,), rejected = read(ds)
    assert not rejected
    assert axes(found) == pytest.approx((9.3, 5.2), abs=1e-3)
    x, y = (20 - 15.5) * 0.3, 10 * 0.4  # mm from the first pixel to the end of the long bar, along the mask's own axes
    end = (20 + (x * np.cos(turn) - y * np.sin(turn)) / 0.5, 14 + (x * np.sin(turn) + y * np.cos(turn)) / 0.8)
    near = min(abs(p.col - end[0]) + abs(p.row - end[1]) for p in found.long_axis.points)
    assert near < 1e-2


def test_of_several_source_images_the_one_in_the_same_plane_counts() -> None:
    ds = seg([segment()], [Frame(BIG, ORIGINS[2], [f"{SERIES}.{n}" for n in (1, 2, 3)])])
    assert read(ds)[0][0].image == ImageReference(f"{SERIES}.3")


def test_the_images_that_the_whole_object_refers_to_go_before_others_in_the_same_place() -> None:
    other = ct_series(series_uid=f"{SERIES}.8")
    ds = seg([segment()], [Frame(BIG, ORIGINS[1])], series=[f"{SERIES}.8.{n}" for n in (1, 2, 3)])
    assert read(ds, [*CT, *other])[0][0].image == ImageReference(f"{SERIES}.8.2")


def test_a_mask_without_a_plane_has_the_grid_of_its_one_image() -> None:
    ds = seg([segment()], [Frame(BIG, None, [MIDDLE])])
    (found,), _ = read(ds)
    assert found.outline == BoxPx(21.5, 19.5, 42.5, 28.5)


def test_an_image_without_a_plane_has_the_grid_of_its_mask() -> None:
    """A radiograph: no position, no frame of reference."""
    flat = ct_instance("1.5.1")
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"):
        delattr(flat, keyword)
    ds = seg([segment()], [Frame(BIG, ORIGINS[1], ["1.5.1"])])
    (found,), _ = read(ds, [flat])
    assert (found.image, axes(found)) == (ImageReference("1.5.1"), pytest.approx((10.5, 7.2)))


@pytest.mark.parametrize(
    ("frame", "images", "reason"),
    [
        (Frame(BIG, ORIGINS[1], ["1.2.3"]), CT, "no_plane"),
        (Frame(BIG, ORIGINS[1], [MIDDLE, "1.2.3"]), CT[2:], "no_plane"),
        (Frame(BIG, ORIGINS[1]), [], "no_plane"),
        (Frame(BIG, on_slice(CT[2], [(0, 0)], 9.0)[0], [MIDDLE]), CT, "off_plane"),
        (Frame(BIG, on_slice(CT[2], [(0, 0)], 9.0)[0]), CT, "off_plane"),
        (Frame(BIG, None), CT, "no_image_reference"),
        (Frame(BIG, None, [f"{SERIES}.1", MIDDLE]), CT, "ambiguous_image"),
        (Frame(plus(5, 5, (10, 10), 20, 30), None, [MIDDLE]), CT, "other_grid"),
        (Frame(BIG & False, ORIGINS[1], [MIDDLE]), CT, "empty_segment"),
    ],
)
def test_a_mask_that_lies_on_no_image_is_rejected(frame: Frame, images: list[Dataset], reason: str) -> None:
    assert read(seg([segment()], [frame]), images) == ([], [("SegmentSequence[1]", reason)])


def test_a_mask_across_the_images_is_off_their_planes() -> None:
    upright = [*OBLIQUE[:3], *np.cross(OBLIQUE[:3], OBLIQUE[3:])]
    ds = seg([segment()], [Frame(plus(5, 5), ORIGINS[1], [MIDDLE])], orientation=upright)
    assert read(ds) == ([], [("SegmentSequence[1]", "off_plane")])


def test_every_segment_is_measured_on_its_own_frames_even_where_they_overlap() -> None:
    ds = seg(
        [segment(1), segment(2, "Node")],
        [Frame(BIG, ORIGINS[1], [MIDDLE], 1), Frame(SMALL, ORIGINS[1], [MIDDLE], 2), Frame(BIG, ORIGINS[2], (), 1)],
    )
    found, _ = read(ds)
    assert [m.source.item for m in found] == ["SegmentSequence[1]", "SegmentSequence[2]"]
    assert [axes(m)[0] for m in found] == pytest.approx([10.5, 5.5], abs=1e-4)


def test_pixels_that_end_inside_a_byte_are_told_apart() -> None:
    """17 columns of 13 rows are 221 bits."""
    masks = [plus(5, 3, (8, 6), 13, 17), plus(9, 5, (7, 5), 13, 17), plus(3, 3, (9, 9), 13, 17)]
    ds = seg([segment()], [Frame(mask, origin) for mask, origin in zip(masks, ORIGINS, strict=True)])
    (found,), _ = read(ds)
    assert (found.image, axes(found)) == (ImageReference(MIDDLE), pytest.approx((4.5, 4.0), abs=1e-4))


def test_a_fractional_pixel_belongs_to_the_segment_from_one_half_on() -> None:
    """Maximum Fractional Value is 200."""
    values = plus(31, 19) * 99
    values[BIG] = 100
    ds = seg([segment()], [Frame(values, ORIGINS[1], [MIDDLE])], kind="FRACTIONAL")
    assert axes(read(ds)[0][0]) == pytest.approx((10.5, 7.2), abs=1e-4)


def test_two_lesions_in_one_segment_leave_a_remark() -> None:
    ds = seg([segment()], [Frame(plus(21, 9, (16, 10)) | plus(19, 9, (50, 38)), ORIGINS[1], [MIDDLE])])
    (found,), rejected = read(ds)
    assert axes(found)[0] == pytest.approx(10.5, abs=1e-4)
    assert rejected == [("SegmentSequence[1]", "other_pieces")]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (segment(1, "Liver", ANATOMY, LIVER), "anatomy_not_lesion"),
        (segment(1, "PTV", None, None), "treatment_margin"),
        (segment(1, "Segment 1", TISSUE, TISSUE), "unclear_segment"),
    ],
)
def test_what_is_no_lesion_is_rejected(item: Dataset, reason: str) -> None:
    ds = seg([item], [Frame(BIG, ORIGINS[1], [MIDDLE])])
    assert read(ds) == ([], [("SegmentSequence[1]", reason)])


@pytest.mark.parametrize(
    ("elements", "algorithm"),
    [
        ({"algorithm": "AUTOMATIC", "SegmentAlgorithmName": "Finder 2"}, "Finder 2"),
        ({"algorithm": "AUTOMATIC"}, "unnamed algorithm"),
        ({"algorithm": "SEMIAUTOMATIC", "SegmentAlgorithmName": "Grow"}, ""),
    ],
)
def test_only_an_automatic_segment_is_an_algorithms(elements: dict[str, str], algorithm: str) -> None:
    ds = seg([segment(**elements)], [Frame(BIG, ORIGINS[1], [MIDDLE])])
    assert read(ds)[0][0].by_algorithm == algorithm


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"SamplesPerPixel": 3}, "color_segments"),
        ({"DimensionOrganizationType": "TILED_FULL"}, "tiled_segments"),
        ({"TotalPixelMatrixColumns": 4000}, "tiled_segments"),
        ({"BitsAllocated": 32}, "bad_pixels"),
        ({"Rows": 0}, "bad_size"),
        ({"PixelData": None}, "no_pixels"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.5"}, "surface_not_mask"),
    ],
)
def test_what_is_no_stack_of_masks_is_rejected(change: dict[str, object], reason: str) -> None:
    ds = seg([segment()], [Frame(BIG, ORIGINS[1], [MIDDLE])])
    for keyword, value in change.items():
        setattr(ds, keyword, value)
    assert read(ds) == ([], [("SegmentSequence[1]", reason)])


def test_an_object_without_segments_is_rejected() -> None:
    assert read(seg([], [Frame(BIG, ORIGINS[1])])) == ([], [("SegmentSequence", "no_measurement")])


def test_frames_that_are_missing_at_the_end_are_empty() -> None:
    ds = seg([segment()], [Frame(SMALL, ORIGINS[0]), Frame(BIG, ORIGINS[1])])
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    assert axes(read(ds)[0][0])[0] == pytest.approx(5.5, abs=1e-4)


# --- transfer syntaxes ------------------------------------------------------------------------------------------


def label_map() -> Dataset:
    frames = [Frame(SMALL * 7, ORIGINS[0], (), None), Frame(BIG * 7 + plus(3, 3, (9, 9)), ORIGINS[1], (), None)]
    return seg([segment(7)], frames, kind="LABELMAP")


def test_a_label_map_is_read_compressed_by_rle() -> None:
    plain, packed = label_map(), label_map()
    packed.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    (found,), (wanted,) = read(packed)[0], read(plain)[0]
    assert replace(found, source=wanted.source) == wanted
    assert axes(found) == pytest.approx((10.5, 7.2), abs=1e-4)


def test_frames_are_read_compressed_by_deflate() -> None:
    ds = label_map()
    frames = [ds.PixelData[: 48 * 64], ds.PixelData[48 * 64 :]]
    deflate = [zlib.compressobj(wbits=-zlib.MAX_WBITS) for _ in frames]
    packed = [one.compress(frame) + one.flush() for one, frame in zip(deflate, frames, strict=True)]
    ds.PixelData = encapsulate([content + b"\0" * (len(content) % 2) for content in packed])
    ds.file_meta.TransferSyntaxUID = UID(DEFLATED_IMAGE_FRAME)
    assert axes(read(ds)[0][0]) == pytest.approx((10.5, 7.2), abs=1e-4)


def test_pixels_that_need_a_decoder_are_rejected() -> None:
    ds = label_map()
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    assert read(ds) == ([], [("SegmentSequence[1]", "compressed_pixels")])


def test_rle_that_takes_long_to_undo_is_rejected() -> None:
    ds = label_map()
    ds.PixelData = encapsulate([b"\x00" * (MAX_RLE_BYTES // 2 + 2)] * 2)
    ds.file_meta.TransferSyntaxUID = RLELossless
    assert read(ds) == ([], [("SegmentSequence[1]", "too_large")])


def test_sixteen_bits_are_undone_from_two_rle_segments() -> None:
    """One literal run and one repeat each; the high bytes come first."""
    header = np.array([2, 64, 70, *[0] * 13], "<u4").tobytes()
    high, low = bytes([1, 1, 2, 255, 0, 128]), bytes([253, 5])
    assert np.frombuffer(undo_rle(header + high + low, 4, 2), "<u2").tolist() == [0x0105, 0x0205, 0x0005, 0x0005]


def test_damaged_rle_is_background() -> None:
    assert undo_rle(b"\x05", 6, 1) == bytes(6)
    assert undo_rle(b"\xff" * 64, 6, 2) == bytes(12)


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_bits_in_big_endian_words_are_turned(vr: str) -> None:
    """In words of 16 bits the second byte comes first."""
    ds = seg([segment()], [Frame(BIG, ORIGINS[1], [MIDDLE])])
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds["PixelData"].VR = vr
    if vr == "OW":
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
    assert axes(read(ds)[0][0]) == pytest.approx((10.5, 7.2), abs=1e-4)


def test_the_pixels_are_those_that_pydicom_reads() -> None:
    ds = seg(
        [segment()], [Frame(plus(5, 3, (8, 6), 13, 17), ORIGINS[0]), Frame(plus(9, 5, (7, 5), 13, 17), ORIGINS[1])]
    )
    pixels = pixels_of(ds)
    assert isinstance(pixels, SegmentPixels)
    for frame, wanted in enumerate(ds.pixel_array.astype(bool)):
        extents = pixels.extents_on(1, [frame])
        assert not isinstance(extents, Unusable)
        (extent,) = extents
        whole = np.zeros((13, 17), np.bool_)
        whole[extent.rows, extent.columns] = pixels.mask(extent, 1)
        np.testing.assert_array_equal(whole, wanted)


def test_frames_are_looked_through_up_to_a_bound() -> None:
    """Each segment looks through its own frames; what they looked through together counts."""
    ds = seg([segment()], [Frame(plus(5, 3, (8, 6), 13, 17), ORIGINS[0])])
    pixels = pixels_of(ds)
    assert isinstance(pixels, SegmentPixels)
    frames = MAX_PIXELS // (13 * 17)
    assert pixels.extents_on(1, range(1, 1 + frames)) == []  # they are not in the file
    assert pixels.extents_on(1, [0]) == TOO_LARGE
    assert pixels.extents_of_labels([1]) == TOO_LARGE


# --- frames and segments ----------------------------------------------------------------------------------------


def test_a_segment_can_be_asked_for_on_some_frames_only() -> None:
    ds = seg([segment()], [Frame(SMALL, ORIGINS[0]), Frame(BIG, ORIGINS[1])])
    region = Segmentation(ds, HeldImages([*CT, ds])).region(0, frames={0})
    assert isinstance(region, Region)
    assert region.on.image == ImageReference(f"{SERIES}.1")


def test_a_frame_of_an_enhanced_image_is_named_by_its_number() -> None:
    ds = seg([segment()], [Frame(BIG, None, [MIDDLE])])
    source = reference("1.5.2")
    source.ReferencedFrameNumber = 1
    ds.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence = Items([source])
    assert read(ds, [ct_instance("1.5.2")])[0][0].image == ImageReference("1.5.2", 1)


def test_a_file_is_read_as_the_object_was_made(tmp_path: Path) -> None:
    ds = seg([segment()], [Frame(BIG, ORIGINS[1], [MIDDLE])])
    path = tmp_path / "seg.dcm"
    ds.save_as(path, enforce_file_format=True)
    assert read(dcmread(path)) == read(ds)
