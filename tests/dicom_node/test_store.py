import errno
import os
import random
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from arriving import NOW, STUDY, ct, document, encoded, new_store, received
from pydicom import config, dcmread
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from sqlalchemy import select

from db.engine import Sessions, reading
from db.errors import ContentError, StorageFull
from db.local_files import LocalFiles
from db.models import Instance, Refusal, Study
from dicom_node.store import MismatchError, Received, Store, derived_uid, placed


@pytest.fixture
def store(any_sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(any_sessions, tmp_path)


def rows(store: Store) -> list[Instance]:
    with reading(store.sessions) as session:
        return list(session.scalars(select(Instance).order_by(Instance.instance_pk)))


def study(store: Store, uid: str = STUDY) -> Study:
    with reading(store.sessions) as session:
        return session.scalars(select(Study).filter_by(study_instance_uid=uid)).one()


def dicom_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "dicom").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "transfer_syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_the_file_is_part_10_with_the_data_set_byte_for_byte(store: Store, transfer_syntax: str) -> None:
    arrived = received(ct(), transfer_syntax)
    kept = store.keep(arrived, NOW)
    path = store.files.path(kept.file_name)
    assert path.read_bytes().endswith(arrived.data_set)
    ds = dcmread(path)
    assert len(path.read_bytes()) - len(arrived.data_set) == 144 + ds.file_meta.FileMetaInformationGroupLength
    assert ds.file_meta.TransferSyntaxUID == transfer_syntax
    assert ds.file_meta.MediaStorageSOPClassUID == CTImageStorage
    assert ds.file_meta.MediaStorageSOPInstanceUID == ct().SOPInstanceUID
    assert ds.file_meta.SourceApplicationEntityTitle == "PACS"
    assert (ds.PatientID, ds.Rows, ds.Columns) == ("P-17", 6, 4)


def test_the_row_says_what_arrived_and_the_study_receives(store: Store) -> None:
    arrived = received(ct(), analyse=True)
    kept = store.keep(arrived, NOW)
    (row,) = rows(store)
    assert kept.new
    assert (row.sop_instance_uid, row.study_instance_uid) == (ct().SOPInstanceUID, STUDY)
    assert (row.size_bytes, row.state, row.indexed) == (len(arrived.data_set), "current", False)
    assert (study(store).state, study(store).received_last_at, study(store).analyse) == ("receiving", NOW, True)
    assert study(store).source_ae == "PACS"


def test_the_same_content_again_is_success_and_one_copy(store: Store) -> None:
    assert store.keep(received(ct()), NOW).new
    assert not store.keep(received(ct()), NOW + timedelta(seconds=5)).new
    assert len(rows(store)) == len(dicom_files(store.files.data_dir)) == 1
    assert study(store).received_last_at == NOW + timedelta(seconds=5)


def test_a_lost_file_is_written_again_when_its_content_comes_again(store: Store) -> None:
    kept = store.keep(received(ct()), NOW)
    store.files.path(kept.file_name).unlink()
    store.keep(received(ct()), NOW)
    assert store.files.path(kept.file_name).is_file()


def test_another_content_under_the_same_uid_is_kept_beside_the_first(store: Store) -> None:
    store.keep(received(ct()), NOW)
    store.keep(received(ct(PatientID="P-18")), NOW)
    assert [row.state for row in rows(store)] == ["current", "conflict"]
    assert len(dicom_files(store.files.data_dir)) == 2


def test_what_comes_from_a_peer_to_analyse_marks_a_study_that_came_without(store: Store) -> None:
    store.keep(received(ct()), NOW)
    assert not study(store).analyse
    store.keep(received(ct(), analyse=True), NOW)
    store.keep(received(ct(2)), NOW)
    assert study(store).analyse


def test_files_and_folders_are_for_their_owner_only(store: Store) -> None:
    path = store.files.path(store.keep(received(ct()), NOW).file_name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    while path.parent != store.files.data_dir:
        path = path.parent
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_names_are_made_of_checked_uids_only(store: Store) -> None:
    evil = ct(StudyInstanceUID="../../etc", SeriesInstanceUID="a/b", SOPInstanceUID="../x")
    kept = store.keep(received(evil), NOW)
    inside = store.files.path(kept.file_name).resolve()
    assert inside.is_relative_to(store.files.data_dir.resolve())
    assert set(kept.file_name) <= set("dicom/x0123456789abcdef-.")
    assert ".." not in kept.file_name
    assert rows(store)[0].study_instance_uid == "../../etc"


def test_too_little_space_is_refused_before_anything_is_written(sessions: Sessions, tmp_path: Path) -> None:
    store = new_store(sessions, tmp_path, min_free_bytes=1 << 62)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageFull):
        store.keep(received(ct()), NOW)
    assert sorted(tmp_path.rglob("*")) == before
    assert rows(store) == []


class FullDisk(LocalFiles):
    """A disk on which nothing more fits: the write fails half-way, as the kernel does it."""

    def write(self, name: str, content: bytes) -> None:
        limit, real_write = 1000, os.write
        os.write = lambda fd, data: real_write(fd, data[:limit]) if self._room() else self._fail()  # type: ignore[assignment]
        try:
            super().write(name, content)
        finally:
            os.write = real_write

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.writes = 0

    def _room(self) -> bool:
        self.writes += 1
        return self.writes == 1

    @staticmethod
    def _fail() -> int:
        raise OSError(errno.ENOSPC, "no space left on device")


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing_half_written(sessions: Sessions, tmp_path: Path) -> None:
    store = Store(sessions, FullDisk(tmp_path))
    with pytest.raises(StorageFull):
        store.keep(received(ct(PixelData=bytes(4000))), NOW)
    assert dicom_files(tmp_path) == []
    assert rows(store) == []


def test_what_a_killed_process_left_is_removed_but_not_what_is_being_written(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    files.write("dicom/1/2/3.dcm", b"whole")
    old, young = (tmp_path / "dicom/1/2" / f".{name}.tmp" for name in ("old", "young"))
    for path, at in ((old, NOW - timedelta(days=2)), (young, NOW)):
        path.write_bytes(b"half")
        os.utime(path, (at.timestamp(), at.timestamp()))
    assert files.remove_leftovers(NOW - timedelta(days=1)) == 1
    assert [old.exists(), young.exists(), files.path("dicom/1/2/3.dcm").exists()] == [False, True, True]


@pytest.mark.parametrize(("keyword", "value"), [("sop_class_uid", "1.2.3"), ("sop_instance_uid", "1.2.4")])
def test_a_data_set_that_is_not_what_was_announced_is_refused(store: Store, keyword: str, value: str) -> None:
    arrived = {"sop_class_uid": CTImageStorage, "sop_instance_uid": ct().SOPInstanceUID, keyword: value}
    with pytest.raises(MismatchError):
        store.keep(Received(encoded(ct()), ExplicitVRLittleEndian, **arrived), NOW)
    assert rows(store) == []


@pytest.mark.parametrize("data_set", [b"", b"\x08\x00\x16\x00UI\x1a\x001.2.840", b"\xff" * 300, b"<html>" * 99])
def test_an_unreadable_data_set_without_a_stated_instance_is_refused(store: Store, data_set: bytes) -> None:
    with pytest.raises(ContentError):
        store.keep(Received(data_set, ExplicitVRLittleEndian, "", ""), NOW)
    assert rows(store) == []


UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def longer(keyword: str, characters: int) -> Received:
    """A CT instance with one UID of that length, in digits that nothing compresses; nothing is stated beside it."""
    digits = random.Random(characters).choices("123456789", k=characters - 4)
    with config.disable_value_validation():
        ds = ct(**{keyword: "1.2." + "".join(digits)})
    return Received(encoded(ds), ExplicitVRLittleEndian, "", "")


@pytest.mark.parametrize("keyword", UIDS)
def test_a_uid_that_is_too_long_to_be_one_is_refused_by_its_length(store: Store, keyword: str) -> None:
    with pytest.raises(ContentError) as refused:
        store.keep(longer(keyword, 60_000), NOW)
    assert str(refused.value) == "a UID is too long to be one (characters=60000, at_most=256)"
    assert rows(store) == []
    assert dicom_files(store.files.data_dir) == []


@pytest.mark.parametrize("keyword", UIDS)
def test_a_uid_that_is_a_little_too_long_is_kept(store: Store, keyword: str) -> None:
    assert store.keep(longer(keyword, 256), NOW).new
    assert not store.keep(longer(keyword, 256), NOW).new


def test_a_transfer_syntax_that_is_too_long_to_be_one_is_refused(store: Store) -> None:
    with pytest.raises(ContentError, match="too long"):
        store.keep(Received(encoded(ct()), "1." * 40_000, "", ""), NOW)


def test_an_object_without_a_study_is_a_study_of_its_own_that_stays_the_same() -> None:
    ds = document()
    del ds.StudyInstanceUID, ds.SeriesInstanceUID
    first, again, other = (placed(received(x)) for x in (ds, ds, document(2, study="1.9")))
    assert first == again
    assert first.study_instance_uid == derived_uid("study", ds.SOPInstanceUID) != first.series_instance_uid
    assert first.study_instance_uid.startswith("2.25.")
    assert other.study_instance_uid == "1.9"


def test_a_refusal_is_listed_with_its_reason(store: Store) -> None:
    store.refuse("PACS", "1.2.3", ContentError("there is no SOP Class UID"), NOW)
    with reading(store.sessions) as session:
        refusal = session.scalars(select(Refusal)).one()
    assert (refusal.source, refusal.sop_instance_uid, refusal.at) == ("PACS", "1.2.3", NOW)
    assert refusal.reason == "there is no SOP Class UID"
