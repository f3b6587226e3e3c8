"""Which encodings there are, and which codes a category's name gives."""

from __future__ import annotations

import pytest
from report_sources import context, lesion

from db.errors import ConfigError
from dicom_node.report.concepts import codes_of
from dicom_node.report.profiles import NOT_BUILT, PROFILES, profile_named


def test_a_profile_builds_what_it_announces() -> None:
    for name, profile in PROFILES.items():
        assert profile_named(name) is profile
        result = profile.build([lesion()], context())
        assert result is not None
        assert (str(result.SOPClassUID), result.Modality) == (profile.sop_class_uid, profile.kind)
        assert str(result.file_meta.TransferSyntaxUID) == profile.transfer_syntax_uid


def test_the_segmentation_is_built_before_the_report_that_refers_to_it() -> None:
    assert sorted(PROFILES, key=lambda name: PROFILES[name].build_order) == ["seg", "ohif"]


@pytest.mark.parametrize("name", NOT_BUILT)
def test_a_name_kept_for_later_is_refused_as_not_built(name: str) -> None:
    with pytest.raises(ConfigError, match=f"not built yet .*profile={name}"):
        profile_named(name)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no profile has this name .*built=ohif, seg"):
        profile_named("pdf")


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
