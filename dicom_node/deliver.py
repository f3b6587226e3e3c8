"""Send what the outbox holds: one delivery a step. Shell.

At least once: a crash between the peer's Success and our commit sends the same SOP Instance UID again, which a PACS
takes as the same object.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from db import analyses, deliveries, findings, retractions
from db.deliveries import Letter
from db.engine import reading, utc_now
from db.errors import ContentError, PeerError
from db.models import Study
from db.outcomes import Analysis
from dicom_node import circuits, scu
from dicom_node.commitment import ASKED_AFTER
from dicom_node.config import Config, Peer
from dicom_node.fallback import CHANGED, fall_back, may_go_to
from dicom_node.node import Node
from dicom_node.ways_out import send

log = logging.getLogger(__name__)

HELD = "mode is hold now: a person must release it"
SHADOW = "mode is shadow now: it is kept and never sent"


def deliver(node: Node, delivery_pk: int, clock: Callable[[], datetime] = utc_now) -> str:
    """Send one waiting delivery, if it is still to be sent; what came of it.

    Raises PeerError, or ContentError where there is no file to send, and the delivery stays as it was.
    """
    now = clock()
    with reading(node.sessions) as session:
        letter = deliveries.get(session, delivery_pk)
    if letter.state != "waiting":
        return f"is {letter.state}"
    with node.sessions.begin() as session:
        why_not = _decided_without_sending(session, node.config, letter, now)
    if why_not:
        return why_not
    peer, path = node.config.peer(letter.destination), node.files.path(letter.file_name)
    if not path.is_file():
        raise ContentError("the file of this result is gone; restore it from the backup", file=letter.file_name)
    try:
        stored = send(peer, node.config.dicom.ae_title, path, letter.sop_class_uid)
    except scu.ClassRefused as refusal:
        with node.sessions.begin() as session:
            circuits.note_success(session, peer.name, clock())
        return fall_back(node, letter, refusal, clock())
    except PeerError as error:
        _note_failure(node, peer, error, clock())
        raise
    return _note_success(node, letter, stored, clock())


def _decided_without_sending(session: Session, config: Config, letter: Letter, now: datetime) -> str:
    """Why it is not sent now, and its row says so; empty if it is to be sent."""
    if letter.superseded and letter.rejects is None:
        return _discard(session, letter, deliveries.SUPERSEDED)
    if unwanted := _unwanted(config, letter):
        return _discard(session, letter, unwanted)
    peer = config.peer(letter.destination)
    if peer.mode == "shadow":
        deliveries.keep_in_shadow(session, letter.delivery_pk, SHADOW)
        return SHADOW
    if letter.rejects is None:  # what takes back an older result holds whatever became of the study
        if (
            peer.mode == "hold"
            and not _released(session, letter)
            and deliveries.hold(session, letter.delivery_pk, HELD)
        ):
            return HELD
        if outdated := _outdated(session, letter, now):
            return outdated
    return _paused(session, peer, letter, now)


def _released(session: Session, letter: Letter) -> bool:
    """Whether a person released the analysis, of which another person has changed the findings since."""
    return letter.edition > 0 and findings.released(session, letter.analysis_id, letter.destination)


def _unwanted(config: Config, letter: Letter) -> str:
    """Why the present configuration sends this no more; empty if it does. What waits was queued under an older one."""
    peer = next((peer for peer in config.peers if peer.name == letter.destination), None)
    if peer is None:
        return "the destination is no longer in node.toml"
    if letter.rejects is not None:
        return "" if peer.rejection_notes else "the destination takes no rejection notes now"
    if not may_go_to(peer, letter.profile):
        return f"the destination no longer takes the profile {letter.profile}"
    return ""


def _outdated(session: Session, letter: Letter, now: datetime) -> str:
    """The study changed since: its new analysis supersedes this result, or builds the same one again."""
    study = session.get_one(Study, letter.study_instance_uid)
    later = analyses.newest(session, letter.study_instance_uid, study.revision)
    if study.state == "receiving" or study.analysed_revision < study.revision:
        return _postpone(session, letter, now, "the study changed since; waiting for its new analysis")
    if later is None or later.analysis_id != letter.analysis_id:
        return _discard(session, letter, f"the study changed before it was sent; then: {_outcome(later)}")
    if findings.is_outdated(session, letter.delivery_pk):
        return _postpone(session, letter, now, CHANGED)
    return ""


def _outcome(later: Analysis | None) -> str:
    if later is None:
        return "no analysis"
    return f"{later.state}, {later.reason}" if later.reason else later.state


def _discard(session: Session, letter: Letter, answer: str) -> str:
    deliveries.discard(session, letter.delivery_pk, answer)
    return answer


def _postpone(session: Session, letter: Letter, now: datetime, answer: str) -> str:
    deliveries.postpone(session, letter.delivery_pk, now + deliveries.HOUR / 60, answer)
    return answer


def _paused(session: Session, peer: Peer, letter: Letter, now: datetime) -> str:
    """Too much went there within the hour, or it is away and this is no probe.

    What takes a result back is not paused: it must not stand behind the very results that were too many.
    """
    sent = deliveries.delivered_since(session, peer.name, now - deliveries.HOUR)
    if letter.rejects is None and peer.max_results_per_hour is not None and sent >= peer.max_results_per_hour:
        answer = f"paused: {sent} results in the last hour, max_results_per_hour is {peer.max_results_per_hour}"
        deliveries.postpone(session, letter.delivery_pk, now + deliveries.HOUR / 6, answer)
        log.warning("destination=%s %s", peer.name, answer)
        return answer
    until, why = circuits.blocked_until(session, peer.name, now)
    if until is None:
        return ""
    answer = f"the destination is away ({why}); nothing is sent there before {until:%Y-%m-%d %H:%M} UTC"
    deliveries.postpone(session, letter.delivery_pk, until, answer)
    return answer


def _note_failure(node: Node, peer: Peer, error: PeerError, now: datetime) -> None:
    """A destination that answers is there, whatever it answers."""
    with node.sessions.begin() as session:
        if not isinstance(error, scu.PeerAway):
            circuits.note_success(session, peer.name, now)
        elif circuits.note_failure(session, peer.name, error.message, now):
            log.warning("destination=%s is away: nothing is sent there but a probe now and then", peer.name)


def _note_success(node: Node, letter: Letter, stored: scu.Stored, now: datetime) -> str:
    commit_at = now + ASKED_AFTER if stored.offers_commitment else None
    with node.sessions.begin() as session:
        if circuits.note_success(session, letter.destination, now):
            log.warning("destination=%s is back", letter.destination)
        withdrawn = retractions.is_withdrawn(session, letter.result_sop_instance_uid)  # while it was on its way
        said = f"{stored.answer}; {retractions.SAID}" if withdrawn else stored.answer
        deliveries.note_success(session, letter.delivery_pk, said, now, commit_at)
        if letter.rejects is not None:
            answer = f"taken back by the rejection note {letter.result_sop_instance_uid}"
            deliveries.retract(session, letter.rejects, letter.destination, answer)
    log.info("delivered sop_instance=%s destination=%s", letter.result_sop_instance_uid, letter.destination)
    return stored.answer
