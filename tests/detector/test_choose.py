"""Which series is analysed, and why the others are not."""

from dataclasses import replace

import pytest

from detector.choose import Candidate, choose, reason_against, why_none

SOFT = Candidate("1.2.1", "CT", 40, frozenset({"ORIGINAL", "PRIMARY", "AXIAL"}), "B30f", 3.0, 4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"modality": "MR"}, "modality MR is not CT"),
        ({"modality": ""}, "modality unknown is not CT"),
        ({"image_types": frozenset({"ORIGINAL", "LOCALIZER"})}, "it is a localizer"),
        ({"images": 9}, "it has 9 images, fewer than 10"),
        ({"images": 10}, ""),
        ({"image_types": frozenset({"DERIVED", "PROJECTION IMAGE"})}, "it is a projection"),
        ({"multi_frame": True}, "its images are multi-frame, and results on such are not built yet"),
        ({"frame_of_reference": False}, "it has no Frame of Reference UID, which a result must name"),
    ],
)
def test_a_series_is_refused_with_its_reason(changes: dict[str, object], reason: str) -> None:
    assert reason_against(replace(SOFT, **changes)) == reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "worse",
    [
        {"convolution_kernel": "B70s", "images": 400},
        {"convolution_kernel": "LUNG", "slice_interval_mm": 1.0},
        {"image_types": frozenset({"DERIVED", "SECONDARY"}), "images": 60},
        {"images": 39},
        {"slice_interval_mm": 5.0},
        {"slice_interval_mm": None},
        {"series_number": 5},
        {"series_number": None},
    ],
)
def test_the_better_series_is_taken_in_either_order(worse: dict[str, object]) -> None:
    other = replace(SOFT, series_instance_uid="1.2.0", **worse)  # type: ignore[arg-type]
    for candidates in ([SOFT, other], [other, SOFT]):
        best, reasons = choose(candidates)
        assert best is SOFT and reasons == {"1.2.0": "another series of the study suits better"}


def test_a_study_without_a_usable_series_says_why() -> None:
    scout = replace(SOFT, series_instance_uid="1.2.3", image_types=frozenset({"LOCALIZER"}))
    mr = [replace(SOFT, series_instance_uid=f"1.2.{n}", modality="MR") for n in (4, 5)]
    best, reasons = choose([scout, *mr])
    assert best is None
    assert why_none(reasons) == "1 series: it is a localizer; 2 series: modality MR is not CT"
    assert why_none(choose([])[1]) == "the study has no images"
