"""Headers of broken objects: what cannot be read costs its own value and nothing else."""

import struct

import pytest
from ct_series import COL_MM, ROW_MM, ct_slice
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from db.geometry import PixelSpacing
from mining.headers import read_header

DEEPER_THAN_PYTHON = 3000


def nested(keyword: str) -> RawDataElement:
    """A sequence in its own first item, over and over, as it stands in a file: pydicom unfolds it on access."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    open_one = struct.pack("<HH2sHIHHI", tag.group, tag.element, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    close_one = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    inside = open_one * DEEPER_THAN_PYTHON + close_one * DEEPER_THAN_PYTHON
    value = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
    return RawDataElement(tag, "SQ", len(value), value, 0, False, True)


def with_nested(keyword: str) -> Dataset:
    ds = ct_slice(0)
    ds.Modality, ds.PatientID = "CT", "P-17"
    ds[keyword] = nested(keyword)
    return ds


@pytest.mark.parametrize("keyword", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"])
def test_functional_groups_nested_deeper_than_python_can_follow_cost_only_the_planes(keyword: str) -> None:
    header = read_header(with_nested(keyword))
    assert (header.patient.patient_id, header.series.modality) == ("P-17", "CT")
    assert header.image is not None
    assert (header.image.planes, header.image.spacing) == ((), PixelSpacing(ROW_MM, COL_MM))


@pytest.mark.parametrize("keyword", ["SequenceOfUltrasoundRegions", "QualityControlSubjectTypeCodeSequence"])
def test_sequences_nested_deeper_than_python_can_follow_cost_only_what_they_say(keyword: str) -> None:
    ds = with_nested(keyword)
    del ds.PixelSpacing
    header = read_header(ds)
    assert header.series.modality == "CT"
    assert header.image is not None
    assert (header.image.spacing, header.image.purpose) == (None, "")


def test_an_anatomic_region_nested_deeper_than_python_can_follow_costs_only_the_body_part() -> None:
    header = read_header(with_nested("AnatomicRegionSequence"))
    assert (header.patient.patient_id, header.series.body_part) == ("P-17", "")
    assert header.image is not None
    assert len(header.image.planes) == 1


@pytest.mark.filterwarnings("ignore:The value length:UserWarning")
def test_a_patient_id_of_any_length_is_cut_to_what_an_index_takes() -> None:
    ds = ct_slice(0)
    ds["PatientID"] = RawDataElement(BaseTag(0x00100020), "LO", 3000, b"7" * 3000, 0, False, True)
    ds["IssuerOfPatientID"] = RawDataElement(BaseTag(0x00100021), "LO", 3000, b"8" * 3000, 0, False, True)
    patient = read_header(ds).patient
    assert (patient.patient_id, patient.issuer_of_patient_id) == ("7" * 256, "8" * 256)


@pytest.mark.parametrize("position", [["nan", "0", "1.5"], ["1.5", "inf", "0"], ["0", "1.5", "1e400"]])
def test_a_position_that_is_no_finite_number_costs_only_the_plane(position: list[str]) -> None:
    ds = ct_slice(0)
    value = "\\".join(position).encode()
    ds["ImagePositionPatient"] = RawDataElement(
        BaseTag(0x00200032), "DS", len(value), value, 0, False, True
    )  # as it stands in a file
    header = read_header(ds)
    assert header.image is not None
    assert (header.image.planes, header.image.spacing) == ((), PixelSpacing(ROW_MM, COL_MM))
