"""Storage commitment that a peer asks of us: kept at once, answered on an association of its own until it is heard."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from arriving import associated, ct, receiving, with_meta
from node_process import free_port
from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)
from sqlalchemy.exc import OperationalError

from db import commitment_requests as rows
from db.commitment_requests import Kept
from db.engine import reading
from db.errors import PeerError
from db.outcomes import CommitmentRequest
from dicom_node import commitment_requests
from dicom_node.commitment import reference_item
from dicom_node.commitment_requests import information, judge
from dicom_node.config import Config, Peer
from dicom_node.jobs import JobState
from dicom_node.scp import Receiver, Sender
from dicom_node.store import Store
from dicom_node.sweep import sweep

CONTEXTS = [(CTImageStorage, [ExplicitVRLittleEndian]), (StorageCommitmentPushModel, [ImplicitVRLittleEndian])]
NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


def request(transaction_uid: str, *references: tuple[str, str]) -> Dataset:
    ds = Dataset()
    if transaction_uid:
        ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = [reference_item(reference) for reference in references]
    return ds


def ask(receiver: Receiver, ds: Dataset, action: int = 1, instance: str = StorageCommitmentPushModelInstance) -> int:
    """The status of an N-ACTION of PACS."""
    with associated(receiver.port, CONTEXTS) as assoc:
        status, _ = assoc.send_n_action(ds, action, StorageCommitmentPushModel, instance)
    return int(status.Status)


def send(receiver: Receiver, *numbers: int) -> None:
    with associated(receiver.port, CONTEXTS) as assoc:
        for number in numbers:
            assert assoc.send_c_store(with_meta(ct(number))).Status == 0x0000


@dataclass
class Asker:
    """A peer that waits for what it asked."""

    port: int
    statuses: list[int] = field(default_factory=lambda: [0x0000])
    heard: list[tuple[int, Dataset]] = field(default_factory=list)
    roles: list[tuple[bool, bool]] = field(default_factory=list)

    @property
    def config(self) -> Config:
        return Config(peers=[Peer(name="pacs", ae_title="PACS", port=self.port)])


@contextmanager
def asker() -> Iterator[Asker]:
    ae = AE("PACS")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    there = Asker(0)

    def hear(event: evt.Event) -> tuple[int, None]:
        there.heard.append((event.event_type, event.event_information))
        there.roles += [(item.scu_role, item.scp_role) for item in event.assoc.requestor.role_selection.values()]
        return there.statuses.pop(0) if len(there.statuses) > 1 else there.statuses[0], None

    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)])
    assert server is not None
    there.port = server.server_address[1]
    try:
        yield there
    finally:
        server.shutdown()
        for assoc in server.active_associations:
            assoc.join(10)


def answer(store: Store, config: Config, request_pk: int = 1) -> str:
    return commitment_requests.answer(config, store.sessions, store.files, request_pk)


def row(store: Store, request_pk: int = 1) -> CommitmentRequest:
    with reading(store.sessions) as session:
        return session.get_one(CommitmentRequest, request_pk)


def test_a_peer_is_told_what_is_kept_and_what_not_and_why(store: Store) -> None:
    kept, lost, other, unknown = (str(ct(number).SOPInstanceUID) for number in (1, 2, 3, 4))
    with receiving(store) as receiver:
        send(receiver, 1, 2, 3)
        asked = request("2.25.9", (CTImageStorage, kept), (CTImageStorage, lost), (MRImageStorage, other),
                        (CTImageStorage, unknown))  # fmt: skip
        assert ask(receiver, asked) == 0x0000
    with reading(store.sessions) as session:
        (file_name,) = {each.file_name for each in rows.kept(session, [lost])}
    store.files.path(file_name).unlink()
    with asker() as there:
        assert answer(store, there.config) == "committed to 1 objects, failed 3"
        assert answer(store, there.config) == "is answered"
        ((event_type, told),) = there.heard
    assert there.roles == [(False, True)], "we call, and are the provider"
    assert (event_type, told.TransactionUID) == (2, "2.25.9")
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == [kept]
    failures = {item.ReferencedSOPInstanceUID: item.FailureReason for item in told.FailedSOPSequence}
    assert failures == {lost: 0x0112, other: 0x0119, unknown: 0x0112}
    assert (row(store).state, row(store).last_answer) == ("answered", "committed to 1 objects, failed 3")


def test_where_all_is_kept_the_answer_is_a_plain_yes(store: Store) -> None:
    with receiving(store) as receiver:
        send(receiver, 1)
        ask(receiver, request("2.25.9", (CTImageStorage, str(ct(1).SOPInstanceUID))))
    with asker() as there:
        answer(store, there.config)
    ((event_type, told),) = there.heard
    assert event_type == 1 and "FailedSOPSequence" not in told


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom drops an unused socket
def test_a_peer_that_does_not_hear_is_told_again_until_it_is_given_up(store: Store) -> None:
    with receiving(store) as receiver:
        send(receiver, 1)
        ask(receiver, request("2.25.9", (CTImageStorage, str(ct(1).SOPInstanceUID))))
    with pytest.raises(PeerError, match="cannot be reached"):
        answer(store, Config(peers=[Peer(name="pacs", ae_title="PACS", port=free_port())]))
    with pytest.raises(PeerError, match="who asked is no longer"):
        answer(store, Config())
    with asker() as there:
        there.statuses = [0x0110, 0x0000]
        with pytest.raises(PeerError, match="answered N-EVENT-REPORT with 0x0110"):
            answer(store, there.config)
        assert row(store).state == "waiting"
        answer(store, there.config)
        assert len(there.heard) == 2
    assert row(store).state == "answered"


class FailingEngine:
    """Every job ends at once, by an error."""

    def __init__(self) -> None:
        self.known: dict[str, JobState] = {}

    def enqueue(self, job_id: str, way: str, subject: str, partition: str = "") -> None:
        self.known[job_id] = JobState(ended=True, error="the peer cannot be reached")

    def states(self, job_ids: list[str]) -> dict[str, JobState]:
        return {job_id: self.known[job_id] for job_id in job_ids if job_id in self.known}


def test_the_worker_tries_over_days_and_says_why_it_gave_up(store: Store) -> None:
    with receiving(store) as receiver:
        ask(receiver, request("2.25.9", (CTImageStorage, "1.2")))
    engine, now = FailingEngine(), row(store).received_at
    began = now
    while row(store).state == "waiting":
        now = row(store).next_try_at or now
        sweep(store.sessions, engine, now)  # type: ignore[arg-type]
        sweep(store.sessions, engine, now)  # type: ignore[arg-type]
    assert (row(store).state, row(store).last_answer) == ("dead", "the peer cannot be reached")
    assert now - began > timedelta(days=3)


def test_a_peer_that_asks_much_takes_no_others_turn(store: Store) -> None:
    with store.sessions.begin() as session:
        for ae_title, asked in (("LOUD", 30), ("QUIET", 1)):
            for number in range(asked):
                rows.enter(session, ae_title, f"2.25.{number}", [(CTImageStorage, "1.2")], NOW)
        assert [ae_title for _, ae_title, _, _ in rows.due(session, NOW, of_each=2)] == ["LOUD", "LOUD", "QUIET"]


def test_the_same_request_again_is_answered_again_and_another_one_of_that_uid_refused(store: Store) -> None:
    once = request("2.25.9", (CTImageStorage, "1.2"))
    with receiving(store) as receiver, asker() as there:
        assert ask(receiver, once) == 0x0000
        answer(store, there.config)
        assert ask(receiver, once) == 0x0000 and row(store).state == "waiting"
        answer(store, there.config)
        assert len(there.heard) == 2
        assert ask(receiver, request("2.25.9", (CTImageStorage, "1.3"))) == 0x0115


def test_what_makes_no_sense_is_refused_with_its_status(store: Store) -> None:
    good = ("2.25.9", (CTImageStorage, "1.2"))
    with receiving(store) as receiver:
        assert ask(receiver, request(*good), action=2) == 0x0123
        assert ask(receiver, request(*good), instance="1.2.3") == 0x0112
        assert ask(receiver, request("", good[1])) == 0x0115
        assert ask(receiver, request("2.25.9")) == 0x0115
    with reading(store.sessions) as session:
        assert rows.due(session, NOW + timedelta(days=9999)) == []


def test_success_is_not_answered_before_the_request_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> bool:
        raise OperationalError("SELECT 1", {}, ConnectionError())

    monkeypatch.setattr(rows, "enter", away)
    with receiving(store) as receiver:
        assert ask(receiver, request("2.25.9", (CTImageStorage, "1.2"))) == 0x0110


def test_a_peer_that_may_not_store_can_still_speak_of_commitment(store: Store) -> None:
    with receiving(store, Sender("PACS", stores=False)) as receiver, associated(receiver.port, CONTEXTS) as assoc:
        assert [context.abstract_syntax for context in assoc.accepted_contexts] == [StorageCommitmentPushModel]


def test_each_object_is_judged_once_and_any_content_of_its_class_counts() -> None:
    a, b = ("CT", "1.1"), ("CT", "1.2")
    there = [Kept("1.1", "MR", "x"), Kept("1.1", "CT", "y")]
    assert judge([a, b, a], there) == ([a], [(b, 0x0112)])
    assert judge([("US", "1.1")], there) == ([], [(("US", "1.1"), 0x0119)])


def test_an_empty_sequence_is_left_out() -> None:
    assert "FailedSOPSequence" not in information("2.25.1", [("CT", "1.1")], [])
    assert "ReferencedSOPSequence" not in information("2.25.1", [], [(("CT", "1.1"), 0x0112)])
