"""Multi-frame images: their frames are slices like those of a series, and reports name them."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from report_sources import ENHANCED, SHAPES, context, ct_headers, enhanced_ct, in_frame, lesion, measurement_report
from report_tree import children, groups_of, read_back

from db.errors import ContentError, GeometryError
from db.measurement import ImageReference
from dicom_node.report.profiles import PROFILES
from dicom_node.report.source import plane_of, source_images

SR_PROFILES = [name for name, profile in PROFILES.items() if profile.kind == "SR"]


@pytest.mark.parametrize("shape", SHAPES)
def test_frames_are_the_slices_of_the_series_in_its_order(shape: str) -> None:
    frames = source_images(context(enhanced_ct(shape)).context)
    slices = source_images(context(ct_headers(shape)).context)
    assert frames.multi_frame and not slices.multi_frame
    assert [plane_of(header) for header in frames.headers] == [plane_of(header) for header in slices.headers]
    assert [frames.index(ImageReference(ENHANCED, frame)) for frame in (9, 8, 1)] == [0, 1, 8]
    assert frames.interval_mm == pytest.approx(slices.interval_mm)
    assert {header.SliceThickness for header in frames.headers} == {3.0}


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_every_reference_to_a_frame_names_it(profile: str) -> None:
    detection = in_frame(lesion(z=3))
    report = read_back(measurement_report([detection], context(enhanced_ct()), profile))
    referenced = [item.ReferencedSOPSequence[0] for item in images_in(report)]
    assert len(referenced) >= 2, "the library and at least one drawing"
    assert {(item.ReferencedSOPInstanceUID, item.ReferencedFrameNumber) for item in referenced} == {(ENHANCED, 6)}
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    ((evidence,),) = [series.ReferencedSOPSequence for series in study.ReferencedSeriesSequence]
    assert evidence.ReferencedSOPInstanceUID == ENHANCED, "once, and not for each frame"


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_a_reference_to_a_single_frame_image_names_none(profile: str) -> None:
    report = read_back(measurement_report([lesion()], context(), profile))
    assert not any("ReferencedFrameNumber" in item.ReferencedSOPSequence[0] for item in images_in(report))


def test_the_library_holds_the_planes_of_the_frames_with_findings() -> None:
    on_two = [in_frame(lesion(z=3)), in_frame(lesion(2, z=6))]
    report = read_back(measurement_report(on_two, context(enhanced_ct("oblique"))))
    (group,) = children(report, "111028")[0].ContentSequence
    entries = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
    for entry, z in zip(entries, (3, 6), strict=True):
        stated = [
            children(entry, code)[0].MeasuredValueSequence[0].NumericValue for code in ("110901", "110902", "110903")
        ]
        np.testing.assert_allclose(stated, ct_headers("oblique")[z].ImagePositionPatient, atol=1e-3)


def test_both_kinds_of_images_give_the_same_drawing() -> None:
    plain = groups_of(read_back(measurement_report([lesion()], context())))
    framed = groups_of(read_back(measurement_report([in_frame(lesion())], context(enhanced_ct()))))
    assert [scoords(group) for group in plain] == [scoords(group) for group in framed]


def test_a_frame_that_is_not_there_is_refused() -> None:
    with pytest.raises(ContentError, match="not among the sources"):
        measurement_report([in_frame(lesion(), slices=20)], context(enhanced_ct()))


def test_frames_without_descriptions_of_their_own_are_refused() -> None:
    (image,) = enhanced_ct()
    del image.PerFrameFunctionalGroupsSequence[4:]
    with pytest.raises(GeometryError, match="does not describe each frame"):
        measurement_report([in_frame(lesion())], context((image,)))


def test_a_frame_without_a_position_is_refused_by_name() -> None:
    (image,) = enhanced_ct()
    del image.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence
    with pytest.raises(GeometryError, match="ImagePositionPatient"):
        measurement_report([in_frame(lesion())], context((image,)))


def test_the_frame_of_an_image_with_one_is_not_named() -> None:
    detection = in_frame(lesion(z=0), slices=1)
    report = measurement_report([detection], context(enhanced_ct(slices=1)))
    assert not any("ReferencedFrameNumber" in item.ReferencedSOPSequence[0] for item in images_in(report))


def images_in(item: Dataset) -> list[Dataset]:
    found = [item] if item.get("ValueType") == "IMAGE" else []
    return found + [image for child in item.get("ContentSequence", ()) for image in images_in(child)]


def scoords(group: Dataset) -> list[list[float]]:
    return [list(child.GraphicData) for number in group.ContentSequence for child in number.get("ContentSequence", ())]
