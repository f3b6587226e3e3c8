"""Ask a destination to commit to what it took (storage commitment as SCU, N-ACTION, PS3.4 J.3.2). Shell.

All that is due of a destination is one transaction, entered before it is asked: the answer may come at once, and to
another process. Who does not answer is asked again, in a new transaction, with growing delays over days.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from db import commitments
from db.commitments import Reference
from db.engine import Sessions, utc_now
from db.errors import PeerError
from db.uids import uid_from
from dicom_node import circuits, scu
from dicom_node.backoff import next_commit_try
from dicom_node.commitment_answers import status_of
from dicom_node.config import Config, Peer

log = logging.getLogger(__name__)

ASKED_AFTER = timedelta(seconds=2)
"""After a delivery: the others of its study go into the same transaction."""

ANSWER_S = 3.0
"""How long an answer is waited for on the same association; later ones come to our own port."""

REQUEST_STORAGE_COMMITMENT = 1
"""Action Type ID, PS3.4 table J.3-1."""


class NotOffered(PeerError):
    """The peer offers no storage commitment."""


def ask(config: Config, sessions: Sessions, destination: str, clock: Callable[[], datetime] = utc_now) -> str:
    """Ask for what is due of one destination; what came of it. A failure only moves the next time to ask."""
    peer = next((peer for peer in config.peers if peer.name == destination), None)
    now, transaction_uid = clock(), uid_from("commitment", uuid4())
    with sessions.begin() as session:
        if peer is None or not peer.commitment or peer.send_by != "c-store":
            commitments.stop(session, destination)
            return "storage commitment is not asked there any more"
        until, why = circuits.blocked_until(session, destination, now)
        if until is not None:
            commitments.postpone(session, destination, now, until)
            return f"nothing is asked before {until:%H:%M} UTC: {why}"
        asked = commitments.begin(session, destination, transaction_uid, now, partial(next_commit_try, now))
        commitments.postpone(session, destination, now, now + ASKED_AFTER)  # what one transaction could not take
    if not asked:
        return "nothing is due"
    try:
        answered = _request(sessions, peer, config.dicom.ae_title, transaction_uid, asked)
    except PeerError as error:
        return _not_asked(sessions, destination, transaction_uid, error, clock())
    with sessions.begin() as session:
        circuits.note_success(session, destination, clock())
    return f"asked for {len(asked)} objects, {'answered at once' if answered else 'the answer comes later'}"


def _not_asked(sessions: Sessions, destination: str, transaction_uid: str, error: PeerError, now: datetime) -> str:
    log.warning("storage commitment is not asked of destination=%s: %s", destination, error)
    with sessions.begin() as session:
        if isinstance(error, scu.PeerAway):
            circuits.note_failure(session, destination, error.message, now)
        text = "not offered" if isinstance(error, NotOffered) else f"not asked: {error.message}"
        commitments.remark(session, transaction_uid, text, ask_again=not isinstance(error, NotOffered))
    return text


def _request(
    sessions: Sessions, peer: Peer, our_ae_title: str, transaction_uid: str, asked: Sequence[Reference]
) -> bool:
    """Send the N-ACTION; whether the answer came on the same association. Raises PeerError."""
    taken, told = threading.Event(), threading.Event()

    def take(event: evt.Event) -> tuple[int, None]:
        status = status_of(sessions, peer.name, event)
        taken.set()
        return status, None

    def after_sending(event: evt.Event) -> None:
        if taken.is_set():  # the status of the answer has left: now the association may end
            told.set()

    ae = AE(our_ae_title)
    ae.add_requested_context(StorageCommitmentPushModel)
    handlers = [(evt.EVT_N_EVENT_REPORT, take), (evt.EVT_PDU_SENT, after_sending)]
    with scu.associated(ae, peer, handlers) as assoc:
        if not scu.offers(assoc, StorageCommitmentPushModel):
            raise NotOffered(peer=peer.name)
        status, _ = assoc.send_n_action(
            _information(transaction_uid, asked),
            REQUEST_STORAGE_COMMITMENT,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )
        scu.check(peer, status, "N-ACTION")
        return told.wait(ANSWER_S)


def _information(transaction_uid: str, asked: Sequence[Reference]) -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = [reference_item(reference) for reference in asked]
    return ds


def reference_item(reference: Reference) -> Dataset:
    """An item of the Referenced SOP Sequence (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    return item
