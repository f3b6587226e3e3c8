"""Encodings of what is unusual but right: dciodvfy finds no error in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset
from read_back import reread, validated
from report_sources import context, ct_headers, enhanced_ct, in_frame, lesion, lesions

from db.detection import Detection, Mask
from db.geometry import BoxPx
from dicom_node.report.profiles import PROFILES
from dicom_node.report.subject import describe

pytestmark = pytest.mark.slow

Case = tuple[tuple[Dataset, ...], list[Detection]]


def frames() -> Case:
    return enhanced_ct("oblique"), [in_frame(each) for each in lesions()]


def one_slice_of_unknown_thickness() -> Case:
    images, mask = ct_headers("oblique")[3:4], lesion().mask
    del images[0].SliceThickness
    assert mask is not None
    return images, [replace(lesion(), z_first=0, z_last=0, mask=Mask(0, mask.row, mask.col, mask.voxels[1:2]))]


def beyond_the_edges() -> Case:
    return ct_headers(), [replace(lesion(), box=BoxPx(-9, -9, 500, 500), category="x" * 64)]


def overlapping() -> Case:
    return ct_headers(), [lesion(1), lesion(2, z=4, row=15, col=24)]


@pytest.mark.parametrize("name", ["gsps", "sc", "ko", "rtstruct", "seg", "seg-labelmap"])
@pytest.mark.parametrize("case", [frames, one_slice_of_unknown_thickness, beyond_the_edges, overlapping])
def test_dciodvfy_finds_no_error(case: Callable[[], Case], name: str, tmp_path: Path) -> None:
    images, found = case()
    whole = context(images)
    ds = PROFILES[name].build(describe(found, whole.context), whole.identity)
    assert ds is not None
    validated(reread(ds), tmp_path, *(["dcmpschk"] if name == "gsps" else []))
