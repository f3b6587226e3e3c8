"""Files that are gone, disks that fail: told once, and healed when the object or the disk is back."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from arriving import QUIET, SITE_KEY, STUDY, ct
from pydicom import Dataset
from settling import LATER, keep, states, study
from sqlalchemy import select

from db import lost
from db.engine import reading
from db.models import Image, Refusal
from dicom_node import settle as settle_module
from dicom_node.settle import Settled, settle_due
from dicom_node.store import Store


def settle_all(store: Store, stuck: set[str] | None = None) -> list[str]:
    """The studies that settled in one round."""
    none = set[str]()
    done = settle_due(
        store.sessions, store.files, LATER, QUIET, SITE_KEY, lambda *_: None, none if stuck is None else stuck
    )
    return [settled.study_instance_uid for settled in done]


def lost_now(store: Store) -> list[str]:
    with reading(store.sessions) as session:
        return list(session.scalars(select(Refusal.sop_instance_uid).where(Refusal.reason_code == "lost")))


def lose(store: Store, ds: Dataset) -> Path:
    """Take the file of an object away; where it is kept meanwhile."""
    (path,) = (store.files.data_dir / "dicom" / ds.StudyInstanceUID).rglob(f"{ds.SOPInstanceUID}-*.dcm")
    return path.rename(path.with_suffix(".away"))


def image_uids(store: Store) -> set[str]:
    with reading(store.sessions) as session:
        return set(session.scalars(select(Image.sop_instance_uid)))


def test_a_lost_file_is_told_and_listed_once_and_holds_nothing_up(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keep(store, ct(1), ct(2), ct(1, study="1.2.5"))
    lose(store, ct(1))
    assert sorted(settle_all(store)) == sorted([STUDY, "1.2.5"])
    assert settle_all(store) == []
    keep(store, ct(3), minutes=1)
    assert settle_all(store) == [STUDY]
    assert lost_now(store) == [ct(1).SOPInstanceUID]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "db.lost"]
    assert ct(1).SOPInstanceUID in line and line.endswith("its file is gone from the store; send the object again")
    assert image_uids(store) == {ct(2).SOPInstanceUID, ct(3).SOPInstanceUID, ct(1, study="1.2.5").SOPInstanceUID}


def test_the_same_object_again_heals_what_was_lost_in_a_new_revision(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, ct(1), ct(2))
    lose(store, ct(1))
    assert settle().revision == 1
    keep(store, ct(2), minutes=1)
    assert study(store).state == "settled", "that one was there"
    keep(store, ct(1), minutes=2)
    assert lost_now(store) == [] and study(store).state == "receiving"
    assert settle().revision == 2
    assert image_uids(store) == {ct(1).SOPInstanceUID, ct(2).SOPInstanceUID}


def test_a_file_that_is_put_back_heals_what_was_lost(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1), ct(2))
    away = lose(store, ct(1))
    settle()
    with store.sessions.begin() as session:
        assert lost.look_again(session, store.files, LATER) == 0
    away.rename(away.with_suffix(".dcm"))
    with store.sessions.begin() as session:
        assert lost.look_again(session, store.files, LATER) == 1
    assert lost_now(store) == [] and settle().revision == 2


@pytest.mark.parametrize("settled_before", [False, True])
def test_another_encoding_of_a_lost_object_replaces_it_whatever_its_pixels(
    store: Store, settle: Callable[..., Settled], settled_before: bool
) -> None:
    keep(store, ct(1), ct(2))
    lose(store, ct(1))
    if settled_before:
        settle()
    keep(store, ct(1, PixelData=bytes(48)), minutes=1)
    settled = settle()
    assert settled.conflicts == 0 and lost_now(store) == []
    assert states(store) == [
        (ct(1).SOPInstanceUID, "superseded"),
        (ct(2).SOPInstanceUID, "current"),
        (ct(1).SOPInstanceUID, "current"),
    ]


def test_a_store_that_is_not_mounted_has_lost_nothing_and_is_told_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keep(store, ct(1))
    mounted = store.files.data_dir / "dicom"
    mounted.rename(mounted.with_name("elsewhere"))
    stuck: set[str] = set()
    for _ in range(3):
        assert settle_all(store, stuck) == []
    assert lost_now(store) == [] and study(store).state == "receiving"
    mounted.with_name("elsewhere").rename(mounted)
    assert settle_all(store, stuck) == [STUDY] and stuck == set()
    told = [record.getMessage() for record in caplog.records if record.name == "dicom_node.settle"]
    assert [line for line in told if "settled" not in line] == [
        f"study={STUDY} cannot settle, for a file cannot be read: The folder of the stored objects is not there;"
        f" mount it. (folder={mounted})",
        f"study={STUDY} can be read again",
    ]


def test_a_disk_that_fails_is_told_once_and_stops_no_other_study(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, ct(1), ct(1, study="1.2.5"))
    read = settle_module.open_header

    def fail(path: Path) -> Dataset:
        if STUDY in str(path):
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    stuck: set[str] = set()
    with monkeypatch.context() as patched:
        patched.setattr(settle_module, "open_header", fail)
        assert settle_all(store, stuck) == ["1.2.5"]
        assert settle_all(store, stuck) == []
    assert settle_all(store, stuck) == [STUDY]
    told = [record.getMessage() for record in caplog.records if "cannot settle" in record.getMessage()]
    assert told == [f"study={STUDY} cannot settle, for a file cannot be read: Input/output error"]
