"""Which encodings there are, and which codes a category's name gives."""

from __future__ import annotations

import pytest
from report_sources import context, lesion

from dicom_node.report.concepts import codes_of
from dicom_node.report.profiles import PROFILES


def test_a_profile_builds_what_it_announces() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        result = profile.build([lesion()], context())
        assert result is not None
        assert (str(result.SOPClassUID), result.Modality) == (profile.sop_class_uid, profile.kind)
        assert str(result.file_meta.TransferSyntaxUID) == profile.transfer_syntax_uid


def test_the_segmentation_is_built_before_the_report_that_refers_to_it() -> None:
    assert sorted(PROFILES, key=lambda name: PROFILES[name].build_order) == ["seg", "ohif"]


@pytest.mark.parametrize(
    ("category", "finding", "site"),
    [
        ("", "Lesion", None),
        ("category 7", "Lesion", None),
        ("Liver cyst", "Cyst", "Liver"),
        ("lung nodule", "Nodule", "Lung"),
        ("lymph nodes of the mediastinum", "Lesion", "Lymph node"),
        ("mediastinum: lymph nodes", "Lesion", "Mediastinum"),
        ("Soft  tissue MASS", "Mass", "Soft tissue"),
        ("soft-tissue metastasis", "Metastasis", "Soft tissue"),
        ("oncyst", "Lesion", None),
    ],
)
def test_a_category_gives_the_codes_of_its_words(category: str, finding: str, site: str | None) -> None:
    codes = codes_of(category)
    assert codes.finding.meaning == finding
    assert (codes.site.meaning if codes.site else None) == site
