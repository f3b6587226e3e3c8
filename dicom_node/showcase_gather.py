"""The demo's facts from where they lie: database, stored files, the phantoms' truth. Shell: reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pydicom
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import categories
from db.files import FileStore
from db.geometry import BoxPx, PixelSpacing
from db.models import Image, Instance, LesionRow, Rejection, Study
from db.outcomes import Analysis, Delivery, DetectionRow, Model, Result
from detector.froc import HIT_IOU
from dicom_node.phantom.truth import PhantomLesion
from dicom_node.showcase_facts import Delivered, Scene, Shape, Step, TreeItem
from dicom_node.web.figures import Drawn, drawn_detection, drawn_lesion
from mining.content_tree import ContentItem, read_tree
from mining.elements import code_of, items_of, numbers_of, text_of
from mining.pictures import category_montage
from mining.volume import load_image

TEXTS = {
    "TEXT": "TextValue",
    "UIDREF": "UID",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
}
"""Value Type -> the attribute that holds its value as text."""

Truths = Mapping[str, Sequence[PhantomLesion]]
"""study_instance_uid -> the lesions that are really there."""


# --- the way of the data ----------------------------------------------------------------------------------------


def steps(session: Session) -> tuple[Step, ...]:
    """The counts of every step, from receive to deliver."""
    return (
        Step("receive", _count(session, Study), "studies", f"{_count(session, Instance):,} instances"),
        Step("settle", _count(session, Study, Study.state != "receiving"), "settled"),
        Step(
            "harvest",
            _count(session, LesionRow),
            "lesions",
            f"{_count(session, Rejection)} rejected",
        ),
        Step("categorise", len(categories.list_categories(session)), "categories"),
        Step("train", _count(session, Model), "model" if _count(session, Model) == 1 else "models"),
        Step(
            "detect",
            _count(session, DetectionRow, DetectionRow.reported),
            "detections",
            f"in {_count(session, Analysis)} studies",
        ),
        Step("report", _count(session, Result), "objects", "SR and SEG"),
        Step("deliver", _count(session, Delivery, Delivery.state == "delivered"), "delivered"),
    )


def _count(session: Session, table: type, *conditions: object) -> int:
    return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0  # type: ignore[arg-type]


# --- pictures ---------------------------------------------------------------------------------------------------


def measured(session: Session, files: FileStore, limit: int = 8) -> tuple[Scene, ...]:
    """The largest measured lesion of as many studies, drawn on its image."""
    rank = func.row_number().over(
        partition_by=LesionRow.study_instance_uid, order_by=(LesionRow.long_axis_mm.desc(), LesionRow.lesion_id)
    )
    largest = (
        select(LesionRow.lesion_id, rank.label("rank"))
        .where(LesionRow.image_present, LesionRow.excluded_because.is_(None), LesionRow.long_axis_mm.is_not(None))
        .subquery()
    )
    chosen = (
        select(LesionRow)
        .join(largest, largest.c.lesion_id == LesionRow.lesion_id)
        .where(largest.c.rank == 1)
        .order_by(LesionRow.study_instance_uid)
        .limit(limit)
    )
    scenes = []
    for lesion in session.scalars(chosen).all():
        what = " · ".join(word for word in (lesion.site, lesion.finding, lesion.category) if word)
        short = "" if lesion.short_axis_mm is None else f" × {lesion.short_axis_mm:.1f}"
        caption = f"{lesion.long_axis_mm:.1f}{short} mm, from {lesion.source_kind}{f': {what}' if what else ''}"
        shape = _shape(drawn_lesion(lesion), "measured")
        scene = _scene(session, files, lesion.sop_instance_uid, (shape,), caption, shape.box)
        scenes += [scene] if scene else []
    return tuple(scenes)


def montage(session: Session, files: FileStore) -> bytes:
    """PNG of the current categories; empty before the first."""
    return category_montage(session, files) if categories.list_categories(session) else b""


def category_lines(session: Session) -> tuple[tuple[str, int, float | None], ...]:
    return tuple((line.name, line.members, line.stability) for line in categories.list_categories(session))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The reported detections beside the truth, as `DemoFacts` counts them."""

    scenes: tuple[Scene, ...]
    found: int
    present: int
    false_positives: int


def compared(session: Session, files: FileStore, truths: Truths, limit: int = 8) -> Comparison:
    """The reported detections of the analysed studies beside what is really there.

    A lesion is found if a detection's box on its key image has an IoU of HIT_IOU with the lesion's box there. Studies
    that were not analysed count for nothing. Half of the scenes at most are found lesions while there are others.
    """
    found: list[tuple[PhantomLesion, DetectionRow]] = []
    missed: list[PhantomLesion] = []
    false: list[DetectionRow] = []
    for study_instance_uid, detections in _reported(session, truths).items():
        lesions = truths[study_instance_uid]
        hitting: set[str] = set()
        for lesion in lesions:
            hits = [one for one in detections if _overlap(lesion, one) >= HIT_IOU]
            hitting |= {one.detection_id for one in hits}
            if hits:
                found.append((lesion, max(hits, key=lambda one: one.score)))
            else:
                missed.append(lesion)
        false += [one for one in detections if one.detection_id not in hitting]
    others = [_missed_scene(session, files, lesion) for lesion in _largest(missed)[: limit // 4]]
    others += [_false_scene(session, files, one, truths) for one in _surest(false)[: limit // 4]]
    kept = [scene for scene in others if scene]
    hits_shown = sorted(found, key=lambda pair: -pair[0].long_axis_mm)[: limit - len(kept)]
    shown = [_found_scene(session, files, lesion, one) for lesion, one in hits_shown]
    scenes = (*(scene for scene in shown if scene), *kept)
    return Comparison(scenes, len(found), len(found) + len(missed), len(false))


def _reported(session: Session, truths: Truths) -> dict[str, list[DetectionRow]]:
    """The reported detections of each study's newest analysis; an entry also for a study in which none was found."""
    newest: dict[str, str] = {}
    analysed = (
        select(Analysis.study_instance_uid, Analysis.analysis_id)
        .where(Analysis.state.in_(("found", "none found")))
        .order_by(Analysis.study_revision, Analysis.finished_at)
    )
    for study_instance_uid, analysis_id in session.execute(analysed):
        if study_instance_uid in truths:
            newest[study_instance_uid] = analysis_id
    studies = {analysis_id: study_instance_uid for study_instance_uid, analysis_id in newest.items()}
    found: dict[str, list[DetectionRow]] = {study_instance_uid: [] for study_instance_uid in newest}
    reported = select(DetectionRow).where(DetectionRow.reported, DetectionRow.analysis_id.in_(list(studies)))
    for row in session.scalars(reported.order_by(DetectionRow.detection_id)):
        found[studies[row.analysis_id]].append(row)
    return found


def _overlap(lesion: PhantomLesion, detection: DetectionRow) -> float:
    truth = lesion.boxes.get(detection.sop_instance_uid)
    return 0.0 if truth is None else truth.iou(drawn_detection(detection).box)


def _largest(lesions: Iterable[PhantomLesion]) -> list[PhantomLesion]:
    return sorted(lesions, key=lambda lesion: -lesion.long_axis_mm)


def _surest(detections: Iterable[DetectionRow]) -> list[DetectionRow]:
    return sorted(detections, key=lambda detection: -detection.score)


def _found_scene(session: Session, files: FileStore, lesion: PhantomLesion, detection: DetectionRow) -> Scene | None:
    truth = lesion.boxes[detection.sop_instance_uid]
    shapes = (Shape("truth", truth, (), lesion.kind), _shape(drawn_detection(detection), "detected"))
    marked = "marked by the reader" if lesion.marked else "not marked by the reader"
    caption = f"Found: {_named(lesion)}, {marked}; detected with score {detection.score:.2f}"
    return _scene(session, files, detection.sop_instance_uid, shapes, caption, truth)


def _missed_scene(session: Session, files: FileStore, lesion: PhantomLesion) -> Scene | None:
    shape = Shape("missed", lesion.box, (lesion.long_axis, lesion.short_axis), lesion.kind)
    caption = f"Missed: {_named(lesion)}, {abs(lesion.contrast_hu):.0f} HU from its surroundings"
    return _scene(session, files, lesion.key_sop_instance_uid, (shape,), caption, lesion.box)


def _false_scene(session: Session, files: FileStore, detection: DetectionRow, truths: Truths) -> Scene | None:
    """With the lesion that the detection touches, if there is one: then it lies there, but not well enough."""
    drawn = drawn_detection(detection)
    there = [lesion for lesions in truths.values() for lesion in lesions if _overlap(lesion, detection) > 0]
    touched = max(there, key=lambda lesion: _overlap(lesion, detection), default=None)
    shapes: tuple[Shape, ...] = (Shape("false", drawn.box),)
    said = "no lesion is there"
    if touched is not None:
        shapes = (Shape("truth", touched.boxes[detection.sop_instance_uid], (), touched.kind), *shapes)
        said = f"it shares only {100 * _overlap(touched, detection):.0f} % with {_named(touched)}"
    caption = f"False alarm: {said}; detected with score {detection.score:.2f}"
    return _scene(session, files, detection.sop_instance_uid, shapes, caption, drawn.box)


def _named(lesion: PhantomLesion) -> str:
    kind = lesion.kind.replace("_", " ")
    return f"{kind}, {lesion.organ.replace('_', ' ')}, {lesion.long_axis_mm:.0f} mm"


def _shape(drawn: Drawn, kind: str) -> Shape:
    axes = (drawn.long_axis, drawn.short_axis) if drawn.short_axis else (drawn.long_axis,)
    return Shape(kind, drawn.box, axes)


def _scene(
    session: Session,
    files: FileStore,
    sop_instance_uid: str,
    shapes: tuple[Shape, ...],
    caption: str,
    focus: BoxPx | None,
) -> Scene | None:
    """None if the image is not stored."""
    row = session.execute(
        select(Instance.file_name, Image.row_spacing_mm, Image.col_spacing_mm)
        .join(Image, Image.sop_instance_uid == Instance.sop_instance_uid)
        .where(Instance.sop_instance_uid == sop_instance_uid, Instance.state == "current")
    ).one_or_none()
    if row is None:
        return None
    file_name, row_mm, col_mm = row
    return Scene(load_image(files.path(file_name)), PixelSpacing(row_mm or 1.0, col_mm or 1.0), shapes, caption, focus)


# --- what was sent ----------------------------------------------------------------------------------------------


def deliveries(session: Session, limit: int = 30) -> tuple[Delivered, ...]:
    """The first of them, in the order they were made."""
    rows = session.execute(
        select(Delivery, Result)
        .join(Result, Result.result_sop_instance_uid == Delivery.result_sop_instance_uid)
        .order_by(Delivery.delivery_pk)
        .limit(limit)
    )
    return tuple(
        Delivered(
            result.kind,
            result.profile,
            delivery.destination,
            delivery.state,
            delivery.last_answer,
            result.result_sop_instance_uid,
            delivery.delivered_at,
        )
        for delivery, result in rows
    )


def result_tree(session: Session, files: FileStore) -> TreeItem | None:
    """The content of the newest report that says something was found; of the newest report if none does."""
    newest = session.scalar(
        select(Result.file_name)
        .join(Analysis, Analysis.analysis_id == Result.analysis_id)
        .where(Result.kind == "SR")
        .order_by((Analysis.state == "found").desc(), Result.created_at.desc())
        .limit(1)
    )
    return None if newest is None else tree_item(read_tree(pydicom.dcmread(files.path(newest))).root)


def tree_item(item: ContentItem) -> TreeItem:
    """A content item and all below it, in words."""
    concept = item.concept
    name = concept.meaning if concept and concept.meaning else item.value_type.lower() or "item"
    return TreeItem(name, _value(item), tuple(tree_item(child) for child in item.children))


def _value(item: ContentItem) -> str:
    """What a content item says, by its Value Type (PS3.3 C.17.3.2)."""
    ds, kind = item.dataset, item.value_type
    if kind == "NUM":
        for measured_value in items_of(ds, "MeasuredValueSequence")[:1]:
            unit = code_of(measured_value, "MeasurementUnitsCodeSequence")
            return f"{text_of(measured_value, 'NumericValue')} {unit.value if unit else ''}".strip()
        return "no value"
    if kind == "CODE":
        code = code_of(ds, "ConceptCodeSequence")
        return f"{code.meaning} ({code})" if code else ""
    if kind in ("SCOORD", "SCOORD3D"):
        values = numbers_of(ds, "GraphicData") or ()
        points = len(values) // (2 if kind == "SCOORD" else 3)
        return f"{text_of(ds, 'GraphicType').lower()} of {points} points"
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        references = items_of(ds, "ReferencedSOPSequence")
        return f"{kind.lower()} …{text_of(references[0], 'ReferencedSOPInstanceUID')[-16:]}" if references else ""
    return text_of(ds, TEXTS[kind]) if kind in TEXTS else ""
