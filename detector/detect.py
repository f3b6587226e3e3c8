"""A stored study → its lesions, in one transaction with the fact that it was analysed. Shell; a process of its own.

`detect_volume` is the part without files and rows, for those who have a volume in their hands.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import analyses, lost, registry, studies
from db.detection import Detection
from db.engine import Sessions, open_sessions, reading, utc_now
from db.errors import ContentError
from db.files import name_part
from db.local_files import LocalFiles
from db.models import Image, Series
from db.priors import prior_studies
from detector.cache import positions_mm
from detector.choose import Candidate, choose, why_none
from detector.follow import FollowSettings, with_priors
from detector.froc import threshold_at
from detector.look import lesions_of
from detector.merge import Track
from detector.model_files import LoadedModel, load_model
from detector.overview import Overview, as_json, overview_of
from detector.prepare import prepare_scan
from detector.segment import SegmentSettings, outline
from detector.tracking import Earlier, tracking_uids
from mining import child
from mining.readers.by_class import reader_for
from mining.volume import Volume, load_volume

log = logging.getLogger(__name__)

WITHOUT_A_CURVE = 0.5
"""The threshold of a model that had no validation scan to choose one on."""


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """What is kept of a series' lesions."""

    keep_score: float = 0.05
    """Below it a lesion is forgotten; all others are kept, however many."""


def detect_volume(
    model: LoadedModel,
    volume: Volume,
    settings: DetectSettings,
    study_instance_uid: str,
    earlier: Sequence[Earlier] = (),
) -> list[Detection]:
    """All lesions of one series from `keep_score` on, the highest score first, each with axes and mask.

    earlier: what was found in this study before, so that the same lesion keeps its Tracking UID.
    """
    scan = prepare_scan(volume.voxels, positions_mm(volume), volume.spacing, model.inputs)
    tracks = lesions_of(model.network, scan, volume.spacing, model.inputs, model.merging, model.device)
    tracks = [track for track in tracks if track.score >= settings.keep_score]
    uids = tracking_uids(study_instance_uid, tracks, earlier)
    return [_detection(model, volume, track, uid) for track, uid in zip(tracks, uids, strict=True)]


def reported(detections: Sequence[Detection], model: LoadedModel, max_fp_per_scan: float, max_findings: int) -> int:
    """How many of the detections, best first, are above the operating point."""
    threshold = threshold_at(model.operating_curve, max_fp_per_scan)
    if threshold is None:  # no curve, or even its strictest point costs too much: then stricter than all of it
        threshold = max((point[0] for point in model.operating_curve), default=WITHOUT_A_CURVE)
    return min(max_findings, sum(detection.score >= threshold for detection in detections))


def _detection(model: LoadedModel, volume: Volume, track: Track, tracking_uid: str) -> Detection:
    key = track.key
    found = outline(volume.voxels, track, volume.spacing, SegmentSettings())
    rows, columns = volume.voxels.shape[1:]
    return Detection(
        detection_id=str(uuid4()),
        image=volume.images[key.z],
        box=key.box.clipped(rows, columns),
        z_first=found.mask.z,
        z_last=found.mask.z + len(found.mask.voxels) - 1,
        long_axis=found.long_axis,
        short_axis=found.short_axis,
        long_axis_mm=found.long_axis.length_mm(volume.spacing),
        short_axis_mm=found.short_axis.length_mm(volume.spacing),
        score=track.score,
        category=model.category(key.label),
        tracking_uid=tracking_uid,
        mask=found.mask,
    )


# --- one study ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """What a study's analysis needs to know."""

    study_instance_uid: str
    study_revision: int
    model_id: str
    keep_score: float
    max_fp_per_scan: float
    max_findings: int
    device: str


def detect_study(sessions: Sessions, files: LocalFiles, order: Order, progress: child.Progress) -> dict[str, Any]:
    """Analyse one revision of a study by one model, once; whatever comes of it is a row.

    Raises what is no fact about the study: the model is unknown or its file is broken, the disk is full.
    """
    started_at = utc_now()
    with reading(sessions) as session:
        done = analyses.of_model(session, order.study_instance_uid, order.study_revision, order.model_id)
        if done is not None:
            return _outcome(done.analysis_id, done.state, done.reason)
        row = registry.get(session, order.model_id)
        missing = _lost_images(session, files, order.study_instance_uid)
        best, reasons = choose(_candidates(session, order.study_instance_uid))
        paths = _paths(session, files, order.study_instance_uid, best)
        looked_at = studies.images_sha256(session, order.study_instance_uid)
    for series_uid, reason in reasons.items():
        log.info("not analysed study=%s series=%s: %s", order.study_instance_uid, series_uid, reason)
    if missing:
        with sessions.begin() as session:
            lost.note(session, missing, utc_now())
        return _without(sessions, order, analyses.FAILED, str(lost.lost_file(missing)), started_at)
    if best is None:
        return _without(sessions, order, analyses.NOT_ANALYSED, why_none(reasons), started_at)
    model = load_model(row.card, row.weights_sha256, files, device_of(order.device))
    progress("read", 0, 2)
    try:
        volume = load_volume(paths)
        progress("detect", 1, 2)
        with reading(sessions) as session:
            earlier = _earlier(session, order.study_instance_uid, volume)
            priors = prior_studies(session, order.study_instance_uid)
            frame_uid = session.get_one(Series, volume.series_instance_uid).frame_of_reference_uid
        found = detect_volume(model, volume, DetectSettings(order.keep_score), order.study_instance_uid, earlier)
    except ContentError as error:
        log.warning("analysis failed study=%s: %s", order.study_instance_uid, error)
        return _without(sessions, order, analyses.FAILED, str(error), started_at)
    progress("detect", 2, 2)
    count, overview = reported(found, model, order.max_fp_per_scan, order.max_findings), overview_of(volume)
    kept_uids = {before.tracking_uid for before in earlier}
    found = with_priors(found, count, volume, frame_uid, overview, priors, kept_uids, FollowSettings())
    return _save(sessions, files, order, volume, found, count, overview, started_at, looked_at)


def _lost_images(session: Session, files: LocalFiles, study_instance_uid: str) -> list[studies.StoredInstance]:
    """What has lost its file and may be an image: a volume with a gap, or none, would look like a whole one.

    By SOP class, for one that was lost early was never read, and so stands in no series.
    """
    stored = studies.current_instances(session, study_instance_uid)
    return lost.gone(files, (instance for instance in stored if reader_for(instance.sop_class_uid) is None))


def _candidates(session: Session, study_instance_uid: str) -> list[Candidate]:
    """The series of a study that have images, with what is known of them."""
    current = {instance.sop_instance_uid for instance in studies.current_instances(session, study_instance_uid)}
    candidates = []
    for series in session.scalars(select(Series).where(Series.study_instance_uid == study_instance_uid)):
        images = [
            image
            for image in session.scalars(select(Image).where(Image.series_instance_uid == series.series_instance_uid))
            if image.sop_instance_uid in current
        ]
        if images:
            types = frozenset(value for image in images for value in image.image_type.upper().split("\\"))
            candidates.append(
                Candidate(
                    series_instance_uid=series.series_instance_uid,
                    modality=series.modality,
                    images=sum(image.frames for image in images),
                    image_types=types,
                    convolution_kernel=series.convolution_kernel,
                    slice_interval_mm=series.slice_interval_mm,
                    series_number=series.series_number,
                    multi_frame=any(image.frames > 1 for image in images),
                    frame_of_reference=bool(series.frame_of_reference_uid),
                )
            )
    return candidates


def _paths(session: Session, files: LocalFiles, study_instance_uid: str, best: Candidate | None) -> list[Path]:
    """Files of the images of the chosen series; other objects that lie in it (an SR, a SEG) are none."""
    if best is None:
        return []
    images = set(
        session.scalars(select(Image.sop_instance_uid).where(Image.series_instance_uid == best.series_instance_uid))
    )
    return [
        files.path(instance.file_name)
        for instance in studies.current_instances(session, study_instance_uid)
        if instance.sop_instance_uid in images
    ]


def _earlier(session: Session, study_instance_uid: str, volume: Volume) -> list[Earlier]:
    """What was found before on images of this series."""
    places = {image: z for z, image in enumerate(volume.images)}
    return [
        Earlier(places[detection.image], detection.box, detection.tracking_uid)
        for detection in analyses.earlier_detections(session, study_instance_uid)
        if detection.image in places
    ]


def _save(
    sessions: Sessions,
    files: LocalFiles,
    order: Order,
    volume: Volume,
    found: Sequence[Detection],
    count: int,
    overview: Overview,
    started_at: datetime,
    images_sha256: str,
) -> dict[str, Any]:
    """Masks first, rows second, so that no row points to nothing."""
    named = []
    for place, detection in enumerate(found):
        name = ""
        if detection.mask is not None:
            name = analyses.mask_name(name_part(order.study_instance_uid), detection.detection_id)
            files.write(name, analyses.mask_bytes(detection.mask))
        named.append((detection, place < count, name))
    with sessions.begin() as session:
        analysis = analyses.save(
            session,
            study_instance_uid=order.study_instance_uid,
            study_revision=order.study_revision,
            series_instance_uid=volume.series_instance_uid,
            model_id=order.model_id,
            detections=named,
            started_at=started_at,
            now=utc_now(),
            images_sha256=images_sha256,
            positions_mm=positions_mm(volume).tolist(),
        )
        analysis.overview = as_json(overview)
    log.info("analysed study=%s kept=%d reported=%d", order.study_instance_uid, len(found), count)
    return _outcome(analysis.analysis_id, analysis.state, analysis.reason, kept=len(found), reported=count)


def _without(sessions: Sessions, order: Order, state: str, reason: str, started_at: datetime) -> dict[str, Any]:
    with sessions.begin() as session:
        analysis = analyses.save_without_detections(
            session,
            str(uuid4()),
            order.study_instance_uid,
            order.study_revision,
            state=state,
            reason=reason,
            now=utc_now(),
            model_id=order.model_id,
            started_at=started_at,
        )
    return _outcome(analysis.analysis_id, analysis.state, analysis.reason)


def _outcome(analysis_id: str, state: str, reason: str, **counts: int) -> dict[str, Any]:
    return {"analysis_id": analysis_id, "state": state, "reason": reason, **counts}


def device_of(wanted: str) -> str:
    """`auto` takes the GPU if there is one."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def work(order: dict[str, Any]) -> dict[str, Any]:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    wanted = Order(**{name: order[name] for name in Order.__slots__})
    return detect_study(open_sessions(order["database_url"]), LocalFiles(Path(order["data_dir"])), wanted, child.report)


if __name__ == "__main__":
    child.run(work)
