"""A study that got quiet: when it settles, and what that writes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from arriving import NOW, QUIET, SITE_KEY, STUDY, ct, document, received
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from settling import LATER, keep, patient, states, study
from sqlalchemy import select

from db import studies
from db.engine import reading
from db.measurement import ImageReference
from db.models import Image, Refusal, Series
from db.split import split_of
from dicom_node.settle import Decision, Settled, decide, is_settled, settle_due, settle_study
from dicom_node.store import Received, Store

# --- the decisions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet_s", "here", "there", "decision"),
    [
        (59, 3, None, Decision.WAIT),
        (59, 3, 3, Decision.WAIT),
        (60, 3, None, Decision.SETTLE),
        (60, 3, 3, Decision.SETTLE),
        (60, 4, 3, Decision.SETTLE),
        (60, 3, 4, Decision.WAIT),
        (119, 3, 4, Decision.WAIT),
        (120, 3, 4, Decision.INCOMPLETE),
        (120, 4, 4, Decision.SETTLE),
    ],
)
def test_a_quiet_study_settles_unless_the_sender_has_more_of_it(
    quiet_s: int, here: int, there: int | None, decision: Decision
) -> None:
    assert decide(NOW, NOW + timedelta(seconds=quiet_s), QUIET, here, there) is decision


def test_a_study_is_quiet_after_the_quiet_time_and_not_before() -> None:
    assert not is_settled(NOW, NOW + timedelta(seconds=59.9), QUIET)
    assert is_settled(NOW, NOW + QUIET, QUIET)


# --- what settling writes ---------------------------------------------------------------------------------------


def test_settling_writes_patient_study_series_and_images(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1), ct(3), ct(2), document())
    settled = settle()
    assert settled == Settled(STUDY, 1, True, 4, 0, 0)
    assert (study(store).state, study(store).settled_at, study(store).accession_number) == ("settled", LATER, "A-4")
    assert (patient(store).patient_id, patient(store).split) == ("P-17", split_of("P-17", "Ward", SITE_KEY))
    with reading(store.sessions) as session:
        series = session.get(Series, f"{STUDY}.1")
        image = session.get(Image, ct(2).SOPInstanceUID)
        assert session.get(Image, document().SOPInstanceUID) is None
    assert series is not None
    assert image is not None
    assert (series.modality, series.body_part, series.convolution_kernel) == ("CT", "CHEST", "B60f")
    assert series.slice_interval_mm == pytest.approx(2.5)
    assert (image.rows, image.columns, image.row_spacing_mm, image.col_spacing_mm) == (6, 4, 0.9, 0.6)
    assert image.image_type == "ORIGINAL\\PRIMARY\\AXIAL"


def test_the_plane_of_an_image_is_found_by_its_reference(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1), ct(2))
    settle()
    with reading(store.sessions) as session:
        plane = studies.plane_of(session, ImageReference(ct(2).SOPInstanceUID))
        assert studies.plane_of(session, ImageReference(ct(2).SOPInstanceUID, 2)) is None
        assert studies.plane_of(session, ImageReference("1.2.3")) is None
    assert plane is not None
    assert (plane.spacing.row_mm, plane.spacing.col_mm) == (0.9, 0.6)
    assert [plane.origin.x, plane.origin.y, plane.origin.z] == pytest.approx(list(ct(2).ImagePositionPatient))


def test_current_instances_are_listed_by_series_with_their_modality(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, document(), ct(2), ct(1))
    settle()
    with reading(store.sessions) as session:
        listed = studies.current_instances(session, STUDY)
    assert [(i.sop_instance_uid, i.modality) for i in listed] == [
        (ct(1).SOPInstanceUID, "CT"),
        (ct(2).SOPInstanceUID, "CT"),
        (document().SOPInstanceUID, "SR"),
    ]
    assert all(store.files.path(i.file_name).is_file() for i in listed)


def test_settling_twice_does_nothing_more(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1))
    settle()
    assert settle_study(store.sessions, store.files, STUDY, LATER, SITE_KEY) is None
    assert study(store).revision == 1


def test_a_late_instance_re_opens_the_study_in_a_new_revision(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1))
    settle()
    keep(store, ct(2), minutes=20)
    assert study(store).state == "receiving"
    assert settle().revision == 2
    with reading(store.sessions) as session:
        assert session.get(Series, f"{STUDY}.1").slice_interval_mm == pytest.approx(2.5)  # type: ignore[union-attr]


def test_the_same_instance_again_leaves_a_settled_study_settled(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1))
    settle()
    keep(store, ct(1), minutes=20)
    assert (study(store).state, study(store).revision) == ("settled", 1)


def test_an_instance_that_arrives_while_its_study_settles_leaves_it_for_the_next_round(
    store: Store, settle: Callable[..., Settled], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, ct(1))
    real = store.files.path

    def path(name: str) -> Path:  # settling looks at the file: just then another one arrives
        monkeypatch.undo()
        keep(store, ct(2), minutes=1)
        return real(name)

    monkeypatch.setattr(store.files, "path", path)
    assert settle_study(store.sessions, store.files, STUDY, LATER, SITE_KEY) is None
    assert (study(store).state, study(store).revision, study(store).patient_pk) == ("receiving", 0, None)
    assert settle().instances == 2


@pytest.mark.filterwarnings("ignore:End of file reached:UserWarning")
def test_a_header_that_cannot_be_read_is_listed_and_harms_nothing_else(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, ct(1))
    kept = store.keep(received(ct(2)), NOW)
    store.files.path(kept.file_name).write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 99)
    settled = settle()
    assert (settled.instances, settled.unreadable, settled.revision) == (2, 1, 1)
    with reading(store.sessions) as session:
        refusal = session.scalars(select(Refusal)).one()
        assert len(studies.current_instances(session, STUDY)) == 2
        assert session.get(Image, ct(1).SOPInstanceUID) is not None
    assert (refusal.sop_instance_uid, refusal.reason_code) == (ct(2).SOPInstanceUID, "header")


def test_a_document_nested_deeper_than_python_can_follow_keeps_its_patient(
    store: Store, settle: Callable[..., Settled]
) -> None:
    head = received(document(PatientID="P-99"))
    nested = b"\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    at = head.data_set.index(b"\x40\x00\x30\xa7")
    store.keep(
        Received(
            head.data_set[:at] + nested, ExplicitVRLittleEndian, head.sop_class_uid, head.sop_instance_uid, "PACS"
        ),
        NOW,
    )
    assert settle().unreadable == 0
    assert patient(store).patient_id == "P-99"


@pytest.mark.filterwarnings("ignore:End of file reached:UserWarning")
def test_a_document_that_was_cut_off_keeps_its_patient(store: Store, settle: Callable[..., Settled]) -> None:
    whole = received(document(PatientID="P-98"))
    cut = Received(whole.data_set[:-9], ExplicitVRLittleEndian, whole.sop_class_uid, whole.sop_instance_uid, "PACS")
    store.keep(cut, NOW)
    assert settle().unreadable == 0
    assert patient(store).patient_id == "P-98"


def without_items(text: str) -> Received:
    """A document that ends where its sequence begins: pydicom calls that an OSError."""
    whole = received(document(PatientID="P-97", StudyDescription=text))
    at = whole.data_set.index(b"\x40\x00\x30\xa7")
    broken = whole.data_set[:at] + b"\x40\x00\x30\xa7SQ\x00\x00\xff\xff\xff\xff"
    return Received(broken, ExplicitVRLittleEndian, whole.sop_class_uid, whole.sop_instance_uid, "PACS")


def test_a_document_that_ends_inside_a_sequence_is_no_disk_that_fails(
    store: Store, settle: Callable[..., Settled]
) -> None:
    store.keep(without_items("one"), NOW)
    assert settle().unreadable == 0
    assert patient(store).patient_id == "P-97"
    store.keep(without_items("another"), NOW + timedelta(minutes=20))
    assert settle().conflicts == 2


# --- several contents under one UID -----------------------------------------------------------------------------


def test_corrected_demographics_make_the_newest_header_current_and_move_the_study(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, ct(1), ct(2))
    settle()
    keep(store, ct(1, PatientID="P-18", PatientName="Correct"), minutes=20)
    assert settle().conflicts == 0
    assert states(store) == [
        (ct(1).SOPInstanceUID, "superseded"),
        (ct(2).SOPInstanceUID, "current"),
        (ct(1).SOPInstanceUID, "current"),
    ]
    assert patient(store).patient_id == "P-18"
    with reading(store.sessions) as session:
        listed = studies.current_instances(session, STUDY)
    assert len(listed) == 2


def test_lossless_re_compression_is_the_same_image(store: Store, settle: Callable[..., Settled]) -> None:
    keep(store, ct(1))
    compressed = ct(1)
    compressed.file_meta = _meta(ExplicitVRLittleEndian)
    compressed.compress(RLELossless, np.frombuffer(ct(1).PixelData, "<i2").reshape(6, 4), generate_instance_uid=False)
    store.keep(received(compressed, RLELossless), NOW + timedelta(seconds=9))
    store.keep(received(ct(1), ImplicitVRLittleEndian), NOW + timedelta(seconds=10))
    assert settle().conflicts == 0
    assert [state for _, state in states(store)] == ["superseded", "superseded", "current"]


def _meta(transfer_syntax_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    return meta


def other_pixels(number: int = 1) -> Dataset:
    return ct(number, PixelData=np.full(24, 7, "<i2").tobytes())


def test_other_pixels_are_a_conflict_and_the_first_stays(store: Store, settle: Callable[..., Settled]) -> None:
    store.keep(received(ct(1), analyse=True), NOW)
    keep(store, other_pixels(), minutes=1)
    assert settle().conflicts == 2
    assert [state for _, state in states(store)] == ["current", "conflict"]
    with reading(store.sessions) as session:
        (undone,) = studies.undone(session)
        assert (undone.harvest, undone.analyse) == (True, False)
        assert [c.state for c in studies.conflicts(session, STUDY)] == ["current", "conflict"]


def test_a_persons_choice_ends_the_conflict_and_the_study_is_analysed_again(
    store: Store, settle: Callable[..., Settled]
) -> None:
    store.keep(received(ct(1), analyse=True), NOW)
    keep(store, ct(1, PatientID="P-18", PixelData=other_pixels().PixelData), minutes=1)
    settle()
    with store.sessions.begin() as session:
        rival = studies.conflicts(session, STUDY)[1]
        assert studies.choose(session, rival.instance_pk) == STUDY
    assert settle().conflicts == 0
    assert [state for _, state in states(store)] == ["superseded", "current"]
    assert patient(store).patient_id == "P-18"
    with reading(store.sessions) as session:
        assert [u.analyse for u in studies.undone(session)] == [True]


def test_a_document_with_other_demographics_is_the_same_and_with_another_text_is_not(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, document(1), document(1, PatientName="Müller", SpecificCharacterSet="ISO_IR 192"))
    keep(store, document(2), document(2, text="One lesion."))
    assert settle().conflicts == 2
    assert [state for _, state in states(store)] == ["superseded", "current", "current", "conflict"]


def test_a_corrected_study_uid_moves_the_instance_and_re_opens_the_study_that_lost_it(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, ct(1), ct(2))
    settle()
    moved = ct(1, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1")
    keep(store, moved, minutes=20)
    assert settle("1.2.9").instances == 1
    assert study(store).state == "receiving"
    assert settle().instances == 1
    with reading(store.sessions) as session:
        assert session.get(Image, ct(1).SOPInstanceUID).series_instance_uid == "1.2.9.1"  # type: ignore[union-attr]
        assert session.get(Series, f"{STUDY}.1").slice_interval_mm is None  # type: ignore[union-attr]


# --- waiting for what the sender counts -------------------------------------------------------------------------


def test_a_study_of_which_the_sender_has_more_waits_then_settles_as_incomplete(store: Store) -> None:
    keep(store, ct(1))
    asked: list[tuple[str, str]] = []

    def ask(ae_title: str, uid: str) -> int:
        asked.append((ae_title, uid))
        return 3

    def tick(seconds: int) -> list[Settled]:
        return settle_due(store.sessions, store.files, NOW + timedelta(seconds=seconds), QUIET, SITE_KEY, ask, set())

    assert tick(59) == []
    assert asked == []
    assert tick(60) == tick(70) == tick(119) == []
    assert asked == [("PACS", STUDY)]
    assert study(store).expected_instances == 3
    (settled,) = tick(120)
    assert asked == [("PACS", STUDY)] * 2
    assert (settled.complete, settled.instances) == (False, 1)
    assert (study(store).state, study(store).expected_instances) == ("incomplete", 3)
    assert tick(500) == []


def test_the_missing_instances_complete_a_study_that_settled_without_them(store: Store) -> None:
    keep(store, ct(1))
    settle_study(store.sessions, store.files, STUDY, LATER, SITE_KEY, expected=2)
    assert study(store).state == "incomplete"
    keep(store, ct(2), minutes=30)
    (settled,) = settle_due(
        store.sessions, store.files, NOW + timedelta(hours=1), QUIET, SITE_KEY, lambda ae_title, uid: 2, set()
    )
    assert (settled.complete, settled.revision) == (True, 2)


def test_a_sender_that_falls_silent_leaves_what_it_counted_before(store: Store) -> None:
    keep(store, ct(1))
    answers = [3, None]

    def tick(seconds: int) -> list[Settled]:
        now = NOW + timedelta(seconds=seconds)
        return settle_due(store.sessions, store.files, now, QUIET, SITE_KEY, lambda ae, uid: answers.pop(0), set())

    assert tick(60) == []
    (settled,) = tick(120)
    assert (settled.complete, study(store).expected_instances) == (False, 3)


def test_studies_without_a_patient_id_are_nobodys_and_not_one_persons(
    store: Store, settle: Callable[..., Settled]
) -> None:
    keep(store, ct(1, PatientID=""), ct(1, study="1.2.5", PatientID=""))
    settle()
    settle("1.2.5")
    assert patient(store).patient_id == patient(store, "1.2.5").patient_id == ""
    assert patient(store).patient_pk != patient(store, "1.2.5").patient_pk


def test_an_enhanced_object_gives_a_plane_for_each_frame(store: Store, settle: Callable[..., Settled]) -> None:
    ds = ct(1, NumberOfFrames=3, PixelData=bytes(2 * 72))
    frames = []
    for number in range(3):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [1.0, 2.0, 5.0 * number]
        frame.PlanePositionSequence = Items([position])
        frames.append(frame)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing = [0.7, 0.4]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([orientation]), Items([measures])
    ds.PerFrameFunctionalGroupsSequence, ds.SharedFunctionalGroupsSequence = Items(frames), Items([shared])
    keep(store, ds)
    settle()
    with reading(store.sessions) as session:
        plane = studies.plane_of(session, ImageReference(ds.SOPInstanceUID, 3))
        series = session.get(Series, ds.SeriesInstanceUID)
    assert plane is not None
    assert series is not None
    assert (plane.origin.z, plane.spacing.row_mm, plane.spacing.col_mm) == (10.0, 0.7, 0.4)
    assert series.slice_interval_mm == pytest.approx(5.0)
