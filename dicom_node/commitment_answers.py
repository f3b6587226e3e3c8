"""What a destination answers when storage commitment was asked of it (N-EVENT-REPORT, PS3.4 J.3.3). Shell around pure.

The answer comes on the association on which it was asked, or on a new one to our own port: so the worker and the
receiving process both end here. It is in the database before its status is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset
from pynetdicom.events import Event

from db import commitments
from db.commitments import Reference
from db.engine import NO_DATABASE, Sessions, driver_error, utc_now
from db.errors import ContentError
from db.outcomes import Delivery
from dicom_node.backoff import delay, next_commit_try

log = logging.getLogger(__name__)

# PS3.7 10.1.1.1.8, and of N-ACTION 10.1.4.1.10
SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_INSTANCE = 0x0112
INVALID_ARGUMENT = 0x0115

# PS3.3 C.14.1.1
NO_SUCH_OBJECT = 0x0112
CLASS_CONFLICT = 0x0119
CLASS_NOT_SUPPORTED = 0x0122
REASONS = {
    0x0110: "processing failure",
    NO_SUCH_OBJECT: "it has no such object",
    CLASS_CONFLICT: "it has the object under another SOP class",
    CLASS_NOT_SUPPORTED: "it commits to no object of that SOP class",
    0x0131: "duplicate transaction",
    0x0213: "out of resources",
}
SEND_AGAIN = (NO_SUCH_OBJECT, CLASS_CONFLICT)

MOST_ASKED = 5
"""An object that the destination loses so often is a dead letter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """committed: SOP Instance UIDs. failed: by SOP Instance UID the reason of PS3.3 C.14.1.1."""

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]


def read(information: Dataset) -> Answer:
    """The event information of PS3.4 table J.3-2. Raises ContentError if it names no transaction."""
    failed = {
        _text(item, "ReferencedSOPInstanceUID"): int(item.get("FailureReason") or 0x0110)
        for item in information.get("FailedSOPSequence") or ()
    }
    committed = {uid for _, uid in references(information)} - failed.keys()
    return Answer(transaction_uid_of(information), frozenset(committed), failed)


def transaction_uid_of(information: Dataset) -> str:
    uid = _text(information, "TransactionUID")
    if not 0 < len(uid) <= 64:
        raise ContentError("storage commitment without a transaction UID")
    return uid


def references(information: Dataset) -> tuple[Reference, ...]:
    """(SOP Class UID, SOP Instance UID) of the objects that are spoken of."""
    return tuple(
        (_text(item, "ReferencedSOPClassUID"), _text(item, "ReferencedSOPInstanceUID"))
        for item in information.get("ReferencedSOPSequence") or ()
    )


def _text(ds: Dataset, keyword: str) -> str:
    return str(ds.get(keyword) or "").replace("\0", "").strip()  # PostgreSQL takes no NUL in a text


@dataclass(frozen=True, slots=True)
class Consequence:
    """What becomes of a delivery to which its destination does not commit."""

    state: str
    answer: str
    next_try_at: datetime | None = None
    next_commit_at: datetime | None = None


def consequence(reason: int, asked: int, answer: str, now: datetime) -> Consequence:
    """An object that is not there is sent again; where only the commitment failed it is asked for again. Pure.

    asked: how often, this time included. answer: the one to the delivery itself.
    """
    words = f"0x{reason:04X}: {REASONS.get(reason, 'a failure')}"
    if reason in SEND_AGAIN and asked >= MOST_ASKED:
        return Consequence("dead", f"given up: asked {asked} times, it took the object and did not keep it ({words})")
    if reason in SEND_AGAIN:
        next_try_at = now + delay(asked, first_s=60, longest_s=4 * 3600)
        return Consequence("waiting", f"sent again: it took the object and did not keep it ({words})", next_try_at)
    again_at = None if reason == CLASS_NOT_SUPPORTED else next_commit_try(now, asked)
    return Consequence("delivered", commitments.remarked(answer, f"refused ({words})"), next_commit_at=again_at)


def take(sessions: Sessions, destination: str, answer: Answer, now: datetime) -> bool:
    """Enter an answer; False if that transaction was not asked of this destination. The same again changes nothing."""
    with sessions.begin() as session:
        if commitments.destination_of(session, answer.transaction_uid) != destination:
            return False
        commitments.commit(session, destination, answer.committed, now)
        for row in commitments.failed_of(session, answer.transaction_uid, answer.failed.keys()):
            _apply(row, consequence(answer.failed[row.result_sop_instance_uid], row.commit_tries, row.last_answer, now))
        commitments.note_answer(session, answer.transaction_uid, len(answer.committed), len(answer.failed), now)
    log.log(
        logging.WARNING if answer.failed else logging.INFO,
        "destination=%s committed to %d objects, failed=%d transaction=%s",
        destination, len(answer.committed), len(answer.failed), answer.transaction_uid,
    )  # fmt: skip
    return True


def _apply(row: Delivery, what: Consequence) -> None:
    row.state, row.last_answer = what.state, what.answer
    row.next_try_at, row.next_commit_at = what.next_try_at, what.next_commit_at
    if what.state != "delivered":
        row.delivered_at = None  # it is not there


def status_of(sessions: Sessions, destination: str, event: Event) -> int:
    """Take the answer that an N-EVENT-REPORT brings; the status to answer it with."""
    try:
        answer = read(event.event_information)
        if take(sessions, destination, answer, utc_now()):
            return SUCCESS
        log.warning("destination=%s answers transaction=%s, which is none of ours", destination, answer.transaction_uid)
    except ContentError as error:
        log.warning("an answer of destination=%s is not taken: %s", destination, error)
    except NO_DATABASE as error:  # the peer may tell it again, and else it is asked again
        log.error("no database for an answer of destination=%s: %s", destination, driver_error(error))
        return PROCESSING_FAILURE
    return INVALID_ARGUMENT
