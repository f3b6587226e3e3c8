import errno
import gc
import logging
import queue
import socket
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest
from arriving import STUDY, associated, ct, encoded, new_store, receiving, with_meta
from node_process import wait_until
from pydicom import dcmread
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.engine import Sessions, reading
from db.errors import ContentError
from db.models import Instance, Refusal, Study
from dicom_node.scp import Receiver, ReceiveSettings, Sender, is_storage
from dicom_node.store import Store

PRIVATE = "1.2.826.0.1.3680043.10.99.1"
CT_CONTEXT = (CTImageStorage, [ExplicitVRLittleEndian])


@pytest.fixture
def store(sessions: Sessions, tmp_path: Path) -> Store:
    return new_store(sessions, tmp_path)


def instances(store: Store) -> list[Instance]:
    with reading(store.sessions) as session:
        return list(session.scalars(select(Instance).order_by(Instance.instance_pk)))


@pytest.mark.parametrize(
    ("abstract_syntax", "storage"),
    [
        (CTImageStorage, True),
        (PRIVATE, True),
        ("1.2.840.10008.5.1.4.1.1.999.1", True),
        ("1.2.840.10008.5.1.1.27", True),  # retired: Stored Print Storage
        (Verification, False),
        (StudyRootQueryRetrieveInformationModelFind, False),
        (StorageCommitmentPushModel, False),
        ("1.2.840.10008.5.1.1.9", False),  # Basic Grayscale Print Management
    ],
)
def test_every_storage_class_is_one_and_nothing_else_is(abstract_syntax: str, storage: bool) -> None:
    assert is_storage(abstract_syntax) is storage


def test_an_echo_is_answered(store: Store) -> None:
    with receiving(store) as receiver, associated(receiver.port, [(Verification, [ImplicitVRLittleEndian])]) as assoc:
        assert assoc.send_c_echo().Status == 0x0000


def test_what_was_answered_with_success_is_on_disk_and_in_the_database(store: Store) -> None:
    with receiving(store, Sender("PACS", analyse=True)) as receiver, associated(receiver.port, [CT_CONTEXT]) as assoc:
        assert assoc.send_c_store(with_meta(ct())).Status == 0x0000
        (row,) = instances(store)
        assert dcmread(store.files.path(row.file_name)).PatientID == "P-17"
    assert row.source_ae == "PACS"
    with reading(store.sessions) as session:
        assert session.get(Study, STUDY).analyse  # type: ignore[union-attr]


@pytest.mark.parametrize("sop_class", [PRIVATE, "1.2.840.10008.5.1.4.1.1.999.1"])
def test_a_private_and_an_unknown_class_are_stored(store: Store, sop_class: str) -> None:
    ds = with_meta(ct(SOPClassUID=sop_class))
    contexts = [(sop_class, [ExplicitVRLittleEndian])]
    with receiving(store) as receiver, associated(receiver.port, contexts) as assoc:
        assert assoc.send_c_store(ds).Status == 0x0000
    assert [row.sop_class_uid for row in instances(store)] == [sop_class]


@pytest.mark.parametrize(
    "transfer_syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, JPEGLSLossless, "1.2.826.0.1.3680043.9"]
)
def test_every_transfer_syntax_is_accepted(store: Store, transfer_syntax: str) -> None:
    with receiving(store) as receiver, associated(receiver.port, [(CTImageStorage, [transfer_syntax])]) as assoc:
        assert [str(cx.transfer_syntax[0]) for cx in assoc.accepted_contexts] == [transfer_syntax]


def test_what_is_no_storage_is_not_accepted(store: Store) -> None:
    contexts = [CT_CONTEXT, (StudyRootQueryRetrieveInformationModelFind, [ImplicitVRLittleEndian])]
    with receiving(store) as receiver, associated(receiver.port, contexts) as assoc:
        assert [cx.abstract_syntax for cx in assoc.accepted_contexts] == [CTImageStorage]


@pytest.mark.parametrize(("calling", "called", "diagnostic"), [("NOBODY", "NODE", 3), ("PACS", "OTHER", 7)])
def test_a_wrong_ae_title_is_rejected_at_association(store: Store, calling: str, called: str, diagnostic: int) -> None:
    with receiving(store) as receiver, associated(receiver.port, [CT_CONTEXT], calling, called) as assoc:
        assert assoc.is_rejected
        assert assoc.acceptor.primitive is not None
        assert assoc.acceptor.primitive.diagnostic == diagnostic


def test_the_same_instance_twice_is_success_twice_and_one_copy(store: Store) -> None:
    with receiving(store) as receiver, associated(receiver.port, [CT_CONTEXT]) as assoc:
        assert [assoc.send_c_store(with_meta(ct())).Status for _ in range(2)] == [0x0000, 0x0000]
    assert len(instances(store)) == 1


def test_too_little_space_is_answered_with_out_of_resources(sessions: Sessions, tmp_path: Path) -> None:
    store = new_store(sessions, tmp_path, min_free_bytes=1 << 62)
    with receiving(store) as receiver, associated(receiver.port, [CT_CONTEXT]) as assoc:
        assert assoc.send_c_store(with_meta(ct())).Status == 0xA700
    assert instances(store) == []


@pytest.mark.parametrize(
    ("damage", "status"),
    [
        (lambda data: data.replace(ct().SOPInstanceUID.encode(), ct(9).SOPInstanceUID.encode(), 1), 0xA900),
        (lambda data: b"\xff" * 200, 0xC000),
    ],
)
def test_what_cannot_be_taken_has_its_status_and_is_listed(store: Store, damage: object, status: int) -> None:
    with receiving(store) as receiver, associated(receiver.port, [CT_CONTEXT]) as assoc:
        # Between the SCU's encoding and the network: the message's data set is damaged as it leaves.
        assoc.bind(evt.EVT_DIMSE_SENT, _damage_data_set, [damage])
        assert assoc.send_c_store(with_meta(ct())).Status == status
        assoc.unbind(evt.EVT_DIMSE_SENT, _damage_data_set)
        assert assoc.send_c_store(with_meta(ct(2))).Status == 0x0000
    assert [row.sop_instance_uid for row in instances(store)] == [ct(2).SOPInstanceUID]
    with reading(store.sessions) as session:
        assert session.scalars(select(Refusal)).one().sop_instance_uid == ct().SOPInstanceUID


def _damage_data_set(event: evt.Event, damage: object) -> None:
    data_set = cast(BytesIO, event.message.data_set)
    damaged = damage(data_set.getvalue())  # type: ignore[operator]
    data_set.seek(0)
    data_set.truncate()
    data_set.write(damaged)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_peer_that_goes_away_in_the_middle_leaves_nothing_and_the_next_is_served(store: Store) -> None:
    aborted = threading.Event()
    with receiving(store) as receiver:
        receiver._server.bind(evt.EVT_ABORTED, lambda event: aborted.set())
        receiver._server.bind(evt.EVT_CONN_CLOSE, lambda event: aborted.set())
        with associated(receiver.port, [CT_CONTEXT]) as assoc:
            connection = assoc.dul.socket.socket  # type: ignore[union-attr]
            assert isinstance(connection, socket.socket)
            # A P-DATA-TF that announces 4,000 bytes and brings 10.
            connection.sendall(b"\x04\x00\x00\x00\x0f\xa0" + bytes(10))
            connection.shutdown(socket.SHUT_RDWR)
        assert aborted.wait(20)
        with associated(receiver.port, [CT_CONTEXT]) as assoc:
            assert assoc.send_c_store(with_meta(ct(2))).Status == 0x0000
    assert [row.sop_instance_uid for row in instances(store)] == [ct(2).SOPInstanceUID]
    connection.close()
    gc.collect()  # pynetdicom leaves the socket of a broken connection to the garbage collector


def test_stopping_lets_an_open_association_end(store: Store) -> None:
    receiver = Receiver(ReceiveSettings("NODE", "127.0.0.1", 0, [Sender("PACS")]), store)
    with associated(receiver.port, [CT_CONTEXT]) as assoc:
        stopping = threading.Thread(target=receiver.stop, kwargs={"drain_s": 20})
        stopping.start()
        assert assoc.send_c_store(with_meta(ct())).Status == 0x0000
        assoc.release()
        stopping.join(20)
        assert not stopping.is_alive()
    assert len(instances(store)) == 1


def test_callers_that_connect_and_say_nothing_take_no_place_and_go_when_they_hang_up(store: Store) -> None:
    hung_up: queue.Queue[Association] = queue.Queue()
    with receiving(store, max_associations=1) as receiver:
        receiver._server.bind(evt.EVT_CONN_CLOSE, lambda event: hung_up.put(event.assoc))
        silent = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(4)]
        wait_until(lambda: len(receiver._server.active_associations) == 4, 20, "the callers are seen")
        with associated(receiver.port, [CT_CONTEXT]) as assoc:
            assert assoc.send_c_store(with_meta(ct())).Status == 0x0000
            with associated(receiver.port, [CT_CONTEXT]) as one_too_many:
                refused = one_too_many.acceptor.primitive
                assert refused is not None
                assert (refused.result, refused.result_source, refused.diagnostic) == (2, 3, 2)
        for caller in silent:
            caller.close()
        for _ in range(4):
            going = hung_up.get(timeout=20)
            while going.requestor.primitive is not None:  # one of the two that said something
                going = hung_up.get(timeout=20)
            going.join(20)
            assert not going.is_alive()


def test_a_caller_that_says_nothing_does_not_hold_up_the_end(store: Store) -> None:
    receiver = Receiver(ReceiveSettings("NODE", "127.0.0.1", 0, [Sender("PACS")]), store)
    with socket.create_connection(("127.0.0.1", receiver.port)):
        wait_until(lambda: bool(receiver._server.active_associations), 20, "the caller is seen")
        (silent,) = receiver._server.active_associations
        receiver.stop(drain_s=60)
        assert silent.is_alive(), "it was not waited for"
    silent.join(20)
    assert not silent.is_alive()


def test_a_store_that_cannot_write_and_a_database_that_is_away_are_answered_with_out_of_resources(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> Callable[..., None]:
        def keep(*_: object) -> None:
            raise error

        return keep

    away = OperationalError("SELECT 1", {}, ConnectionError("P-17 is in here"))
    with receiving(store) as receiver, associated(receiver.port, [CT_CONTEXT]) as assoc:
        for error in (OSError(errno.EIO, "Input/output error"), away, PoolTimeout("no connection is free")):
            monkeypatch.setattr(store, "keep", fail(error))
            assert assoc.send_c_store(with_meta(ct())).Status == 0xA700
        monkeypatch.setattr(store, "keep", fail(ContentError("there is no SOP Class UID")))
        monkeypatch.setattr(store, "refuse", fail(away))
        assert assoc.send_c_store(with_meta(ct())).Status == 0xC000


def test_an_association_is_one_line_in_the_log_and_a_bug_its_traceback(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with receiving(store) as receiver, associated(receiver.port, [CT_CONTEXT]) as assoc:
        for number in (1, 2, 2):
            assert assoc.send_c_store(with_meta(ct(number))).Status == 0x0000
        monkeypatch.setattr(store, "keep", lambda *_: 1 // 0)
        assert assoc.send_c_store(with_meta(ct(3))).Status == 0xC211
    messages = [record.getMessage() for record in caplog.records if record.name == "dicom_node.scp"]
    (ended,) = [message for message in messages if "association of PACS" in message]
    size = sum(len(encoded(ct(number))) for number in (1, 2, 2))
    assert ended.startswith(f"an association of PACS ended: instances=3 bytes={size} failures=1 seconds=")
    assert not any("sop_instance" in message for message in messages)
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)
