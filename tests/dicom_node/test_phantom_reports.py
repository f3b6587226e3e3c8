"""Reports of the simulated readers: read back tag by tag, they say what was drawn."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from dciodvfy import said_of
from phantom_studies import plane_of, small_study
from pydicom.dataset import Dataset

from db.geometry import Axis, PointPx
from dicom_node.phantom.readings import READERS, Dialect
from dicom_node.phantom.sr_reports import BIDIRECTIONAL
from dicom_node.phantom.study import PhantomStudy, make_study

HAND_PX = 2.2
"""A hand's jitter is cut at 1.5 px in each direction."""

LONG, SHORT = "103339001", "103340004"


def study_in(dialect: Dialect) -> PhantomStudy:
    return next(study for study in map(small_study, range(40)) if study.dialect is dialect)


def nodes(ds: Dataset) -> Iterator[Dataset]:
    yield ds
    for child in ds.get("ContentSequence", []):
        yield from nodes(child)


def concept(node: Dataset) -> str:
    return node.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in node else ""


def groups(report: Dataset) -> list[Dataset]:
    return [node for node in nodes(report) if node.get("ValueType") == "CONTAINER" and concept(node) == "125007"]


def numbers(group: Dataset) -> dict[str, Dataset]:
    return {concept(node): node for node in nodes(group) if node.get("ValueType") == "NUM"}


def value_mm(number: Dataset) -> float:
    measured = number.MeasuredValueSequence[0]
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    return float(measured.NumericValue)


def drawn(number: Dataset) -> tuple[Axis, str]:
    (scoord,) = number.ContentSequence
    assert (scoord.ValueType, scoord.GraphicType, scoord.RelationshipType) == ("SCOORD", "POLYLINE", "INFERRED FROM")
    (image,) = scoord.ContentSequence
    assert image.RelationshipType == "SELECTED FROM"
    x1, y1, x2, y2 = scoord.GraphicData
    return axis_of(x1, y1, x2, y2), image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID


def axis_of(x1: float, y1: float, x2: float, y2: float) -> Axis:
    return Axis(PointPx.from_scoord(x1, y1), PointPx.from_scoord(x2, y2))


def is_near(one: Axis, other: Axis) -> bool:
    straight = max(one.a.distance_px(other.a), one.b.distance_px(other.b))
    crossed = max(one.a.distance_px(other.b), one.b.distance_px(other.a))
    return min(straight, crossed) <= HAND_PX


def agrees(long_axis: Axis, short_axis: Axis, lesion) -> bool:
    """A round lesion's axes may have changed places under the hand."""
    truth = lesion.long_axis, lesion.short_axis
    return any(is_near(long_axis, a) and is_near(short_axis, b) for a, b in (truth, truth[::-1]))


@pytest.mark.parametrize("dialect", [Dialect.OHIF, Dialect.AXES])
def test_lines_of_an_sr_lie_on_the_true_axes_and_state_their_own_length(dialect: Dialect) -> None:
    study = study_in(dialect)
    spacing = plane_of(study.images[0]).spacing
    marked = [lesion for lesion in study.lesions if lesion.marked]
    found = groups(study.reports[0])
    assert len(found) == len(marked) >= 1
    for group, lesion in zip(found, marked, strict=True):
        (long_axis, image), (short_axis, _) = drawn(numbers(group)[LONG]), drawn(numbers(group)[SHORT])
        assert image == lesion.key_sop_instance_uid
        assert agrees(long_axis, short_axis, lesion)
        assert value_mm(numbers(group)[LONG]) == pytest.approx(long_axis.length_mm(spacing), abs=0.06)
        assert value_mm(numbers(group)[SHORT]) == pytest.approx(short_axis.length_mm(spacing), abs=0.06)
        assert value_mm(numbers(group)[LONG]) >= value_mm(numbers(group)[SHORT])


def test_ohif_writes_its_own_identifier_meanings_and_fresh_tracking_uids() -> None:
    report = study_in(Dialect.OHIF).reports[0]
    uids = [node.UID for node in nodes(report) if concept(node) == "112040"]
    assert {node.TextValue for node in nodes(report) if concept(node) == "112039"} == {BIDIRECTIONAL}
    assert len(set(uids)) == len(groups(report))
    for group in groups(report):
        meanings = [n.ConceptNameCodeSequence[0].CodeMeaning for n in numbers(group).values()]
        assert meanings == ["Long Axis", "Short Axis"]


def test_a_region_is_a_closed_contour_and_its_numbers_have_no_points() -> None:
    study = study_in(Dialect.REGION)
    marked = [lesion for lesion in study.lesions if lesion.marked]
    for group, lesion in zip(groups(study.reports[0]), marked, strict=True):
        (region,) = (node for node in group.ContentSequence if node.ValueType == "SCOORD")
        points = list(zip(region.GraphicData[::2], region.GraphicData[1::2], strict=True))
        assert points[0] == points[-1]
        assert len(points) == len(lesion.outline) + 1
        first = PointPx.from_scoord(*points[0])
        assert first.distance_px(lesion.outline[0]) <= HAND_PX
        assert all("ContentSequence" not in number for number in numbers(group).values())
        assert value_mm(numbers(group)[LONG]) == pytest.approx(lesion.long_axis_mm, abs=6)


def test_a_gsps_has_two_lines_in_pixel_units_and_the_text_with_the_values() -> None:
    study = study_in(Dialect.GSPS)
    spacing = plane_of(study.images[0]).spacing
    (report,) = study.reports
    sign = next(reader.decimal_sign for reader in READERS if reader.name == str(report.ContentCreatorName))
    marked = [lesion for lesion in study.lesions if lesion.marked]
    for annotation, lesion in zip(report.GraphicAnnotationSequence, marked, strict=True):
        assert annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID == lesion.key_sop_instance_uid
        lines = annotation.GraphicObjectSequence
        assert {line.GraphicAnnotationUnits for line in lines} == {"PIXEL"}
        long_axis, short_axis = (axis_of(*line.GraphicData) for line in lines)
        assert agrees(long_axis, short_axis, lesion)
        text = annotation.TextObjectSequence[0].UnformattedTextValue
        shown = f"{long_axis.length_mm(spacing):.1f} x {short_axis.length_mm(spacing):.1f} mm"
        assert text == shown.replace(".", sign)


def test_one_workplace_writes_decimal_commas() -> None:
    texts = [
        annotation.TextObjectSequence[0].UnformattedTextValue
        for study in map(small_study, range(40))
        for report in study.reports
        if study.dialect is Dialect.GSPS
        for annotation in report.GraphicAnnotationSequence
    ]
    assert any("," in text for text in texts)
    assert any("." in text for text in texts)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_report_belongs_to_the_study_has_its_own_series_and_no_date_of_the_clock(dialect: Dialect) -> None:
    study = study_in(dialect)
    (report,) = study.reports
    image = study.images[0]
    assert (report.StudyInstanceUID, report.PatientID) == (image.StudyInstanceUID, image.PatientID)
    assert report.SeriesInstanceUID != image.SeriesInstanceUID
    assert report.file_meta.MediaStorageSOPInstanceUID == report.SOPInstanceUID
    dates = [element.value for element in report.iterall() if element.VR in ("DA", "DT") and element.value]
    assert dates
    assert not [value for value in dates if str(value).startswith(date.today().strftime("%Y%m%d"))]


@pytest.mark.parametrize("dialect", [Dialect.OHIF, Dialect.AXES, Dialect.REGION])
def test_the_reader_is_named_as_the_person_observer(dialect: Dialect) -> None:
    names = [str(node.PersonName) for node in nodes(study_in(dialect).reports[0]) if node.get("ValueType") == "PNAME"]
    assert len(names) == 1
    assert names[0] in {reader.name for reader in READERS}


@pytest.mark.slow
def test_dciodvfy_finds_no_error_in_images_and_reports(tmp_path: Path) -> None:
    complaints, seen = set(), set()
    for index in range(14):
        for study in (small_study(index), make_study(23, index)):
            for ds in (study.images[0], study.images[-1], *study.reports):
                path = tmp_path / "object.dcm"
                ds.save_as(path, enforce_file_format=True)
                seen.add(study.dialect if ds.Modality != "CT" else "CT")
                complaints |= {line for line in said_of(path) if line.startswith(("Error", "Warning"))}
    assert complaints == set()
    assert seen == {"CT", *Dialect}
