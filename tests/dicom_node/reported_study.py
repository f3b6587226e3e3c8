"""A study that was analysed by hand, for the tests of what becomes of its results."""

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom import Dataset
from sqlalchemy import select
from whole_way import Site, configure, keep, ledger, study

from db import analyses, deliveries, registry, studies
from db.detection import Detection, Mask
from db.engine import reading, utc_now
from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from db.models import Study
from db.outcomes import Delivery, Result
from dicom_node.building import headers_of
from dicom_node.config import Peer
from dicom_node.settle import settle_study
from dicom_node.workflows import report_study

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
PHANTOM = study(0)
UID = PHANTOM.study_instance_uid


def analysable(tmp_path: Path, database_url: str) -> Site:
    """A node with one study in its first revision, and a peer that wants SEG and SR at once."""
    made = configure(tmp_path, database_url, 104)
    arrive(made, PHANTOM.images)
    with made.node.sessions.begin() as session:
        registry.keep_training_set(session, "set", [], None, NOW)
        registry.register(
            session, weights_sha256="a" * 64, weights_name="", training_set_id="set", label_generation=None, card={},
            froc={}, gate={}, git_commit="", now=NOW,
        )  # fmt: skip
    return made


def arrive(site: Site, objects: list[Dataset]) -> int:
    """Received and settled; the study's revision."""
    keep(site, objects)
    settled = settle_study(site.node.sessions, site.node.files, UID, utc_now(), site.node.site_key())
    assert settled is not None
    return settled.revision


def detection(site: Site, revision: int) -> Detection:
    with reading(site.node.sessions) as session:
        stored = studies.current_instances(session, UID)
    images = headers_of([site.node.files.path(each.file_name) for each in stored if each.modality == "CT"])
    axes = Axis(PointPx(20, 24), PointPx(32, 30)), Axis(PointPx(25, 30), PointPx(28, 24))
    key = ImageReference(str(images[5].SOPInstanceUID), 1)
    mask = Mask(5, 22, 18, np.ones((1, 10, 16), bool))
    box = BoxPx(17, 20, 35, 34)
    return Detection(f"d{revision}", key, box, 5, 5, *axes, 14.0, 7.0, 0.9, "lesion", "2.25.77", mask)


def analyse(site: Site, *, finds: bool) -> None:
    """What the detector's process would write of the present revision."""
    with reading(site.node.sessions) as session:
        revision = session.get_one(Study, UID).revision
    found = detection(site, revision)
    assert found.mask is not None
    site.node.files.write("masks/one.npz", analyses.mask_bytes(found.mask))
    with site.node.sessions.begin() as session:
        analyses.save(
            session, study_instance_uid=UID, study_revision=revision, model_id="a" * 12,
            series_instance_uid=str(PHANTOM.images[0].SeriesInstanceUID),
            detections=[(found, True, "masks/one.npz")] if finds else [], started_at=NOW,
            now=NOW + timedelta(hours=revision), images_sha256=studies.images_sha256(session, UID),
        )  # fmt: skip


def with_peers(site: Site, *peers: Peer) -> Site:
    config = site.config.model_copy(update={"peers": list(peers)})
    return replace(site, config=config, node=replace(site.node, config=config))


def found(site: Site) -> str:
    analyse(site, finds=True)
    return report_study(site.node, UID)


def none_found_now(site: Site) -> str:
    """The images were corrected since, and nothing is found in them."""
    arrive(site, corrected())
    analyse(site, finds=False)
    return report_study(site.node, UID)


def deliver_all(site: Site, destination: str) -> None:
    """As if all that waits for a destination had been sent there."""
    with site.node.sessions.begin() as session:
        waiting = select(Delivery.delivery_pk).where(Delivery.destination == destination, Delivery.state == "waiting")
        for pk in session.scalars(waiting).all():
            deliveries.note_success(session, pk, "Success", NOW)


def outbox(site: Site, destination: str) -> list[tuple[str, str, str]]:
    """Kind, state and last answer of all that a destination has to do with, the oldest first."""
    with reading(site.node.sessions) as session:
        rows = session.execute(
            select(Result.kind, Delivery.state, Delivery.last_answer)
            .join(Delivery, Delivery.result_sop_instance_uid == Result.result_sop_instance_uid)
            .where(Delivery.destination == destination)
            .order_by(Delivery.delivery_pk)
        )
        return [(kind, state, answer) for kind, state, answer in rows]


def delivery_states(site: Site) -> dict[str, str]:
    return {row.uid: row.delivery for row in ledger(site, UID)}


def corrected(patient_id: str = "RIGHT") -> list[Dataset]:
    again = [deepcopy(image) for image in PHANTOM.images]
    for image in again:
        image.PatientID = patient_id
    return again


def peer(name: str, deliver: list[str], *, report_empty: bool = False) -> Peer:
    return Peer(name=name, ae_title=name.upper(), port=104, deliver=deliver, mode="send", report_empty=report_empty)
