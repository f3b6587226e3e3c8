"""Send what the outbox holds: one delivery a step. Shell.

At least once: a crash between the peer's Success and our commit sends the same SOP Instance UID again, which a PACS
takes as the same object.
"""

from __future__ import annotations

import logging

from pydicom import dcmread

from db import analyses, deliveries
from db.engine import Sessions, reading, utc_now
from db.files import FileStore
from db.models import Study
from db.outcomes import Analysis
from dicom_node import scu
from dicom_node.config import Config

log = logging.getLogger(__name__)

HELD = "mode is hold now: a person must release it"


def deliver(config: Config, sessions: Sessions, files: FileStore, delivery_pk: int) -> str:
    """Send one waiting delivery, if it is still to be sent; what came of it.

    Raises PeerError, and the delivery stays as it was.
    """
    with reading(sessions) as session:
        letter = deliveries.get(session, delivery_pk)
        study = session.get_one(Study, letter.study_instance_uid)
        later = analyses.newest(session, letter.study_instance_uid, study.revision)
    if letter.state != "waiting":
        return f"is {letter.state}"
    if letter.superseded:
        return _discard(sessions, delivery_pk, deliveries.SUPERSEDED)
    if unwanted := _unwanted(config, letter):
        return _discard(sessions, delivery_pk, unwanted)
    peer = config.peer(letter.destination)
    if peer.mode == "hold" and _hold(sessions, delivery_pk):
        return HELD
    if study.state == "receiving" or study.analysed_revision < study.revision:
        return _wait_for_newer(sessions, letter)
    if later is None or later.analysis_id != letter.analysis_id:
        return _discard(sessions, delivery_pk, f"the study changed before it was sent; then: {_outcome(later)}")
    with sessions.begin() as session:
        now = utc_now()
        sent = deliveries.delivered_since(session, letter.destination, now - deliveries.HOUR)
        if peer.max_results_per_hour is not None and sent >= peer.max_results_per_hour:
            answer = f"paused: {sent} results in the last hour, max_results_per_hour is {peer.max_results_per_hour}"
            deliveries.postpone(session, delivery_pk, now + deliveries.HOUR / 6, answer)
            log.warning("destination=%s %s", letter.destination, answer)
            return answer
    path = files.path(letter.file_name)
    syntax = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).file_meta.TransferSyntaxUID
    answer = scu.store(peer, config.dicom.ae_title, path, letter.sop_class_uid, syntax)
    with sessions.begin() as session:
        deliveries.note_success(session, delivery_pk, answer, utc_now())
    log.info("delivered sop_instance=%s destination=%s", letter.result_sop_instance_uid, letter.destination)
    return answer


def _unwanted(config: Config, letter: deliveries.Letter) -> str:
    """Why the present configuration sends this no more; empty if it does. What waits was queued under an older one."""
    peer = next((peer for peer in config.peers if peer.name == letter.destination), None)
    if peer is None:
        return "the destination is no longer in node.toml"
    if letter.profile not in peer.deliver:
        return f"the destination no longer takes the profile {letter.profile}"
    return ""


def _hold(sessions: Sessions, delivery_pk: int) -> bool:
    with sessions.begin() as session:
        return deliveries.hold(session, delivery_pk, HELD)


def _outcome(later: Analysis | None) -> str:
    if later is None:
        return "no analysis"
    return f"{later.state}, {later.reason}" if later.reason else later.state


def _discard(sessions: Sessions, delivery_pk: int, answer: str) -> str:
    with sessions.begin() as session:
        deliveries.discard(session, delivery_pk, answer)
    return answer


def _wait_for_newer(sessions: Sessions, letter: deliveries.Letter) -> str:
    """The study changed since: its new analysis supersedes this result, or builds the same one again."""
    answer = "the study changed since; waiting for its new analysis"
    with sessions.begin() as session:
        deliveries.postpone(session, letter.delivery_pk, utc_now() + deliveries.HOUR / 60, answer)
    return answer
