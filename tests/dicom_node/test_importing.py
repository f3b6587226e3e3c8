from pathlib import Path

import pytest
from arriving import SHARED, ct, document, encoded, new_store, with_meta
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy import select

from db.engine import Sessions, reading
from db.errors import StorageFull
from db.models import Instance
from dicom_node.importing import ImportCounts, import_paths
from dicom_node.part10 import read_part10
from dicom_node.store import Store


@pytest.fixture
def store(sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(sessions, tmp_path / "node")


def run(store: Store, *paths: Path) -> tuple[ImportCounts, dict[str, str]]:
    store.files.data_dir.mkdir(exist_ok=True)
    refused: dict[str, str] = {}
    counts = import_paths(store, paths, lambda *a, **k: None, lambda p, reason: refused.update({p.name: reason}))
    return counts, refused


def kept(store: Store) -> list[Instance]:
    with reading(store.sessions) as session:
        return list(session.scalars(select(Instance).order_by(Instance.instance_pk)))


def test_files_and_folders_are_imported_once_however_often_it_is_asked(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    for number in (1, 2):
        with_meta(ct(number)).save_as(folder / f"{number}.dcm", enforce_file_format=True)
    with_meta(document()).save_as(tmp_path / "sr.dcm", enforce_file_format=True)
    assert run(store, tmp_path / "in", tmp_path / "sr.dcm")[0] == ImportCounts(stored=3)
    assert run(store, tmp_path / "in", tmp_path / "sr.dcm")[0] == ImportCounts(known=3)
    assert not any(row.source_ae for row in kept(store))


@pytest.mark.parametrize("transfer_syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_bare_data_set_is_taken_with_its_transfer_syntax_guessed(
    store: Store, tmp_path: Path, transfer_syntax: str
) -> None:
    (tmp_path / "bare").write_bytes(encoded(ct(), transfer_syntax))
    assert run(store, tmp_path / "bare")[0].stored == 1
    (row,) = kept(store)
    assert row.transfer_syntax_uid == transfer_syntax
    assert dcmread(store.files.path(row.file_name)).PatientID == "P-17"


def test_every_file_that_is_not_taken_has_its_reason(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "empty").touch()
    (folder / "page.html").write_text("<html>" * 99)
    (folder / "cut.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    counts, refused = run(store, folder)
    assert counts == ImportCounts(refused=4)
    assert set(refused) == {"empty", "page.html", "cut.dcm", "gone"}
    assert refused["empty"] == "is empty"
    assert refused["page.html"] == "is not a DICOM file"
    assert refused["gone"] == "No such file or directory"
    assert all(refused.values())


def test_a_data_set_counts_more_than_the_meta_information_that_a_tool_left_behind(store: Store, tmp_path: Path) -> None:
    ds = with_meta(ct())
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"  # type: ignore[assignment]
    ds.save_as(tmp_path / "rewritten.dcm", enforce_file_format=True)
    run(store, tmp_path / "rewritten.dcm")
    assert [row.sop_instance_uid for row in kept(store)] == [ct().SOPInstanceUID]


def test_a_full_disk_ends_the_import_and_keeps_what_was_taken(sessions: Sessions, tmp_path: Path) -> None:
    with_meta(ct()).save_as(tmp_path / "1.dcm", enforce_file_format=True)
    store = new_store(sessions, tmp_path / "node", min_free_bytes=1 << 62)
    with pytest.raises(StorageFull):
        run(store, tmp_path / "1.dcm")


@pytest.mark.slow
def test_every_shared_object_is_imported_byte_for_byte_and_every_other_file_has_a_reason(store: Store) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared test objects are not here")
    counts, refused = run(store, SHARED)
    files = [path for path in SHARED.rglob("*") if path.is_file()]
    assert counts.files == len(files)
    data_sets = set()
    for path in files:
        content = path.read_bytes()
        if content[128:132] == b"DICM" and read_part10(content).sop_class_uid:
            data_sets.add(content[read_part10(content).data_set_at :])
            assert path.name not in refused, refused[path.name]
    stored = {
        (content := store.files.path(row.file_name).read_bytes())[read_part10(content).data_set_at :]
        for row in kept(store)
    }
    assert data_sets <= stored
