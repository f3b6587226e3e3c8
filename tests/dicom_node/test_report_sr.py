"""The structured report, read back by a plain walk and by programs of others."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from report_sources import (
    MODEL,
    NOW,
    SERIES,
    SHAPES,
    STUDY,
    context,
    ct_headers,
    failure_report,
    lesion,
    lesions,
    measurement_report,
    segmentation,
)
from report_tree import children, groups_of, read_back, value_of

from db.detection import axes_tracking_uid
from db.errors import ContentError, GeometryError
from db.geometry import PointMm, PointPx
from dicom_node.report.context import InstanceReference
from dicom_node.report.profiles import PROFILES
from dicom_node.report.source import plane_of

PROGRAMS = Path(sys.executable).parent


@cache
def standard() -> Dataset:
    """The report of three lesions, built and read once; the tests only read it."""
    return read_back(measurement_report(lesions(), context()))


@cache
def single() -> Dataset:
    """The report of one lesion."""
    return read_back(measurement_report([lesion()], context()))


def points_of(number: Dataset) -> list[PointPx]:
    (region,) = number.ContentSequence
    data = [float(value) for value in region.GraphicData]
    return [PointPx.from_scoord(x, y) for x, y in zip(data[::2], data[1::2], strict=True)]


def image_of(number: Dataset) -> str:
    (image,) = number.ContentSequence[0].ContentSequence
    assert image.RelationshipType == "SELECTED FROM"
    return str(image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def in_patient(header: Dataset, point: PointPx) -> np.ndarray:
    """The place of a pixel centre by PS3.3 equation C.7.6.2.1-1, written out apart from the product's own."""
    row_mm, col_mm = header.PixelSpacing
    along_row, along_column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    origin = np.array(header.ImagePositionPatient, float)
    return origin + along_row * col_mm * point.col + along_column * row_mm * point.row


@pytest.mark.parametrize("shape", SHAPES)
def test_every_point_comes_back_at_its_place_in_the_patient(shape: str) -> None:
    headers = ct_headers(shape)
    by_uid = {str(header.SOPInstanceUID): header for header in headers}
    report = read_back(measurement_report(lesions(), context(headers)))
    groups = groups_of(report)
    assert len(groups) == 6
    for detection, box_group, axes_group in zip(lesions(), groups[::2], groups[1::2], strict=True):
        drawn = [points_of(children(box_group, "42798000")[0])]
        meant: list[tuple[PointPx, ...]] = [(*detection.box.corners, detection.box.corners[0])]
        for code, axis in (("103339001", detection.long_axis), ("103340004", detection.short_axis)):
            number = children(axes_group, code)[0]
            assert image_of(number) == detection.image.sop_instance_uid
            drawn.append(points_of(number))
            meant.append(axis.points)
        header = by_uid[detection.image.sop_instance_uid]
        for polyline, wanted in zip(drawn, meant, strict=True):
            there = [in_patient(header, point) for point in polyline]
            expected = [in_patient(header, point) for point in wanted]
            np.testing.assert_allclose(there, expected, atol=1e-4)
            plane = plane_of(header)
            for point, place in zip(wanted, expected, strict=True):
                foot, distance_mm = plane.to_px(PointMm(*place))
                assert abs(distance_mm) < 1e-4
                assert foot.distance_px(point) < 1e-4


def test_the_centre_of_the_first_pixel_is_written_as_a_half() -> None:
    report = measurement_report([lesion(row=0, col=0)], context())
    long_axis = children(groups_of(report)[1], "103339001")[0].ContentSequence[0]
    assert list(long_axis.GraphicData) == [1.75, 4.5, 15.0, 7.25]


def test_a_box_is_clipped_to_the_image_and_its_area_is_that_of_the_clipped_one() -> None:
    number = children(groups_of(measurement_report([lesion(row=0, col=60)], context()))[0], "42798000")[0]
    assert [(p.col, p.row) for p in points_of(number)] == [(59.25, 0), (71, 0), (71, 9.5), (59.25, 9.5), (59.25, 0)]
    assert float(number.MeasuredValueSequence[0].NumericValue) == pytest.approx(11.75 * 0.6 * 9.5 * 0.9, abs=1e-3)


def test_numbers_are_those_of_the_detection() -> None:
    detection = lesion()
    box_group, axes_group = groups_of(read_back(measurement_report([detection], context())))
    assert value_of(axes_group, "103339001") == (pytest.approx(detection.long_axis_mm, abs=1e-3), "mm")
    assert value_of(axes_group, "103340004") == (pytest.approx(detection.short_axis_mm, abs=1e-3), "mm")
    assert value_of(box_group, "111012") == (pytest.approx(93.12), "%")


def test_the_rules_of_the_viewer_hold_for_every_group() -> None:
    report = standard()
    assert children(report, "111028"), "an Image Library"
    uids = []
    for group in groups_of(report):
        assert children(group, "112039")[0].TextValue.startswith("Cornerstone3DTools@^0.1.0:")
        uids.append(str(children(group, "112040")[0].UID))
        numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
        assert [child.ValueType for child in numbers[0].ContentSequence] == ["SCOORD"], "the first NUM is drawn"
        for number in numbers:
            assert [child.ValueType for child in number.get("ContentSequence", ())] in ([], ["SCOORD"])
    assert len(set(uids)) == len(uids), "a UID of its own for every group"


def test_the_meanings_of_the_axes_are_written_to_the_letter() -> None:
    _, group = groups_of(single())
    meanings = [
        item.ConceptNameCodeSequence[0].CodeMeaning for item in group.ContentSequence if item.ValueType == "NUM"
    ]
    assert meanings == ["Long Axis", "Short Axis"]


def test_the_box_carries_the_lesions_uid_and_the_axes_one_derived_from_it() -> None:
    first = groups_of(measurement_report([lesion(2)], context()))
    later = groups_of(measurement_report([lesion(1), lesion(2)], context(sop_instance_uid="2.25.9")))[2:]
    for groups in (first, later):
        assert [str(children(group, "112040")[0].UID) for group in groups] == [
            "2.25.102",
            axes_tracking_uid("2.25.102"),
        ]


def test_the_derived_uid_is_this_one_for_ever() -> None:
    assert axes_tracking_uid("2.25.102") == "2.25.282493294447822124599849183520183750233"


def test_each_group_names_the_model_the_finding_and_its_site() -> None:
    for group in groups_of(single()):
        assert children(group, "111001")[0].TextValue == MODEL.name
        assert children(group, "111003")[0].TextValue == MODEL.model_id
        assert children(group, "121071")[0].ConceptCodeSequence[0].CodeMeaning == "Cyst"
        assert children(group, "363698007")[0].ConceptCodeSequence[0].CodeMeaning == "Liver"
        assert children(group, "121106")[0].TextValue == "Lesion 1: liver cyst 0.93 (AI, research only)"


def test_the_report_is_unverified_and_says_what_it_is() -> None:
    report = standard()
    assert report.VerificationFlag == "UNVERIFIED"
    assert "VerifyingObserverSequence" not in report
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.SeriesDescription.startswith("AI, research only")
    assert report.Modality == "SR"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert report.SOPClassUID == report.file_meta.MediaStorageSOPClassUID == PROFILES["ohif"].sop_class_uid


def test_evidence_is_every_analysed_image_and_the_segmentation() -> None:
    masks = segmentation(lesions(), context())
    assert masks is not None
    report = read_back(measurement_report(lesions(), context(segmentation=InstanceReference.of(masks))))
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == STUDY
    evidence = {
        str(series.SeriesInstanceUID): [str(item.ReferencedSOPInstanceUID) for item in series.ReferencedSOPSequence]
        for series in study.ReferencedSeriesSequence
    }
    assert evidence == {
        SERIES: [str(header.SOPInstanceUID) for header in ct_headers()],
        str(masks.SeriesInstanceUID): [str(masks.SOPInstanceUID)],
    }


def test_a_later_report_names_the_one_it_replaces() -> None:
    first = measurement_report([lesion()], context())
    second = read_back(
        measurement_report(
            [lesion(), lesion(2)],
            context(sop_instance_uid="2.25.502", instance_number=2, predecessors=(InstanceReference.of(first),)),
        )
    )
    assert second.SeriesInstanceUID == first.SeriesInstanceUID
    assert second.InstanceNumber == 2
    (series,) = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [first.SOPInstanceUID]


def test_the_same_arguments_give_the_same_bytes() -> None:
    files = []
    for _ in range(2):
        buffer = BytesIO()
        measurement_report(lesions(), context()).save_as(buffer, enforce_file_format=True)
        files.append(buffer.getvalue())
    assert files[0] == files[1]


def test_the_time_is_the_callers() -> None:
    report = measurement_report([lesion()], context())
    assert (report.ContentDate, report.ContentTime) == (NOW.strftime("%Y%m%d"), NOW.strftime("%H%M%S"))
    assert report.InstanceCreationDate == report.SeriesDate == report.ContentDate


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (measurement_report([], context()), "No lesion found above the operating point (AI, research only)"),
        (failure_report("no memory", context()), "Analysis failed: no memory (AI, research only)"),
    ],
)
def test_a_report_without_lesions_has_no_group_but_says_why(report: Dataset, said: str) -> None:
    read = read_back(report)
    assert groups_of(read) == []
    assert children(children(read, "C0034375")[0], "121106")[0].TextValue == said
    assert children(read, "111028"), "an Image Library"
    (study,) = read.CurrentRequestedProcedureEvidenceSequence
    assert len(study.ReferencedSeriesSequence[0].ReferencedSOPSequence) == 9


def test_a_report_without_lesions_has_the_title_that_the_viewer_shows_as_text() -> None:
    titles = [
        report.ConceptNameCodeSequence[0].CodeValue
        for report in (
            measurement_report([lesion()], context()),
            measurement_report([], context()),
            failure_report("no memory", context()),
        )
    ]
    assert titles == ["126000", "126001", "126001"]


def test_only_a_search_that_found_nothing_is_coded_as_such() -> None:
    none_found, failed = measurement_report([], context()), failure_report("no memory", context())
    assert children(children(none_found, "C0034375")[0], "121071")[0].ConceptCodeSequence[0].CodeValue == "373572006"
    assert not children(children(failed, "C0034375")[0], "121071")


def test_a_source_without_slice_thickness_is_reported_without_one() -> None:
    headers = ct_headers()
    for header in headers:
        header.SliceThickness = None
    library = children(measurement_report([lesion()], context(headers)), "111028")[0]
    images = [item for item in library.ContentSequence[0].ContentSequence if item.ValueType == "IMAGE"]
    assert len(images) == 1
    names = {item.ConceptNameCodeSequence[0].CodeMeaning for item in images[0].ContentSequence}
    assert "Slice Thickness" not in names
    assert "Vertical Pixel Spacing" in names
    assert headers[0].SliceThickness is None


def test_a_detection_on_another_series_is_refused() -> None:
    with pytest.raises(ContentError, match="not among the sources"):
        measurement_report([lesion(z=70)], context())


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagePositionPatient", "FrameOfReferenceUID"])
def test_a_source_without_geometry_is_refused_by_name(keyword: str) -> None:
    headers = ct_headers()
    del headers[4][keyword]
    with pytest.raises(GeometryError, match=keyword):
        measurement_report([lesion()], context(headers))


GEOMETRY = ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "FrameOfReferenceUID", "Rows")


def without_geometry() -> tuple[Dataset, ...]:
    headers = ct_headers()
    headers[3].Rows = 2 * int(headers[3].Rows)  # two sizes in one series
    for header in headers:
        for keyword in GEOMETRY[:4]:
            del header[keyword]
    return headers


@pytest.mark.parametrize("missing", [*GEOMETRY, "all of it"])
def test_the_failure_of_a_series_without_geometry_can_be_reported(missing: str) -> None:
    headers = without_geometry() if missing == "all of it" else ct_headers()
    if missing != "all of it":
        del headers[4][missing]  # the middle one stands in the library
    read = read_back(failure_report("no plane", context(headers)))
    (image,) = [
        item for item in children(read, "111028")[0].ContentSequence[0].ContentSequence if item.ValueType == "IMAGE"
    ]
    stated = {item.ConceptNameCodeSequence[0].CodeMeaning for item in image.ContentSequence}
    assert ("Vertical Pixel Spacing" in stated) == (missing not in ("PixelSpacing", "all of it"))
    assert ("Image Position (Patient) X" in stated) == (missing not in ("ImagePositionPatient", "all of it"))
    (study,) = read.CurrentRequestedProcedureEvidenceSequence
    assert len(study.ReferencedSeriesSequence[0].ReferencedSOPSequence) == 9


@pytest.mark.parametrize("position", [b"1.0\\2.0 ", b"1.0\\junk\\3.0 ", b"junk"])
def test_a_position_that_is_none_is_not_stated(position: bytes) -> None:
    headers = ct_headers()
    tag = Tag("ImagePositionPatient")
    headers[4][tag] = RawDataElement(tag, "DS", len(position), position, 0, False, True)  # as it comes from a file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_back(failure_report("no plane", context(headers)))
    (image,) = [
        item for item in children(read, "111028")[0].ContentSequence[0].ContentSequence if item.ValueType == "IMAGE"
    ]
    codes = {item.ConceptNameCodeSequence[0].CodeValue for item in image.ContentSequence}
    assert "110901" not in codes and "111026" in codes


@pytest.mark.slow
def test_dcmqi_reads_the_same_measurements(tmp_path: Path) -> None:
    path, answer = tmp_path / "sr.dcm", tmp_path / "sr.json"
    measurement_report(lesions(), context()).save_as(path, enforce_file_format=True)
    subprocess.run(
        [PROGRAMS / "tid1500reader", "--inputDICOM", path, "--outputMetadata", answer],
        capture_output=True,
        check=True,
    )
    read = json.loads(answer.read_text())["Measurements"]
    assert [group["TrackingUniqueIdentifier"] for group in read[::2]] == [d.tracking_uid for d in lesions()]
    for detection, group in zip(lesions(), read[1::2], strict=True):
        values = {item["quantity"]["CodeMeaning"]: float(item["value"]) for item in group["measurementItems"]}
        assert values == {
            "Long Axis": pytest.approx(detection.long_axis_mm, abs=1e-3),
            "Short Axis": pytest.approx(detection.short_axis_mm, abs=1e-3),
        }
        assert group["measurementAlgorithmIdentification"] == {
            "AlgorithmName": MODEL.name,
            "AlgorithmVersion": MODEL.model_id,
        }
