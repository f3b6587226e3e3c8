"""Reports that name a segment instead of drawing: the mask is the drawing, the report says what it is."""

from collections.abc import Sequence

import pytest
from builders import (
    AREA,
    FINDING,
    LUNG,
    NODULE,
    SERIES,
    SITE,
    bidirectional,
    code,
    coded,
    container,
    ct_series,
    group,
    item,
    num,
    tid1500,
)
from builders_regions import (
    ANATOMY,
    LIVER,
    SEG,
    TISSUE,
    Frame,
    plus,
    reference,
    referenced_segment,
    seg,
    segment,
)
from held_images import HeldImages
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from db.codes import Code
from db.geometry import PixelSpacing
from db.measurement import ImageReference, Measurement, Rejected
from mining.readers.sr import read_sr
from mining.readers.sr_segments import MAX_SEGMENTATIONS

CT = ct_series()
ORIGINS = [image.ImagePositionPatient for image in CT]
MIDDLE, MASKS = f"{SERIES}.2", f"{SERIES}.77"
MM = PixelSpacing(0.8, 0.5)
LONG_AXIS_MM = num(("103339001", "SCT", "Long Axis"), 10.4, "mm")
VOLUME = num(("118565006", "SCT", "Volume"), 0.3, "cm3")
IMAGE_LIBRARY = ("111028", "DCM", "Image Library")
FINDING_CATEGORY = ("276214006", "SCT", "Finding category")


def masks(*segments: Dataset) -> Dataset:
    """10.5 mm of segment 1 on the middle slice, 5.5 mm of it on the first; 8.5 mm of segment 2."""
    frames = [
        Frame(plus(11, 5), ORIGINS[0], [f"{SERIES}.1"], 1),
        Frame(plus(21, 9), ORIGINS[1], [MIDDLE], 1),
        Frame(plus(17, 5), ORIGINS[2], [f"{SERIES}.3"], 2),
    ]
    return seg(segments or [segment(1), segment(2)], frames, sop_instance_uid=MASKS)


def read(
    report: Dataset, *others: Dataset, images: Sequence[Dataset] = CT
) -> tuple[list[Measurement], list[tuple[str, str]]]:
    found = list(read_sr(report, HeldImages([*images, *others])))
    rejected = [(r.source_item, r.reason_code) for r in found if isinstance(r, Rejected)]
    return [m for m in found if isinstance(m, Measurement)], rejected


def test_a_segment_gives_the_axes_and_the_report_what_is_said() -> None:
    report = tid1500(
        group(
            code(FINDING, NODULE), code(SITE, LUNG), referenced_segment(MASKS), LONG_AXIS_MM, VOLUME, tracking_uid="1.9"
        )
    )
    (found,), rejected = read(report, masks())
    assert not rejected  # the volume is one of its attributes
    assert found.long_axis.length_mm(MM) == pytest.approx(10.5, abs=1e-4)
    assert found.image == ImageReference(MIDDLE)
    assert found.derived
    assert found.source.kind == "SR"
    assert found.source.item == "1.2.1.5"
    assert (found.stated_long_axis_mm, found.stated_short_axis_mm) == (10.4, None)
    assert (found.finding, found.site) == (Code(*NODULE), Code(*LUNG))
    assert (found.tracking_uid, found.reader, found.by_algorithm) == ("1.9", "Reader^Three", "")


def test_what_the_report_leaves_open_says_the_segment() -> None:
    lesion = segment(1, TrackingUID="1.9.7", TrackingID="T1", SegmentDescription="upper lobe")
    report = tid1500(container(("125007", "DCM", "Measurement Group"), referenced_segment(MASKS)), reader=None)
    (found,), _ = read(report, masks(lesion))
    assert found.finding == Code("108369006", "SCT", "Neoplasm")
    assert (found.tracking_uid, found.tracking_id, found.comment) == ("1.9.7", "T1", "upper lobe")


def test_who_made_the_mask_drew_the_lesion_and_else_who_reports_it() -> None:
    unnamed = masks()
    del unnamed.ContentCreatorName
    for mask, reader in ((masks(), "Reader^Three"), (unnamed, "Reader^One")):
        assert read(tid1500(group(referenced_segment(MASKS))), mask)[0][0].reader == reader


def test_a_persons_report_on_an_algorithms_mask_is_an_algorithms_lesion() -> None:
    automatic = segment(1, algorithm="AUTOMATIC", SegmentAlgorithmName="Finder")
    (found,), _ = read(tid1500(group(referenced_segment(MASKS))), masks(automatic))
    assert found.by_algorithm == "Finder"


def test_a_segmentation_frame_is_the_only_slice_that_counts() -> None:
    named = referenced_segment(MASKS)
    named.ReferencedSOPSequence[0].ReferencedFrameNumber = 1
    (found,), _ = read(tid1500(group(named)), masks())
    assert found.image == ImageReference(f"{SERIES}.1")
    assert found.long_axis.length_mm(MM) == pytest.approx(5.5, abs=1e-4)


def test_without_a_number_the_tracking_uid_says_which_segment_is_meant() -> None:
    both = masks(segment(1, TrackingUID="1.9.1"), segment(2, TrackingUID="1.9.2"))
    (found,), _ = read(tid1500(group(referenced_segment(MASKS, None), tracking_uid="1.9.2")), both)
    assert found.long_axis.length_mm(MM) == pytest.approx(8.5, abs=1e-4)


def test_a_segmentation_may_be_named_by_its_uid_alone() -> None:
    named = item("UIDREF", ("1", "99LOCAL", "Segmentation SOP Instance UID"), relationship="CONTAINS", UID=MASKS)
    (found,), _ = read(tid1500(group(named)), masks(segment(1)))
    assert found.long_axis.length_mm(MM) == pytest.approx(10.5, abs=1e-4)


def test_the_group_says_before_the_segment_what_is_a_lesion() -> None:
    unclear, organ = masks(segment(1, "Segment 1", TISSUE, TISSUE)), masks(segment(1, "Liver", ANATOMY, LIVER))
    nodule = group(code(FINDING, NODULE), referenced_segment(MASKS))
    category = item("CODE", FINDING_CATEGORY, relationship="CONTAINS", ConceptCodeSequence=coded(ANATOMY))
    liver = group(category, code(FINDING, LIVER), referenced_segment(MASKS), VOLUME)
    for mask in (unclear, organ):
        assert len(read(tid1500(nodule), mask)[0]) == 1
    assert read(tid1500(liver), masks(segment(1))) == ([], [("1.2.1.3", "anatomy_not_lesion")])
    assert read(tid1500(group(referenced_segment(MASKS), VOLUME)), unclear) == ([], [("1.2.1.1", "unclear_segment")])


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        (referenced_segment("1.2.3"), "segment_not_here"),
        (referenced_segment(MIDDLE), "segment_not_here"),  # an image, which is no segmentation
        (referenced_segment(MASKS, 9), "no_such_segment"),
        (referenced_segment(MASKS, None), "ambiguous_segment"),
    ],
)
def test_a_segment_that_cannot_be_found_is_rejected(named: Dataset, reason: str) -> None:
    assert read(tid1500(group(named, LONG_AXIS_MM)), masks()) == ([], [("1.2.1.1", reason)])


def test_only_so_many_segmentations_are_opened() -> None:
    groups = [group(referenced_segment(f"1.2.{n}")) for n in range(MAX_SEGMENTATIONS + 1)]
    _, rejected = read(tid1500(*groups))
    assert [reason for _, reason in rejected] == ["segment_not_here"] * MAX_SEGMENTATIONS + ["too_many_segmentations"]


def test_several_segments_are_no_lesion() -> None:
    named = referenced_segment(MASKS)
    named.ReferencedSOPSequence[0].ReferencedSegmentNumber = [1, 2]
    assert read(tid1500(group(named)), masks()) == ([], [("1.2.1.1", "ambiguous_segment")])


def test_the_images_of_the_mask_may_come_later() -> None:
    assert read(tid1500(group(referenced_segment(MASKS))), masks(), images=[])[1] == [("1.2.1.1", "no_plane")]


def test_drawn_axes_go_before_the_mask_of_the_same_lesion() -> None:
    drawn = bidirectional(
        MIDDLE,
        ((22.0, 24.0), (42.0, 24.0)),
        ((32.0, 20.0), (32.0, 28.0)),
        referenced_segment(MASKS),
        tracking_uid="1.9",
    )
    (found,), rejected = read(tid1500(drawn), masks())
    assert not found.derived
    assert [reason for _, reason in rejected] == ["axes_are_drawn"]


def test_an_image_library_that_lists_a_segmentation_measures_nothing() -> None:
    listed = item("IMAGE", None, ReferencedSOPSequence=Items([reference(MASKS, SEG)]))
    report = tid1500(group(num(AREA, 3.0, "mm2")))
    report.ContentSequence.append(container(IMAGE_LIBRARY, listed))
    assert read(report, masks(segment(1))) == ([], [("1.2.1.1", "not_a_length")])
