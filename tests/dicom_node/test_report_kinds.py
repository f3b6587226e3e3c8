"""What each kind of report says of a lesion, and that our own reader finds it there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import pytest
from held_images import HeldImages
from pydicom import Dataset
from report_sources import (
    MODEL,
    SERIES,
    SHAPES,
    TRACKING,
    context,
    ct_headers,
    enhanced_ct,
    failure_report,
    in_frame,
    lesion,
    lesions,
    measurement_report,
    segmentation,
    with_prior,
)
from report_tree import children, groups_of, read_back, value_of

from db.codes import Code
from db.detection import axes_tracking_uid
from db.geometry import PointPx
from db.measurement import Found, Measurement
from dicom_node.report.concepts import BUILT_IN
from dicom_node.report.context import InstanceReference
from dicom_node.report.profiles import PROFILES
from mining.readers.sr import read_sr

SR_PROFILES = [name for name, profile in PROFILES.items() if profile.kind == "SR"]
WITH_AXES = [name for name in SR_PROFILES if not name.startswith("slicer")]
ALGORITHM = f"{MODEL.name} {MODEL.model_id}"
LINK = "https://viewer.example/open?study=1.2&image=3"


def near(point: PointPx, other: PointPx) -> bool:
    return point.distance_px(other) < 1e-3


def read_here(report: Dataset, images: tuple[Dataset, ...]) -> list[Found]:
    return list(read_sr(read_back(report), HeldImages(images)))


# --- our own reader -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", WITH_AXES)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written_with_axes_is_read_as_the_same_lesions(shape: str, profile: str) -> None:
    images = ct_headers(shape)
    found = read_here(measurement_report(lesions(), context(images), profile), images)
    measured = [each for each in found if isinstance(each, Measurement)]
    for detection, read in zip(lesions(), measured, strict=True):
        assert read.image == detection.image
        assert all(map(near, read.long_axis.points, detection.long_axis.points))
        assert read.short_axis is not None
        assert all(map(near, read.short_axis.points, detection.short_axis.points))
        assert read.stated_long_axis_mm == pytest.approx(detection.long_axis_mm, abs=1e-3)
        assert (read.derived, read.by_algorithm) == (False, ALGORITHM)
        own = detection.tracking_uid if profile == "air" else axes_tracking_uid(detection.tracking_uid)
        assert read.tracking_uid == own


@pytest.mark.parametrize("profile", ["slicer", "slicer-comprehensive"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_written_as_a_box_is_read_as_the_box(shape: str, profile: str) -> None:
    images = ct_headers(shape)
    found = read_here(measurement_report(lesions(), context(images), profile), images)
    measured = [each for each in found if isinstance(each, Measurement)]
    for detection, read in zip(lesions(), measured, strict=True):
        assert (read.image, read.derived, read.by_algorithm) == (detection.image, True, ALGORITHM)
        assert read.outline is not None
        assert all(map(near, read.outline.corners, detection.box.corners))
        assert read.stated_long_axis_mm == pytest.approx(detection.long_axis_mm, abs=1e-3)
        assert read.tracking_uid == detection.tracking_uid


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_the_frame_is_read_back(profile: str) -> None:
    images, detection = enhanced_ct(), in_frame(lesion())
    found = read_here(measurement_report([detection], context(images), profile), images)
    assert [each.image for each in found if isinstance(each, Measurement)] == [detection.image]


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_a_report_without_lesions_is_read_as_none(profile: str) -> None:
    for report in (measurement_report([], context(), profile), failure_report("no memory", context(), profile)):
        assert not [each for each in read_here(report, ct_headers()) if isinstance(each, Measurement)]


# --- what all kinds hold ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_the_class_of_the_document_is_that_of_its_profile(profile: str) -> None:
    report = read_back(measurement_report(lesions(), context(), profile))
    assert report.SOPClassUID == PROFILES[profile].sop_class_uid
    assert ("3D" in report.SOPClassUID.name) == (not profile.endswith("comprehensive"))
    assert not {"SCOORD3D"} & {item.ValueType for item in items_of(report)}, "no viewer of stacks shows those"


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_each_group_names_the_model_the_finding_and_its_site_and_the_score(profile: str) -> None:
    groups = groups_of(read_back(measurement_report([lesion()], context(), profile)))
    for group in groups:
        assert [children(group, code)[0].TextValue for code in ("111001", "111003")] == [MODEL.name, MODEL.model_id]
        assert children(group, "121071")[0].ConceptCodeSequence[0].CodeMeaning == "Cyst"
        assert children(group, "363698007")[0].ConceptCodeSequence[0].CodeMeaning == "Liver"
        assert [item.TextValue for item in children(group, "121106")] == [
            "Lesion 1: liver cyst 0.93 (AI, research only)"
        ]
    assert value_of(groups[0], "111012") == (93.12, "%")


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_a_report_without_lesions_names_the_model_that_found_none(profile: str) -> None:
    for report in (measurement_report([], context(), profile), failure_report("no memory", context(), profile)):
        measured = children(report, "126010")[0]
        assert [children(measured, code)[0].TextValue for code in ("111001", "111003")] == [MODEL.name, MODEL.model_id]


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_a_later_report_of_the_same_lesion_tracks_it_under_the_same_names(profile: str) -> None:
    first = groups_of(measurement_report([lesion(2)], context(), profile))
    later = groups_of(measurement_report([lesion(1), lesion(2)], context(sop_instance_uid="2.25.9"), profile))
    assert [tracked(group) for group in first] == [tracked(group) for group in later][len(first) :]
    assert len({tracked(group) for group in later}) == (2 if "slicer" in profile or profile == "air" else 4)


@pytest.mark.parametrize("profile", SR_PROFILES)
@pytest.mark.parametrize(("was_mm", "change"), [(7.0, "+19 %"), (16.6, "-50 %"), (8.33, "+0 %")])
def test_the_change_since_an_earlier_study_stands_in_the_comment(profile: str, was_mm: float, change: str) -> None:
    detection = with_prior(lesion(), was_mm)
    for group in groups_of(measurement_report([detection], context(), profile)):
        (comment,) = children(group, "121106")
        assert comment.TextValue == f"Lesion 1: liver cyst 0.93, {change} since 2026-03-01 (AI, research only)"


def test_an_earlier_study_without_a_length_leaves_no_change_to_tell() -> None:
    (group, _) = groups_of(measurement_report([with_prior(lesion(), 0.0)], context()))
    assert children(group, "121106")[0].TextValue == "Lesion 1: liver cyst 0.93 (AI, research only)"


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_the_links_of_findings_stand_apart_from_what_is_drawn(profile: str) -> None:
    found = lesions()
    links = {found[0].detection_id: LINK, found[2].detection_id: f"{LINK}&n=3"}
    report = read_back(measurement_report(found, context(links=links), profile))
    texts = [item.TextValue for item in children(children(report, "C0034375")[0], "121106")]
    assert texts == [f"Lesion 1: {LINK}", f"Lesion 3: {LINK}&n=3"]
    assert not any(LINK in item.get("TextValue", "") for group in groups_of(report) for item in items_of(group))
    assert not children(measurement_report(found, context(), profile), "C0034375"), "no link, nothing to evaluate"


@pytest.mark.parametrize("profile", SR_PROFILES)
def test_a_site_may_say_what_the_words_of_its_categories_mean(profile: str) -> None:
    table = BUILT_IN.extended(
        {"Cyst": Code("9-1", "99SITE", "House cyst")}, {"liver": Code("9-2", "99SITE", "Segment")}
    )
    for group in groups_of(measurement_report([lesion()], context(codes=table), profile)):
        assert children(group, "121071")[0].ConceptCodeSequence[0].CodeMeaning == "House cyst"
        assert children(group, "363698007")[0].ConceptCodeSequence[0].CodeMeaning == "Segment"


# --- Slicer -------------------------------------------------------------------------------------------------------


def test_slicer_finds_a_box_a_finding_and_a_site_in_every_group(tmp_path: Path) -> None:
    """The questions of its plug-in (DICOMTID1500Plugin.py of 2025-10), asked as it asks them."""
    masks = segmentation(lesions(), context())
    assert masks is not None
    path = tmp_path / "sr.dcm"
    whole = context(segmentation=InstanceReference.of(masks))
    measurement_report(lesions(), whole, "slicer").save_as(path, enforce_file_format=True)
    sr = hd.sr.srread(path)
    evidence = sr.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.SeriesInstanceUID == SERIES, "the series that it loads"
    purpose = hd.sr.CodedConcept("130400", "DCM", "Geometric purpose of region")
    bounded_by = hd.sr.CodedConcept("75958009", "SCT", "Bounded by")
    boxes = sr.content.get_planar_roi_measurement_groups(
        reference_type=hd.sr.CodedConcept("111030", "DCM", "Image Region"),
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
    )
    assert len(boxes) == len(sr.content.get_planar_roi_measurement_groups()) == 3, "it takes all of them for boxes"
    for detection, box in zip(lesions(), boxes, strict=True):
        assert [each.value for each in box.get_qualitative_evaluations(name=purpose)] == [bounded_by]
        assert box.finding_type.CodeMeaning in ("Cyst", "Nodule", "Lesion")
        assert box.finding_sites[0].value.CodeMeaning in ("Liver", "Lung", "Entire body")
        assert box.roi.ContentSequence[0].referenced_sop_instance_uid == detection.image.sop_instance_uid
        corners = [PointPx.from_scoord(*corner) for corner in box.roi.value]
        assert all(map(near, corners, (*detection.box.corners, detection.box.corners[0])))


def test_slicer_reads_the_axes_as_numbers() -> None:
    (group,) = groups_of(read_back(measurement_report([lesion()], context(), "slicer")))
    assert value_of(group, "103339001") == (pytest.approx(lesion().long_axis_mm, abs=1e-3), "mm")
    assert value_of(group, "103340004") == (pytest.approx(lesion().short_axis_mm, abs=1e-3), "mm")
    assert not any("ContentSequence" in item for item in group.ContentSequence if item.ValueType == "NUM")


# --- AIR ----------------------------------------------------------------------------------------------------------


def test_air_holds_all_of_a_lesion_in_one_group_of_planar_regions() -> None:
    groups = groups_of(read_back(measurement_report(lesions(), context(), "air")))
    assert [group.ContentTemplateSequence[0].TemplateIdentifier for group in groups] == ["1410"] * 3
    assert [children(group, "112040")[0].UID for group in groups] == list(TRACKING)
    for group in groups:
        assert children(group, "111030")[0].GraphicType == "POLYLINE"
        axes = [children(group, code)[0] for code in ("103339001", "103340004")]
        assert [[child.ValueType for child in axis.ContentSequence] for axis in axes] == [["SCOORD"], ["SCOORD"]]
        assert children(group, "276214006")[0].ConceptCodeSequence[0].CodeValue == "49755003"


def test_air_names_the_time_point_by_the_date_of_the_study_where_it_is_known() -> None:
    for group in groups_of(measurement_report([lesion()], context(), "air")):
        assert children(group, "C2348792")[0].TextValue == "20261120"
    headers = ct_headers()
    headers[0].StudyDate = ""
    for group in groups_of(measurement_report([lesion()], context(headers), "air")):
        assert not children(group, "C2348792")


def test_air_has_no_identifier_of_a_viewer_and_no_invented_site() -> None:
    for group in groups_of(measurement_report([replace(lesion(), category="")], context(), "air")):
        assert children(group, "112039")[0].TextValue.startswith("Lesion ")
        assert not children(group, "363698007")


def tracked(group: Dataset) -> tuple[str, str]:
    return children(group, "112039")[0].TextValue, str(children(group, "112040")[0].UID)


def items_of(item: Dataset) -> list[Dataset]:
    below = item.get("ContentSequence", ())
    return [*below, *(deeper for child in below for deeper in items_of(child))]


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["slicer", "air"])
def test_dcmqi_reads_the_numbers_of_a_lesion_from_its_one_group(profile: str, tmp_path: Path) -> None:
    path, answer = tmp_path / "sr.dcm", tmp_path / "sr.json"
    measurement_report(lesions(), context(), profile).save_as(path, enforce_file_format=True)
    program = Path(sys.executable).parent / "tid1500reader"
    subprocess.run([program, "--inputDICOM", path, "--outputMetadata", answer], capture_output=True, check=True)
    read = json.loads(answer.read_text())["Measurements"]
    assert [group["TrackingUniqueIdentifier"] for group in read] == list(TRACKING)
    for detection, group in zip(lesions(), read, strict=True):
        values = {item["quantity"]["CodeMeaning"]: float(item["value"]) for item in group["measurementItems"]}
        assert values == {
            "Long Axis": pytest.approx(detection.long_axis_mm, abs=1e-3),
            "Short Axis": pytest.approx(detection.short_axis_mm, abs=1e-3),
            "Certainty of Finding": pytest.approx(93.12),
        }
