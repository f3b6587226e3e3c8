"""Storage commitment that peers ask of us (as SCP, PS3.4 J.3). Shell around a pure judgement.

The receiving process keeps a request before it answers the N-ACTION; the worker looks whether the objects are there and
tells the peer on an association of its own, again and again until the peer has heard it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import cast

from pydicom import Dataset
from pynetdicom import AE, build_role
from pynetdicom.dimse_primitives import N_ACTION
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from db import commitment_requests, lost
from db.commitment_requests import Kept
from db.commitments import Reference
from db.engine import NO_DATABASE, Sessions, driver_error, reading, utc_now
from db.errors import ContentError, PeerError
from db.files import FileStore
from dicom_node import scu
from dicom_node.commitment import REQUEST_STORAGE_COMMITMENT, reference_item
from dicom_node.commitment_answers import (
    CLASS_CONFLICT,
    INVALID_ARGUMENT,
    NO_SUCH_INSTANCE,
    NO_SUCH_OBJECT,
    PROCESSING_FAILURE,
    SUCCESS,
    references,
    transaction_uid_of,
)
from dicom_node.config import Config

log = logging.getLogger(__name__)

NO_SUCH_ACTION = 0x0123

# Event Type ID, PS3.4 table J.3-2
ALL_COMMITTED = 1
SOME_FAILED = 2


def status_of(sessions: Sessions, ae_title: str, event: Event) -> int:
    """Keep what an N-ACTION asks; the status to answer it with."""
    if cast(N_ACTION, event.request).RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
        return NO_SUCH_INSTANCE
    if event.action_type != REQUEST_STORAGE_COMMITMENT:
        return NO_SUCH_ACTION
    try:
        information = event.action_information
        asked, uid = references(information), transaction_uid_of(information)
        with sessions.begin() as session:
            taken = bool(asked) and commitment_requests.enter(session, ae_title, uid, asked, utc_now())
    except ContentError as error:
        log.warning("a request for storage commitment of %s is not taken: %s", ae_title, error)
        return INVALID_ARGUMENT
    except NO_DATABASE as error:
        log.error("no database for a request for storage commitment of %s: %s", ae_title, driver_error(error))
        return PROCESSING_FAILURE
    log.info("%s asks for storage commitment of %d objects, transaction=%s", ae_title, len(asked), uid)
    return SUCCESS if taken else INVALID_ARGUMENT


def judge(asked: Sequence[Reference], there: Iterable[Kept]) -> tuple[list[Reference], list[tuple[Reference, int]]]:
    """(what we commit to, what not and why), each once, in the order in which it was asked. Pure.

    there: the contents whose files are in the store.
    """
    classes: dict[str, set[str]] = {}
    for content in there:
        classes.setdefault(content.sop_instance_uid, set()).add(content.sop_class_uid)
    committed, failed = [], []
    for reference in dict.fromkeys(asked):
        sop_class_uid, uid = reference
        if sop_class_uid in classes.get(uid, ()):
            committed.append(reference)
        else:
            failed.append((reference, CLASS_CONFLICT if uid in classes else NO_SUCH_OBJECT))
    return committed, failed


def answer(
    config: Config, sessions: Sessions, files: FileStore, request_pk: int, clock: Callable[[], datetime] = utc_now
) -> str:
    """Tell a peer what we commit to; what was told. Raises PeerError if it did not hear it."""
    with reading(sessions) as session:
        request = commitment_requests.get(session, request_pk)
        found = commitment_requests.kept(session, [uid for _, uid in request.instances])
    if request.state != "waiting":
        return f"is {request.state}"
    gone = lost.gone(files, found)
    committed, failed = judge(request.instances, [content for content in found if content not in gone])
    _tell(config, request.ae_title, request.transaction_uid, committed, failed)
    said = f"committed to {len(committed)} objects, failed {len(failed)}"
    with sessions.begin() as session:
        commitment_requests.note_answered(session, request_pk, said, clock())
    log.info("told %s: %s, transaction=%s", request.ae_title, said, request.transaction_uid)
    return said


def _tell(
    config: Config,
    ae_title: str,
    transaction_uid: str,
    committed: Sequence[Reference],
    failed: Sequence[tuple[Reference, int]],
) -> None:
    peer = next((peer for peer in config.peers if peer.ae_title == ae_title), None)
    if peer is None:
        raise PeerError("who asked is no longer in node.toml; the answer has nowhere to go", ae_title=ae_title)
    ae = AE(config.dicom.ae_title)
    ae.add_requested_context(StorageCommitmentPushModel)
    # We call, and are the provider all the same (PS3.4 J.3.3.1.1).
    role = build_role(StorageCommitmentPushModel, scp_role=True)
    with scu.associated(ae, peer, roles=[role]) as assoc:
        if not scu.offers(assoc, StorageCommitmentPushModel):
            raise PeerError(
                "the peer takes no answer to its storage commitment; allow us there as its SCP",
                peer=peer.name,
            )
        status, _ = assoc.send_n_event_report(
            information(transaction_uid, committed, failed),
            SOME_FAILED if failed else ALL_COMMITTED,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        scu.check(peer, status, "N-EVENT-REPORT")


def information(
    transaction_uid: str, committed: Sequence[Reference], failed: Sequence[tuple[Reference, int]]
) -> Dataset:
    """The event information of PS3.4 table J.3-2; a sequence without items is left out."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    if committed:
        ds.ReferencedSOPSequence = [reference_item(reference) for reference in committed]
    items = []
    for reference, reason in failed:
        item = reference_item(reference)
        item.FailureReason = reason
        items.append(item)
    if items:
        ds.FailedSOPSequence = items
    return ds
