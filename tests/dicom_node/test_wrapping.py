"""Files that are no DICOM objects become objects: the same content the same object, in the study it is about."""

import pytest
from builders import STUDY
from builders_foreign import COLLECTION, aim3, aim4, annotation, markup, rooted, valued
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from db.errors import ContentError
from dicom_node.store import placed
from dicom_node.wrapping import received, wrap_aim, wrap_bookmarks
from mining.readers.encapsulated import AIM_DOCUMENT, BOOKMARKS, MAX_BYTES, encapsulated
from mining.written import moment_in

LINE = markup("TwoDimensionMultiPoint", [(1.0, 2.0), (5.0, 9.0)])
CONTENT = aim4(annotation(LINE))


def test_the_classes_of_stored_objects_never_change() -> None:
    assert AIM_DOCUMENT == "2.25.127965327879921342704668856189455457522"
    assert BOOKMARKS == "2.25.12737348444004910944365628400794662242"


@pytest.mark.parametrize("content", [CONTENT, CONTENT + b"\n", aim3("Polyline", [(1.0, 2.0), (5.0, 9.0)])])
def test_an_object_holds_the_document_byte_for_byte(content: bytes) -> None:
    one = received(wrap_aim(content))
    ds = dcmread(DicomBytesIO(one.data_set), force=True)
    assert encapsulated(ds) == content
    assert placed(one).study_instance_uid == STUDY
    assert one == received(wrap_aim(content))


def test_a_document_that_was_changed_is_another_object_of_the_same_series() -> None:
    first, second = wrap_aim(CONTENT), wrap_aim(CONTENT.replace(b'"1.5"', b'"1.75"'))
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != COLLECTION, "an SR that was made of the same annotation has that UID"


def test_the_patient_is_named_only_where_no_study_is() -> None:
    assert "PatientID" not in wrap_aim(CONTENT)
    nowhere = wrap_aim(CONTENT.replace(f'root="{STUDY}"'.encode(), b'root="no uid"'))
    assert nowhere.PatientID == "P1"
    assert "StudyInstanceUID" not in nowhere


def test_who_wrote_it_and_when_stands_where_the_harvest_looks() -> None:
    equipment = f"<equipment>{valued('manufacturerName', 'A Maker')}{valued('softwareVersion', '4.1')}</equipment>"
    ds = wrap_aim(aim4(annotation(LINE), extra=equipment))
    assert (ds.Manufacturer, ds.SoftwareVersions) == ("A Maker", "4.1")
    assert (ds.ContentDate, ds.ContentTime, ds.TimezoneOffsetFromUTC) == ("20260302", "093000", "+0000")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html/>", "is XML, but no AIM document"),
        (b"<html>", "no well-formed XML"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b" " * (MAX_BYTES + 1), "too large"),
    ],
)
def test_what_is_no_annotation_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ContentError, match=reason):
        wrap_aim(content)


def test_hostile_texts_do_not_get_into_the_header() -> None:
    equipment = f"<equipment>{valued('manufacturerName', 'A' * 99 + chr(92) + 'B&#10;')}</equipment>"
    ds = wrap_aim(aim4(annotation(LINE), extra=equipment))
    assert ds.Manufacturer == "A" * 64
    long = wrap_aim(aim4(annotation(LINE)).replace(STUDY.encode(), b"1." + b"2" * 99))
    assert "StudyInstanceUID" not in long
    assert rooted("a", "b") == '<a root="b"/>'


def test_rows_are_kept_as_they_stand() -> None:
    at = moment_in("2026-03-01T10:15:00+01:00")
    ds = wrap_bookmarks(STUDY, "a;b\n", ["1;Grün\n", "2;y\n"], ";", at)
    assert encapsulated(ds) == "sep=;\na;b\n1;Grün\n2;y\n".encode()
    assert (ds.ContentDate, ds.ContentTime) == ("20260301", "091500")
    assert ds.SOPInstanceUID == wrap_bookmarks(STUDY, "a;b\n", ["1;Grün\n", "2;y\n"], ";", at).SOPInstanceUID
    assert ds.SOPInstanceUID != wrap_bookmarks(STUDY + ".1", "a;b\n", ["1;Grün\n", "2;y\n"], ";", at).SOPInstanceUID
    with pytest.raises(ContentError, match="Study Instance UID"):
        wrap_bookmarks("the study", "a;b\n", [], ";", None)


def test_a_study_keeps_the_uid_that_its_images_have() -> None:
    uid = "1.2.03.4"
    ds = wrap_bookmarks(uid, "a\n", ["1\n"], ",", None)
    assert placed(received(ds)).study_instance_uid == uid
    assert placed(received(wrap_aim(CONTENT.replace(STUDY.encode(), uid.encode())))).study_instance_uid == uid
