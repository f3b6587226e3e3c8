"""Which encodings there are, and which codes a category's name gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_sources import context, lesion

from dicom_node.report.concepts import BUILT_IN
from dicom_node.report.context import Identity
from dicom_node.report.encode import encode
from dicom_node.report.profiles import PROFILES, Profile
from dicom_node.report.subject import describe


def test_a_profile_builds_what_it_announces() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        result = profile.build(describe([lesion()], context().context), context().identity)
        assert result is not None
        modality = "OT" if profile.kind == "SC" else profile.kind  # a picture is of no modality (PS3.3 C.7.3.1.1.1)
        assert (str(result.SOPClassUID), result.Modality) == (profile.sop_class_uid, modality)
        assert str(result.file_meta.TransferSyntaxUID) == profile.transfer_syntax_uid


def test_what_a_refused_profile_falls_back_to_ends_somewhere() -> None:
    for profile in PROFILES.values():
        chain = [profile]
        while chain[-1].fallback:
            chain.append(PROFILES[chain[-1].fallback])
            assert len({each.name for each in chain}) == len(chain), "a circle"


def test_a_report_names_the_segmentation_that_is_built_with_it_whatever_the_order_of_the_names() -> None:
    whole = context()

    def identity(profile: Profile) -> Identity:
        return replace(whole.identity, sop_instance_uid=f"2.25.{profile.series_number}")

    made = encode(describe([lesion()], whole.context), ("ohif", "seg"), identity)
    assert [profile.name for profile, _ in made] == ["seg", "ohif"]
    (_, mask), (_, report) = made
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    named = {item.ReferencedSOPInstanceUID for series in evidence for item in series.ReferencedSOPSequence}
    assert mask.SOPInstanceUID in named


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
    codes = BUILT_IN.codes_of(category)
    assert codes.finding.meaning == finding
    assert (codes.site.meaning if codes.site else None) == site
