"""What an image was made for: every purpose by the elements that say so, and images that only look like it."""

import pytest
from builders import ct_instance
from builders_images import US, image_of
from ct_series import ct_slice
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from db.geometry import PixelSpacing
from mining.headers import read_header
from mining.image_purpose import PURPOSES, purpose_of

SC = "1.2.840.10008.5.1.4.1.1.7"


def with_elements(ds: Dataset, **elements: object) -> Dataset:
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("elements", "purpose"),
    [
        ({}, ""),
        ({"QualityControlImage": "YES"}, "quality control"),
        ({"QualityControlImage": "NO"}, ""),
        ({"QualityControlImage": "BOTH"}, ""),
        ({"QualityControlSubject": "YES"}, "phantom"),
        ({"QualityControlSubject": "NO"}, ""),
        ({"QualityControlSubjectTypeCodeSequence": Sequence([Dataset()])}, "phantom"),
        ({"BodyPartExamined": "PHANTOM"}, "phantom"),
        ({"BodyPartExamined": "HEAD_PHANTOM"}, "phantom"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "TOPOGRAM"]}, "localizer"),
        ({"ImageType": ["LOCALIZER", "PRIMARY", "AXIAL"]}, ""),
        ({"SeriesDescription": "Scout"}, "localizer"),
        ({"SeriesDescription": "Localizers"}, "localizer"),
        ({"SeriesDescription": "Topogramm 0.6 T20f"}, "localizer"),
        ({"SeriesDescription": "SURVIEW_512"}, "localizer"),
        ({"SeriesDescription": "3-plane loc"}, "localizer"),
        ({"SeriesDescription": "Scouting for lesions"}, ""),
        ({"SeriesDescription": "Bone survey"}, ""),
        ({"SeriesDescription": "Survey", "Modality": "MR"}, "localizer"),
        ({"SeriesDescription": "haste_loc", "Modality": "MR"}, "localizer"),
        ({"SeriesDescription": "Local staging", "Modality": "MR"}, ""),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "dose screen"),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER", "DOSE_INFO"]}, "dose screen"),
        ({"SeriesDescription": "Dose Report"}, "dose screen"),
        ({"SeriesDescription": "Patient Protocol"}, "dose screen"),
        ({"SeriesDescription": "Low dose thorax"}, ""),
        ({"BurnedInAnnotation": "YES"}, "burned in"),
        ({"BurnedInAnnotation": "NO", "RecognizableVisualFeatures": "YES"}, ""),
        ({"SOPClassUID": SC}, "secondary capture"),
        ({"SOPClassUID": SC, "ConversionType": "WSD"}, "secondary capture"),
        ({"SOPClassUID": SC + ".4", "ConversionType": "SYN"}, "secondary capture"),
        ({"SOPClassUID": SC, "ConversionType": "DI"}, ""),
        ({"SOPClassUID": SC, "ConversionType": "DF"}, ""),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1", "ConversionType": "WSD"}, ""),
        ({"QualityControlImage": "YES", "BurnedInAnnotation": "YES"}, "quality control"),
    ],
)
def test_an_image_says_what_it_was_made_for(elements: dict[str, object], purpose: str) -> None:
    ds = with_elements(ct_instance(), **elements)
    assert purpose_of(ds) == purpose
    header = read_header(ds).image
    assert header is not None and header.purpose == purpose


def test_every_purpose_is_said_by_some_image() -> None:
    """A site's list of those that it lets in is held against them."""
    (parameters,) = [m for m in test_an_image_says_what_it_was_made_for.pytestmark if m.name == "parametrize"]
    assert {purpose for _, purpose in parameters.args[1]} == {"", *PURPOSES}


def test_the_name_of_a_patient_says_nothing() -> None:
    ds = with_elements(ct_slice(0), PatientName="QC^Phantom", PatientID="PHANTOM-1")
    assert purpose_of(ds) == ""


def test_an_image_without_a_header_is_an_ordinary_one() -> None:
    assert purpose_of(Dataset()) == ""


def test_a_captured_ultrasound_image_is_named_and_keeps_its_spacing() -> None:
    ds = with_elements(image_of(US, "US", orientation=None), BurnedInAnnotation="YES")
    header = read_header(ds).image
    assert header is not None and (header.purpose, header.spacing) == ("burned in", PixelSpacing(0.8, 0.5))
