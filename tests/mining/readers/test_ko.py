"""A key image is a place without a point; titles that mark nothing give no row."""

from time import process_time

import pytest
from builders import CT, DEVICE, GSPS, SEG, item, person, text
from builders_cad import KEY_OBJECTS, key_objects, selected
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from db.measurement import ImageReference, Rejected, WeakLabel
from mining.readers.ko import MAX_KEY_IMAGES, read_ko

WAVEFORM, RT_PLAN, RT_IMAGE = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("9.1.1", "481.5", "481.1"))


def read(ds: Dataset) -> tuple[list[WeakLabel], list[tuple[str, str]]]:
    found = list(read_ko(ds))
    assert all(isinstance(one, WeakLabel | Rejected) for one in found)
    return (
        [one for one in found if isinstance(one, WeakLabel)],
        [(one.source_item, one.reason_code) for one in found if isinstance(one, Rejected)],
    )


def test_each_image_is_marked_with_who_marked_it_and_why() -> None:
    ds = key_objects(person("One^Reader"), selected("1.1"), selected("1.2"), description="TL1, growing")
    found, rejected = read(ds)
    assert not rejected
    assert [(one.image, one.point, one.source.item) for one in found] == [
        (ImageReference("1.1"), None, "1.3"),
        (ImageReference("1.2"), None, "1.4"),
    ]
    assert {(one.reader, one.comment, one.source.kind, one.by_algorithm) for one in found} == {
        ("One^Reader", "TL1, growing", "KO", "")
    }
    assert found[0].measured_at is not None and found[0].measured_at.isoformat() == "2026-03-02T09:30:00+00:00"


def test_each_frame_of_a_multi_frame_image_is_marked_by_itself() -> None:
    found, _ = read(key_objects(selected("1.1", frames=[3, 7, 3])))
    assert [one.image for one in found] == [ImageReference("1.1", 3), ImageReference("1.1", 7)]
    assert len({one.lesion_id for one in found}) == 2


def test_an_image_that_is_selected_twice_is_marked_once() -> None:
    assert len(read(key_objects(selected("1.1"), selected("1.1")))[0]) == 1


@pytest.mark.parametrize("title", ["113001", "113037", "113038", "113039"])
def test_a_rejection_note_marks_nothing(title: str) -> None:
    assert read(key_objects(selected("1.1"), title=(title, "DCM", "Rejected"))) == ([], [("1", "rejection_note")])


def test_a_rejection_note_is_known_by_its_name_too() -> None:
    title = ("R1", "99X", "Rejected for Patient Safety Reasons")
    assert read(key_objects(selected("1.1"), title=title)) == ([], [("1", "rejection_note")])


@pytest.mark.parametrize("title", ["113010", "113030", "113034", "128181", "128710"])
def test_a_list_of_images_for_another_purpose_marks_nothing(title: str) -> None:
    assert read(key_objects(selected("1.1"), title=(title, "DCM", "List"))) == ([], [("1", "not_a_mark")])


@pytest.mark.parametrize("title", [("113008", "DCM", "For Peer Review"), ("128203", "DCM", "For Tumor Board"), None])
def test_every_other_title_marks(title: tuple[str, str, str] | None) -> None:
    assert len(read(key_objects(selected("1.1"), title=title))[0]) == 1


@pytest.mark.parametrize("sop_class_uid", [GSPS, SEG, KEY_OBJECTS, WAVEFORM, RT_PLAN])
def test_what_is_no_image_is_not_marked(sop_class_uid: str) -> None:
    found, rejected = read(key_objects(selected("1.1", sop_class_uid=sop_class_uid), selected("1.2")))
    assert [one.image.sop_instance_uid for one in found] == ["1.2"]
    assert rejected == [("1.1", "not_an_image")]


def test_composite_and_waveform_items_are_not_marked() -> None:
    waveform = selected("1.1", sop_class_uid=WAVEFORM)
    waveform.ValueType = "WAVEFORM"
    assert read(key_objects(waveform))[1] == [("1.1", "not_an_image"), ("1", "no_image_reference")]


def test_images_of_radiotherapy_and_without_a_class_are_images() -> None:
    bare = selected("1.3")
    del bare.ReferencedSOPSequence[0].ReferencedSOPClassUID
    del bare.ValueType
    found, rejected = read(
        key_objects(selected("1.1", sop_class_uid=RT_IMAGE), selected("1.2", sop_class_uid=CT), bare)
    )
    assert (len(found), rejected) == (3, [])


def test_a_reference_without_a_uid_and_an_empty_selection_say_so() -> None:
    empty = item("IMAGE", None, ReferencedSOPSequence=Items([Dataset()]))
    assert read(key_objects(empty))[1] == [("1.1", "no_image_reference"), ("1", "no_image_reference")]
    assert read(key_objects())[1] == [("1", "no_image_reference")]


def test_a_device_without_a_person_is_an_algorithm() -> None:
    (found,), _ = read(key_objects(text(DEVICE, "OtherNet"), selected("1.1")))
    assert (found.by_algorithm, found.reader) == ("OtherNet", "")


def test_the_selection_of_a_whole_archive_ends_at_the_limit() -> None:
    start = process_time()
    found, rejected = read(key_objects(*(selected(f"1.{n}") for n in range(MAX_KEY_IMAGES + 50))))
    assert (len(found), rejected) == (MAX_KEY_IMAGES, [(f"1.{MAX_KEY_IMAGES + 1}", "too_many_images")])
    assert read(key_objects(*(selected(f"1.{n}") for n in range(MAX_KEY_IMAGES))))[1] == []
    frames, rejected = read(key_objects(selected("1.1", frames=range(1, 3 * MAX_KEY_IMAGES))))
    assert (len(frames), rejected) == (MAX_KEY_IMAGES, [("1.1", "too_many_images")])
    assert process_time() - start < 5
