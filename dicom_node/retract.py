"""Take back what no longer holds, where the destination honours rejection notes. Shell.

What is to be taken back stands in the tables: a result that was replaced, of which a reader rejected every finding, or
that a person withdrew. One note takes back one result; it goes the way of every delivery, and once it has arrived, the
delivery that it is about is `retracted` (`deliver`).
"""

from __future__ import annotations

import logging
from datetime import datetime
from io import BytesIO

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from sqlalchemy.orm import Session

from db import deliveries, results, retractions, studies
from db.engine import reading
from db.errors import ContentError
from db.files import name_part
from db.outcomes import Analysis, Result
from db.retractions import Due
from db.uids import uid_from
from dicom_node.building import model_description
from dicom_node.node import Node
from dicom_node.report.context import Context, Identity, InstanceReference
from dicom_node.report.header import header_sha256
from dicom_node.report.rejection_note import KIND, PROFILE, SERIES_NUMBER, rejection_note

log = logging.getLogger(__name__)


def retract(node: Node, now: datetime, stuck: set[str]) -> int:
    """Queue a rejection note for what is to be taken back; returns how many notes were queued.

    stuck: results of which no note can be made, said once for as long as the caller keeps the set.
    """
    honouring = [peer.name for peer in node.config.peers if peer.rejection_notes]
    if not honouring:
        return 0
    with reading(node.sessions) as session:
        found = retractions.due(session, honouring)
    return sum(_queue(node, due, now, stuck) for due in found if due.result_sop_instance_uid not in stuck)


def _queue(node: Node, due: Due, now: datetime, stuck: set[str]) -> bool:
    with node.sessions.begin() as session:
        studies.lock(session, due.study_instance_uid)  # of two workers one makes the note
        try:
            uid = _note(session, node, due, now)
        except (ContentError, OSError, InvalidDicomError) as error:
            stuck.add(due.result_sop_instance_uid)
            log.error("sop_instance=%s cannot be taken back: %s", due.result_sop_instance_uid, error)
            return False
        queued = deliveries.put(session, uid, due.destination, "send", now)
    log.warning(
        "sop_instance=%s is taken back at destination=%s: %s", due.result_sop_instance_uid, due.destination, due.because
    )
    return queued


def _note(session: Session, node: Node, due: Due, now: datetime) -> str:
    """The SOP Instance UID of the note for a result, which is made if there is none; one is for all destinations."""
    uid = uid_from("rejection", due.result_sop_instance_uid)
    if session.get(Result, uid) is not None:
        return uid
    rejected = session.get_one(Result, due.result_sop_instance_uid)
    header = dcmread(node.files.path(rejected.file_name), stop_before_pixels=True)
    series = uid_from("series", due.study_instance_uid, PROFILE)
    identity = Identity(series, uid, SERIES_NUMBER, results.next_instance_number(session, series))
    model_id = session.get_one(Analysis, rejected.analysis_id).model_id or "none"
    reference = InstanceReference(
        due.study_instance_uid, rejected.series_instance_uid, rejected.sop_class_uid, rejected.result_sop_instance_uid
    )
    context = Context((header,), model_description(node, model_id), now)
    dataset = rejection_note(reference, rejected.kind, due.because, context, identity)
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    name = f"results/{name_part(due.study_instance_uid)}/{uid}.dcm"
    node.files.write(name, content.getvalue())
    results.record(
        session,
        result_sop_instance_uid=uid,
        analysis_id=rejected.analysis_id,
        kind=KIND,
        profile=PROFILE,
        sop_class_uid=str(dataset.SOPClassUID),
        series_instance_uid=series,
        instance_number=identity.instance_number,
        file_name=name,
        header_sha256=header_sha256(header),
        now=now,
        edition=rejected.edition,
        rejects=rejected.result_sop_instance_uid,
    )
    return uid
