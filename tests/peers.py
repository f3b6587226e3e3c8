"""A scripted peer: a real pynetdicom SCP that answers what a test tells it to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_node.config import Peer
from dicom_node.scp import send_without_delay

FIND = StudyRootQueryRetrieveInformationModelFind
UNCOMPRESSED = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


@dataclass
class Script:
    """What the peer answers, one entry a request, the last one for ever; and what it was asked.

    stores, echoes: DIMSE statuses. finds: NumberOfStudyRelatedInstances, None for a match that does not say it,
    'nothing' for no match, or a failure's status as 'fail'. abort: break every association at its first request.
    hang: answer nothing before it is set. cut: close the connection when the first part of an object has come.
    actions: statuses of N-ACTION.
    keeps: to what it commits: SOP Instance UID → reason of a failure, 0 for none, None to say nothing of it; what it
    does not name it keeps. answer_to: the port on which it answers an N-ACTION, 0 for the same association, None for
    never; calls: the AE title that it calls there. told: the status with which each of its answers was taken.
    """

    stores: list[int] = field(default_factory=lambda: [0x0000])
    echoes: list[int] = field(default_factory=lambda: [0x0000])
    finds: list[int | str | None] = field(default_factory=lambda: [None])
    abort: bool = False
    hang: threading.Event | None = None
    cut: bool = False
    actions: list[int] = field(default_factory=lambda: [0x0000])
    keeps: dict[str, int | None] = field(default_factory=dict)
    answer_to: int | None = 0
    calls: str = "NODE"
    told: list[int] = field(default_factory=list)
    transactions: list[Dataset] = field(default_factory=list)
    stored: list[Dataset] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


class ScriptedPeer:
    """The running peer. `peer`: as it stands in our node.toml."""

    def __init__(self, script: Script, port: int) -> None:
        self.script = script
        self.peer = Peer(name="Archive", ae_title="ARCHIVE", host="127.0.0.1", port=port, find=True, deliver=["ohif"])


@contextmanager
def scripted_peer(
    script: Script | None = None,
    offers: Sequence[str] = (Verification, CTImageStorage, FIND),
    knows: Sequence[str] = (),
) -> Iterator[ScriptedPeer]:
    """A peer on a free port. offers: SOP classes; knows: the callers it lets in, everyone if empty."""
    told = script or Script()
    ae = AE("ARCHIVE")
    ae.require_calling_aet = list(knows)
    for sop_class in offers:
        ae.add_supported_context(sop_class, UNCOMPRESSED)
    handlers = [
        (evt.EVT_CONN_OPEN, send_without_delay),
        (evt.EVT_C_ECHO, _echo, [told]),
        (evt.EVT_C_STORE, _store, [told]),
        (evt.EVT_C_FIND, _find, [told]),
        (evt.EVT_PDU_RECV, _cut, [told]),
        (evt.EVT_N_ACTION, _commit, [told]),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    assert server is not None
    try:
        yield ScriptedPeer(told, server.server_address[1])
    finally:
        server.shutdown()
        for assoc in server.active_associations:
            assoc.join(10)


def _next(answers: list[int] | list[int | str | None]) -> int | str | None:
    return answers.pop(0) if len(answers) > 1 else answers[0]


def _cut(event: evt.Event, script: Script) -> None:
    connection = event.assoc.dul.socket
    if script.cut and isinstance(event.pdu, P_DATA_TF) and connection is not None and connection.socket is not None:
        connection.socket.shutdown(socket.SHUT_RDWR)


def _echo(event: evt.Event, script: Script) -> int:
    if script.abort:
        event.assoc.abort()
    return int(_next(script.echoes) or 0)


def _store(event: evt.Event, script: Script) -> int:
    if script.hang is not None:
        script.hang.wait(60)
    if script.abort:
        event.assoc.abort()
        return 0xC000
    status = int(_next(script.stores) or 0)
    if status == 0 or 0xB000 <= status <= 0xBFFF:
        script.stored.append(event.dataset)
    return status


def _find(event: evt.Event, script: Script) -> Iterator[tuple[int, Dataset | None]]:
    if script.abort:
        event.assoc.abort()
        return
    uid = str(event.identifier.StudyInstanceUID)
    script.asked.append(uid)
    answer = _next(script.finds)
    if answer == "fail":
        yield 0xA700, None
    elif answer != "nothing":
        match = Dataset()
        match.QueryRetrieveLevel, match.StudyInstanceUID = "STUDY", uid
        match.NumberOfStudyRelatedInstances = answer
        yield 0xFF00, match


def _commit(event: evt.Event, script: Script) -> tuple[int, None]:
    script.transactions.append(event.action_information)
    status = int(_next(script.actions) or 0)
    if status == 0 and script.answer_to is not None:
        asked = event.action_information
        threading.Thread(target=_answer, args=(event.assoc, asked, script), name="commitment", daemon=True).start()
    return status, None


def _answer(assoc: Association, asked: Dataset, script: Script) -> None:
    """N-EVENT-REPORT, on the association on which it was asked or on one of its own."""
    report = event_information(asked, script.keeps)
    if not script.answer_to:
        script.told.append(_tell(assoc, report))
        return
    ae = AE("ARCHIVE")
    ae.add_requested_context(StorageCommitmentPushModel)
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    own = ae.associate("127.0.0.1", script.answer_to, ae_title=script.calls, ext_neg=[role])
    script.told.append(_tell(own, report) if own.is_established else -1)
    if own.is_established:
        own.release()


def event_information(asked: Dataset, keeps: dict[str, int | None]) -> Dataset:
    """PS3.4 table J.3-2."""
    report = Dataset()
    report.TransactionUID = asked.TransactionUID
    committed, failed = [], []
    for item in asked.ReferencedSOPSequence:
        reason = keeps.get(str(item.ReferencedSOPInstanceUID), 0)
        said = Dataset()
        said.ReferencedSOPClassUID, said.ReferencedSOPInstanceUID = item[0x00081150].value, item[0x00081155].value
        if reason:
            said.FailureReason = reason
            failed.append(said)
        elif reason is not None:
            committed.append(said)
    if committed:
        report.ReferencedSOPSequence = committed
    if failed:
        report.FailedSOPSequence = failed
    return report


def _tell(assoc: Association, report: Dataset) -> int:
    kind = 2 if "FailedSOPSequence" in report else 1
    status, _ = assoc.send_n_event_report(report, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    return int(getattr(status, "Status", -1))
