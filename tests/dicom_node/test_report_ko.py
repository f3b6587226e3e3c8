"""The key object selection: which slices it marks, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset
from read_back import harvested, reread, validated
from report_sources import ENHANCED, MODEL, SERIES, Whole, context, ct_headers, enhanced_ct, in_frame, lesion, lesions

from db.detection import Detection
from dicom_node.report.ko import key_object_selection
from dicom_node.report.subject import describe
from mining.readers.ko import read_ko


def built(detections: list[Detection], whole: Whole) -> Dataset:
    ds = key_object_selection(describe(detections, whole.context), whole.identity)
    assert ds is not None
    return reread(ds)


def description_of(ds: Dataset) -> str:
    (text,) = (item for item in ds.ContentSequence if "113012" in str(item.get("ConceptNameCodeSequence")))
    return str(text.TextValue)


def test_our_reader_finds_each_key_slice_once_and_that_a_device_marked_it() -> None:
    images = ct_headers()
    rows, places = harvested(read_ko, built([*lesions(), lesion(2, z=3, row=30)], context(images)), images)
    assert rows == []
    assert [place.image.sop_instance_uid for place in places] == [f"{SERIES}.4", f"{SERIES}.6", f"{SERIES}.7"]
    assert all(place.by_algorithm and place.point is None for place in places)


def test_it_describes_each_lesion_in_a_line_and_names_the_model() -> None:
    assert description_of(built(lesions(), context())).splitlines() == [
        "Lesion 1: liver cyst 0.93 (AI, research only), 8.3 x 6.9 mm, image 4",
        "Lesion 2: lung nodule 0.93 (AI, research only), 8.3 x 6.9 mm, image 7",
        "Lesion 3 0.93 (AI, research only), 8.3 x 6.9 mm, image 6",
        f"AI, research only: {MODEL.name} {MODEL.model_id}, version {MODEL.software_version}",
    ]


def test_its_title_marks_and_rejects_nothing() -> None:
    ds = built(lesions(), context())
    title = ds.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == ("113000", "DCM", "Of Interest")
    assert ds.ContentTemplateSequence[0].TemplateIdentifier == "2010"


def test_frames_are_named_and_their_image_stands_in_the_evidence_once() -> None:
    images = enhanced_ct()
    ds = built([in_frame(each) for each in lesions()], context(images))
    _, places = harvested(read_ko, ds, images)
    assert [(place.image.sop_instance_uid, place.image.frame_number) for place in places] == [
        (ENHANCED, 6), (ENHANCED, 4), (ENHANCED, 3)
    ]  # fmt: skip
    (series,) = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [ENHANCED]
    assert "image 1, frame 6" in description_of(ds)


def test_nothing_found_gives_no_object() -> None:
    whole = context()
    assert key_object_selection(describe([], whole.context), whole.identity) is None


@pytest.mark.slow
@pytest.mark.parametrize("images", [ct_headers(), enhanced_ct()], ids=["slices", "frames"])
def test_dciodvfy_and_dsrdump_find_no_error(images: tuple[Dataset, ...], tmp_path: Path) -> None:
    found = [in_frame(each) for each in lesions()] if len(images) == 1 else lesions()
    validated(built(found, context(images)), tmp_path, "dsrdump")
