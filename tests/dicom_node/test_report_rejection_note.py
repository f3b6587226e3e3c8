"""A rejection note: what it says, of what, and that a validator finds nothing wrong with it."""

from datetime import timedelta
from pathlib import Path

import pytest
from dciodvfy import errors_of
from pydicom import Dataset
from report_sources import MODEL, NOW, ct_headers

from dicom_node.report.context import Context, Identity, InstanceReference
from dicom_node.report.rejection_note import SERIES_NUMBER, TITLES, rejection_note

REJECTED = InstanceReference("1.2.826.0.1.3680043.10.1", "2.25.7", "1.2.840.10008.5.1.4.1.1.88.34", "2.25.7001")


def note(because: str = "withdrawn", kind: str = "SR") -> Dataset:
    context = Context(ct_headers()[:1], MODEL, NOW + timedelta(days=1))
    return rejection_note(REJECTED, kind, because, context, Identity("2.25.8", "2.25.9", SERIES_NUMBER, 2))


def titles(ds: Dataset) -> tuple[str, str]:
    (title,) = ds.ConceptNameCodeSequence
    return title.CodeValue, title.CodingSchemeDesignator


@pytest.mark.parametrize(
    ("because", "code"), [("withdrawn", "113037"), ("rejected", "113001"), ("superseded", "113001")]
)
def test_its_title_says_why_and_its_only_reference_what(because: str, code: str) -> None:
    ds = note(because)
    assert titles(ds) == (code, "DCM")
    (study,) = ds.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    (evidence,) = series.ReferencedSOPSequence
    (content,) = [
        item for item in ds.ContentSequence if item.RelationshipType == "CONTAINS" and "TextValue" not in item
    ]
    (reference,) = content.ReferencedSOPSequence
    named = (study.StudyInstanceUID, series.SeriesInstanceUID, evidence.ReferencedSOPInstanceUID)
    assert named == (REJECTED.study_instance_uid, REJECTED.series_instance_uid, REJECTED.sop_instance_uid)
    assert reference.ReferencedSOPInstanceUID == REJECTED.sop_instance_uid
    assert reference.ReferencedSOPClassUID == evidence.ReferencedSOPClassUID == REJECTED.sop_class_uid


@pytest.mark.parametrize(("kind", "value_type"), [("SR", "COMPOSITE"), ("PR", "COMPOSITE"), ("SEG", "IMAGE")])
def test_a_segmentation_is_an_image_and_a_report_is_none(kind: str, value_type: str) -> None:
    assert value_type in {item.ValueType for item in note(kind=kind).ContentSequence}


def test_it_lies_in_its_own_series_of_the_patients_study() -> None:
    ds, (source,) = note(), ct_headers()[:1]
    assert (ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.SeriesNumber, ds.InstanceNumber) == (
        "2.25.8", "2.25.9", SERIES_NUMBER, 2,
    )  # fmt: skip
    assert (ds.StudyInstanceUID, ds.PatientID, ds.PatientName) == (
        source.StudyInstanceUID, source.PatientID, source.PatientName,
    )  # fmt: skip
    assert "rejection note" in ds.SeriesDescription


@pytest.mark.parametrize("because", TITLES)
def test_a_validator_finds_no_error(because: str, tmp_path: Path) -> None:
    assert errors_of(note(because), tmp_path, "KeyObjectSelection") == []
