"""What a result takes over from its source, and how it is known to be stale."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from report_sources import MODEL, context, ct_headers, lesion, measurement_report, segmentation

from db.errors import ContentError
from dicom_node.report.context import Context, ModelDescription
from dicom_node.report.header import PATIENT, STUDY, copied_header, header_sha256, local_time, series_description

KYRILL = "Пирогов^Николай"


def through_bytes(dataset: Dataset, character_set: str | list[str], syntax: str = ExplicitVRLittleEndian) -> Dataset:
    dataset.SpecificCharacterSet = character_set
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return dcmread(BytesIO(buffer.getvalue()), force=True)


def source(**values: object) -> Dataset:
    header = ct_headers()[0]
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return header


def both(headers: tuple[Dataset, ...]) -> tuple[Dataset, Dataset]:
    masks = segmentation([lesion()], context(headers))
    assert masks is not None
    results = []
    for result in (measurement_report([lesion()], context(headers)), masks):
        buffer = BytesIO()
        result.save_as(buffer, enforce_file_format=True)
        results.append(dcmread(BytesIO(buffer.getvalue())))
    return results[0], results[1]


def test_patient_and_study_are_those_of_the_source() -> None:
    headers = ct_headers()
    for result in both(headers):
        for keyword in (*PATIENT, *STUDY):
            assert result.get(keyword) == headers[0].get(keyword), keyword
        assert result.SpecificCharacterSet == "ISO_IR 192"


def test_no_two_attributes_are_listed_twice() -> None:
    assert len({*PATIENT, *STUDY}) == len(PATIENT) + len(STUDY)


@pytest.mark.parametrize("character_set", ["ISO_IR 144", "ISO_IR 192", ["", "ISO 2022 IR 144"]])
def test_names_survive_the_change_of_character_set(character_set: str | list[str]) -> None:
    headers = list(ct_headers())
    qualifier = Dataset()
    qualifier.PatientID = "Б-7"
    headers[0].OtherPatientIDsSequence = Sequence([qualifier])
    headers[0].PatientName = KYRILL
    headers[0].ReferringPhysicianName = KYRILL
    headers[0] = through_bytes(headers[0], character_set)
    for result in both(tuple(headers)):
        assert str(result.PatientName) == KYRILL
        assert result.OtherPatientIDsSequence[0].PatientID == "Б-7"


def test_values_that_break_the_standard_are_copied_as_they_stand() -> None:
    headers = list(ct_headers())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        headers[0].PatientSex = "male"
        headers[0].PatientBirthDate = "28.2.1950"
        headers[0].StudyTime = "10:11:12"
        headers[0].PatientID = "P" * 70
        headers[0] = through_bytes(headers[0], "ISO_IR 100")
        for result in both(tuple(headers)):
            assert (result.PatientSex, result.PatientBirthDate, result.StudyTime, result.PatientID) == (
                "male",
                "28.2.1950",
                "10:11:12",
                "P" * 70,
            )


def test_what_a_source_lacks_is_empty_where_it_must_be_there() -> None:
    headers = ct_headers()
    for keyword in ("PatientBirthDate", "AccessionNumber", "StudyTime", "ReferringPhysicianName", "IssuerOfPatientID"):
        del headers[0][keyword]
    for result in both(headers):
        assert not result.PatientBirthDate
        assert not result.AccessionNumber
        assert not result.ReferringPhysicianName
        assert "IssuerOfPatientID" not in result


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "P-18"),
        ("IssuerOfPatientID", "Other"),
        ("PatientName", "Müller^Jorg"),
        ("AccessionNumber", "A-5"),
        ("StudyInstanceUID", "1.2.3"),
        ("PatientBirthDate", "19500229"),
    ],
)
def test_a_correction_changes_the_fingerprint(keyword: str, value: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert header_sha256(source(**{keyword: value})) != header_sha256(source())


def test_what_is_not_copied_does_not_change_it() -> None:
    assert header_sha256(source(SliceThickness=9, SeriesDescription="x")) == header_sha256(source())
    assert header_sha256(ct_headers()[4]) == header_sha256(ct_headers()[0])


def test_another_encoding_of_the_same_text_does_not_change_it() -> None:
    latin = through_bytes(source(), "ISO_IR 100")
    utf8 = through_bytes(source(), "ISO_IR 192", ImplicitVRLittleEndian)
    assert header_sha256(latin) == header_sha256(utf8) == header_sha256(source())


def test_the_source_stays_as_it_was() -> None:
    header = source()
    before = header.to_json()
    copied_header(header)
    header_sha256(header)
    both((header, *ct_headers()[1:]))
    assert header.to_json() == before


@pytest.mark.parametrize(
    ("offset", "hour"),
    [
        ("+0530", 14), ("-0300", 6), ("+1400", 23), ("", 9), (None, 9), ("junk!", 9), ("+05300", 9), ("+9999", 9),
        ("+1401", 9), ("-2400", 9),
    ],
)  # fmt: skip
def test_times_are_written_in_the_zone_of_the_source(offset: str | None, hour: int) -> None:
    moment = datetime(2026, 11, 24, 9, 8, 7, tzinfo=UTC)
    header = source()
    if offset is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header.TimezoneOffsetFromUTC = offset
    assert local_time(header, moment).hour == hour
    assert local_time(header, moment) - moment == timedelta(0)


def test_the_zone_goes_with_the_times() -> None:
    headers = (source(TimezoneOffsetFromUTC="+0100"), *ct_headers()[1:])
    for result in both(headers):
        assert (result.TimezoneOffsetFromUTC, result.ContentTime, result.StudyTime) == ("+0100", "100807", "101112")


def test_a_context_refuses_a_time_without_zone_no_images_and_two_series() -> None:
    with pytest.raises(ContentError, match="zone"):
        context(created_at=datetime(2026, 11, 24))
    with pytest.raises(ContentError, match="images"):
        Context((), MODEL, datetime(2026, 11, 24, tzinfo=UTC))
    with pytest.raises(ContentError, match="one series"):
        context((*ct_headers(), source(SeriesInstanceUID="1.2.3")))


@pytest.mark.parametrize("model_id", ["", "x" * 65])
def test_a_model_without_or_with_too_long_a_name_is_refused(model_id: str) -> None:
    with pytest.raises(ContentError, match="field=model_id"):
        ModelDescription("Lesion node", model_id, "m", "1", "2.25.1")


@pytest.mark.parametrize(
    ("what", "name", "model_id", "description"),
    [
        ("SR", "Node", "0123456789ab", "AI, research only: SR, Node 0123456789ab"),
        ("SEG", "A detector of lesions in computed tomography", "0123456789ab",
         "AI, research only: SEG, A detector of lesions in co 0123456789ab"),
        ("SR", "Node", "m" * 64, f"AI, research only: SR, Node {'m' * 31}"),
    ],
)  # fmt: skip
def test_a_series_is_named_by_what_it_holds_and_the_model_whose_id_is_never_cut_away(
    what: str, name: str, model_id: str, description: str
) -> None:
    made = series_description(what, replace(MODEL, name=name, model_id=model_id))
    assert made == description
    assert len(made) <= 64


def test_every_result_says_which_model_made_it() -> None:
    for result in both(ct_headers()):
        assert result.SeriesDescription.endswith(f" {MODEL.model_id}")
