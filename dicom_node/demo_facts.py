"""What the demo's report shows: from SQL, and from the truth that only the demo knows. Shell around pure counting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import analyses, registry
from db.engine import utc_now
from db.files import FileStore
from db.geometry import BoxPx
from db.lesions import box_of
from db.models import LesionRow, Study
from db.outcomes import DetectionRow, Task
from detector.froc import AT_FP_PER_SCAN, HIT_IOU, ScanResult, Scored, sensitivities, with_intervals
from dicom_node import showcase_gather
from dicom_node.phantom.truth import PhantomLesion
from dicom_node.showcase_facts import DemoFacts, FrocCurve
from mining.identity import agreement

Truths = Mapping[str, Sequence[PhantomLesion]]

LARGE_MM, CLEAR_HU = 10.0, 40.0


def is_large_and_clear(lesion: PhantomLesion) -> bool:
    return lesion.long_axis_mm >= LARGE_MM and abs(lesion.contrast_hu) >= CLEAR_HU


def gather_facts(
    session: Session,
    files: FileStore,
    truths: Truths,
    archive: Truths,
    seconds: Mapping[str, float],
    remarks: Sequence[tuple[str, str]],
) -> DemoFacts:
    """Everything for the page. truths: of the analysed studies; empty if nothing was analysed. archive: of the studies
    that were harvested.
    """
    comparison = showcase_gather.compared(session, files, truths)
    model = registry.promoted(session)
    durations = tuple((f"seconds to {part}", f"{value:.0f}") for part, value in seconds.items())
    figures = () if model is None else (("model", model.model_id),)
    return DemoFacts(
        made_at=utc_now(),
        steps=showcase_gather.steps(session),
        measured=showcase_gather.measured(session, files),
        montage_png=showcase_gather.montage(session, files),
        categories=showcase_gather.category_lines(session),
        losses=_losses(session),
        froc=froc_curves(session, truths),
        compared=comparison.scenes,
        found=comparison.found,
        present=comparison.present,
        false_positives=comparison.false_positives,
        tree=showcase_gather.result_tree(session, files),
        delivered=showcase_gather.deliveries(session),
        remarks=(*remarks, *durations, *figures, *agreement_with_kinds(session, archive)),
    )


def agreement_with_kinds(session: Session, archive: Truths) -> tuple[tuple[str, str], ...]:
    """How well the current categories agree with the kinds that the phantom knows; empty before the first category."""
    rows = session.scalars(
        select(LesionRow)
        .where(LesionRow.category_id.is_not(None), LesionRow.study_instance_uid.in_(list(archive)))
        .order_by(LesionRow.lesion_id)
    )
    pairs = [(row.category_id, kind) for row in rows if (kind := kind_of(row, archive[str(row.study_instance_uid)]))]
    if not pairs:
        return ()
    groups, kinds = zip(*pairs, strict=True)
    figures = agreement(groups, kinds)
    return (
        (
            "categories against the hidden kinds",
            f"AMI {figures['ami']:.2f}, NMI {figures['nmi']:.2f}, purity {figures['purity']:.2f}: "
            f"{len(pairs)} lesions, {len(set(groups))} categories, {len(set(kinds))} kinds",
        ),
    )


def kind_of(row: LesionRow, lesions: Sequence[PhantomLesion]) -> str | None:
    """The kind of the measured lesion: that of the best overlap on the image; None if that is below HIT_IOU."""
    drawn = box_of(row)
    overlaps = [
        (lesion.boxes[row.sop_instance_uid].iou(drawn), lesion.kind)
        for lesion in lesions
        if row.sop_instance_uid in lesion.boxes
    ]
    overlap, kind = max(overlaps, default=(0.0, None))
    return kind if overlap >= HIT_IOU else None


def _losses(session: Session) -> tuple[tuple[int, float], ...]:
    tasks = session.scalars(select(Task).where(Task.kind == "train", Task.state == "done").order_by(Task.task_pk))
    return tuple((int(step), float(loss)) for task in tasks for step, loss in task.progress.get("losses", []))


def froc_curves(session: Session, truths: Truths) -> tuple[FrocCurve, ...]:
    """Against every lesion, the large and clear ones, and those that the reader measured; none without an analysis."""
    if not truths:
        return ()
    return (
        _curve(session, truths, "all", lambda lesion: True, lambda lesion: True),
        _curve(session, truths, "large", lambda lesion: True, is_large_and_clear),
        _curve(session, truths, "marked", lambda lesion: lesion.marked, lambda lesion: True),
    )


def _curve(
    session: Session,
    truths: Truths,
    against: str,
    known: Callable[[PhantomLesion], bool],
    counts: Callable[[PhantomLesion], bool],
) -> FrocCurve:
    """known: what a detection may hit without being a false positive. counts: what enters the sensitivity."""
    scans = scan_results(session, truths, known, counts)
    intervals = with_intervals(scans, draws=200)
    return FrocCurve(
        against=against,
        fp_per_scan=AT_FP_PER_SCAN,
        sensitivity=tuple(float(value) for value in sensitivities(scans)),
        lesions=sum(sum(scan.counts) for scan in scans),
        scans=len(scans),
        low=tuple(interval.low for interval in intervals),
        high=tuple(interval.high for interval in intervals),
    )


def scan_results(
    session: Session,
    truths: Truths,
    known: Callable[[PhantomLesion], bool],
    counts: Callable[[PhantomLesion], bool],
) -> list[ScanResult]:
    """What each study's present analysis found, reported or not, and what that hit: IoU of the box on its key image."""
    results = []
    for study_uid, lesions in truths.items():
        present = [lesion for lesion in lesions if known(lesion)]
        study = session.get_one(Study, study_uid)
        analysis = analyses.newest(session, study_uid, study.revision)
        rows = session.scalars(
            select(DetectionRow)
            .where(DetectionRow.analysis_id == (analysis.analysis_id if analysis is not None else None))
            .order_by(DetectionRow.score.desc(), DetectionRow.detection_id)
        )
        scored = tuple(Scored(row.score, _hits(row, present)) for row in rows)
        results.append(ScanResult(str(study.patient_pk), tuple(counts(lesion) for lesion in present), scored))
    return results


def _hits(row: DetectionRow, lesions: Sequence[PhantomLesion]) -> frozenset[int]:
    box = BoxPx(row.box_x1, row.box_y1, row.box_x2, row.box_y2)
    return frozenset(
        index
        for index, lesion in enumerate(lesions)
        if row.sop_instance_uid in lesion.boxes and lesion.boxes[row.sop_instance_uid].iou(box) >= HIT_IOU
    )
