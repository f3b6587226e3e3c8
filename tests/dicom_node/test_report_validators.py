"""Every structured report in every case, before the validators of others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from dciodvfy import errors_in
from pixelmed import validate
from pydicom import Dataset
from report_sources import (
    SHAPES,
    STUDY,
    Whole,
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

from dicom_node.report.context import InstanceReference
from dicom_node.report.profiles import PROFILES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SR_PROFILES = [name for name, profile in PROFILES.items() if profile.kind == "SR"]
EARLIER = InstanceReference(STUDY, "2.25.500", PROFILES["ohif"].sop_class_uid, "2.25.499")
JUDGED_BY_PIXELMED = ("ohif", "air")
TO_PIXELMED = ("superseding", "prior, no site", "frames", "none", "failed")
"""It looks at the tree and not at the geometry, and takes seconds for each. Of several lesions and of one alone: by the
number of regions it chooses the template.
"""


def superseding() -> Whole:
    masks = segmentation(lesions(), context())
    assert masks is not None
    links = {each.detection_id: "https://viewer.example/{study}?a=1&b=2" for each in lesions()}
    return context(predecessors=(EARLIER,), segmentation=InstanceReference.of(masks), links=links)


def without(*keywords: str) -> tuple[Dataset, ...]:
    headers = ct_headers()
    for header in headers:
        for keyword in keywords:
            header[keyword].value = None
    return headers


GEOMETRY = ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "FrameOfReferenceUID")
CASES: dict[str, Callable[[str], Dataset]] = {
    **{shape: partial(measurement_report, lesions(), context(ct_headers(shape))) for shape in SHAPES},
    "superseding": partial(measurement_report, lesions(), superseding()),
    "prior, no site": partial(
        measurement_report, [with_prior(lesion(category=""), 7.0)], context(ct_headers("oblique"))
    ),
    "frames": partial(measurement_report, [in_frame(lesion(1)), in_frame(lesion(2, z=6))], context(enhanced_ct())),
    "no thickness": partial(measurement_report, [lesion()], context(without("SliceThickness"))),
    "none": partial(measurement_report, [], context()),
    "failed": partial(failure_report, "no memory", context()),
    "failed on frames": partial(failure_report, "no memory", context(enhanced_ct())),
    "failed without geometry": partial(failure_report, "no plane", context(without(*GEOMETRY))),
}


def written(folder: Path, profile: str, case: str) -> Path:
    path = folder / f"{profile} {case}.dcm".replace(" ", "_")
    CASES[case](profile).save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("profile", SR_PROFILES)
@pytest.mark.parametrize("case", CASES)
def test_dciodvfy_finds_no_error(case: str, profile: str, tmp_path: Path) -> None:
    path = written(tmp_path, profile, case)
    assert errors_in(path, "Comprehensive3DSR" if "comprehensive" not in profile else "ComprehensiveSR") == []


@pytest.fixture(scope="session")
def said_by_pixelmed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """Of each profile and case; one JVM for all of them, for it takes seconds to compile its rules."""
    folder = tmp_path_factory.mktemp("reports")
    asked = {(profile, case): written(folder, profile, case) for profile in JUDGED_BY_PIXELMED for case in TO_PIXELMED}
    said = validate([*asked.values()])
    return {key: said[path] for key, path in asked.items()}


@pytest.mark.parametrize("profile", JUDGED_BY_PIXELMED)
@pytest.mark.parametrize("case", TO_PIXELMED)
def test_pixelmed_finds_no_error(case: str, profile: str, said_by_pixelmed: dict[tuple[str, str], str]) -> None:
    said = said_by_pixelmed[profile, case]
    assert "Found Root Template TID_1500" in said
    assert "Root Template Validation Complete" in said
    assert "Error" not in said
