"""Rows → what a model learns from and is judged on (`detector.marked` sets it into the scans). Shell.

What counts is every row of truth whose image is here; its split is the patient's, for ever. One lesion on one image is
one mark, however many readers drew it. A doubtful mark is neither learnt nor counted, but what it shows is no
background, and a finding there no mistake.

What people said of our detections counts too (docs/answers.md): one that was accepted is a mark where no reader drew
the lesion, one that was rejected is background to be shown again. What they changed is a lesion that they drew.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.geometry import BoxPx, PointPx
from db.judged import JudgedDetection, judged_detections
from db.lesions import box_of
from db.measurement import ImageReference
from db.models import LabelGeneration, LesionRow
from mining.fitness import ImageFacts
from mining.settings import DEFAULT_SETTINGS, HarvestSettings

DRAWN, ACCEPTED, REJECTED = "drawn", "accepted", "rejected"
"""Where a truth comes from: a reader's drawing, or a detection of ours that a person judged."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One marked lesion. `patient` joins what belongs to one patient; it is never logged or stored."""

    lesion_id: str
    """Of a detection that was judged: its detection_id."""
    patient: str
    study_instance_uid: str
    series_instance_uid: str
    image: ImageReference
    box: BoxPx
    long_axis_mm: float
    spacing_mm: float
    category_id: int | None
    category: str
    split: str
    lesion_identity: str = ""
    """What the measurements of one lesion share."""
    doubtful: bool = False
    """Possibly noisy: something was marked, but its outline is not to be trusted."""
    redrawn: tuple[BoxPx, ...] = ()
    """The boxes of the same lesion on this image as others drew it."""
    origin: str = DRAWN
    """DRAWN, ACCEPTED or REJECTED; the last is no lesion."""

    @property
    def is_mark(self) -> bool:
        """Whether there is a lesion to learn and to find."""
        return not self.doubtful and self.origin != REJECTED


@dataclass(frozen=True, slots=True)
class Classes:
    """The categories in the order of the network's labels, which count from 1. `names` are for people."""

    ids: tuple[int | None, ...]
    names: tuple[str, ...]

    def label(self, category_id: int | None) -> int:
        """A category that was not in the training set is learnt and reported as the first class."""
        return self.ids.index(category_id) + 1 if category_id in self.ids else 1


def truths(session: Session, settings: HarvestSettings = DEFAULT_SETTINGS) -> list[Truth]:
    """All lesions that count, each once an image, the doubtful marks beside them, and what people rejected.

    In the order of their ids. settings: of which images nothing is learnt (`mining.fitness`).
    """
    judged = [_judged(row) for row in judged_detections(session) if _is_fit(row, settings)]
    accepted = one_mark_a_lesion([row for row in judged if row.origin == ACCEPTED])
    rejected = [row for row in judged if row.origin == REJECTED and row.split == "train"]
    marks = judged_beside_drawn([*one_mark_a_lesion(drawn(session)), *accepted])
    return sorted([*beside_sure_ones(marks), *rejected], key=lambda row: row.lesion_id)


def drawn(session: Session) -> list[Truth]:
    """What readers drew, every measurement by itself."""
    rows = session.scalars(
        select(LesionRow)
        .where(
            LesionRow.split.is_not(None),
            LesionRow.excluded_because.is_(None),
            LesionRow.image_present.is_(True),
            LesionRow.modality == "CT",
            LesionRow.series_instance_uid.is_not(None),
            LesionRow.study_instance_uid.is_not(None),
            LesionRow.long_axis_mm > 0,
        )
        .order_by(LesionRow.lesion_id)
    )
    return [_truth(row) for row in rows]


def judged_beside_drawn(rows: Sequence[Truth]) -> list[Truth]:
    """Without what was only accepted in series of val and test that nobody drew in.

    There all truth would be what the model in use had found: it could not miss, and no other could do better. Where a
    reader drew a lesion, too, what was accepted beside it counts, or to find it would be a mistake.
    """
    series = {row.series_instance_uid for row in rows if row.origin == DRAWN and row.is_mark}
    return [row for row in rows if row.origin == DRAWN or row.split == "train" or row.series_instance_uid in series]


def one_mark_a_lesion(rows: Sequence[Truth]) -> list[Truth]:
    """Of several measurements of one lesion on one image the one with the median long axis, which knows the others.

    Doubtful ones are left out where another is sure. Boxes of which neither holds the other's middle are of two
    lesions, whatever their identity says: some viewers give all lesions of a document one. In the order of the ids.
    """
    groups: dict[tuple[str, ImageReference], list[Truth]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.doubtful, row.lesion_id)):
        groups[row.lesion_identity, row.image].append(row)
    chosen = []
    for left in groups.values():
        while left:
            first = left[0].box
            chosen.append(_median([row for row in left if in_one_place(row.box, first)]))
            left = [row for row in left if not in_one_place(row.box, first)]
    return sorted(chosen, key=lambda row: row.lesion_id)


def in_one_place(a: BoxPx, b: BoxPx) -> bool:
    return _holds(a, b.centre) or _holds(b, a.centre)


def _holds(box: BoxPx, point: PointPx) -> bool:
    return box.x1 <= point.col <= box.x2 and box.y1 <= point.row <= box.y2


def _median(together: Sequence[Truth]) -> Truth:
    """The lower one of two in the middle."""
    trusted = [row for row in together if not row.doubtful] or list(together)
    trusted.sort(key=lambda row: (row.long_axis_mm, row.lesion_id))
    middle = trusted[(len(trusted) - 1) // 2]
    return replace(middle, redrawn=tuple(row.box for row in trusted if row is not middle))


def beside_sure_ones(rows: Sequence[Truth]) -> list[Truth]:
    """Without the doubtful marks of series that have no other: there is nothing to learn and nothing to find."""
    series = {row.series_instance_uid for row in rows if row.is_mark}
    return [row for row in rows if row.series_instance_uid in series]


def _truth(row: LesionRow) -> Truth:
    return Truth(
        lesion_id=row.lesion_id,
        patient=f"{row.issuer_of_patient_id or ''}\x1f{row.patient_id}",
        study_instance_uid=row.study_instance_uid or "",
        series_instance_uid=row.series_instance_uid or "",
        image=ImageReference(row.sop_instance_uid, row.frame_number),
        box=box_of(row),
        long_axis_mm=row.long_axis_mm or 0.0,
        spacing_mm=row.row_spacing_mm or 0.0,
        category_id=row.category_id,
        category=row.category or "",
        split=row.split or "",
        lesion_identity=row.lesion_identity or row.lesion_id,
        doubtful=row.possibly_noisy,
    )


def _judged(row: JudgedDetection) -> Truth:
    return Truth(
        lesion_id=row.detection_id,
        patient=f"{row.issuer_of_patient_id}\x1f{row.patient_id}",
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        image=row.image,
        box=row.box,
        long_axis_mm=row.long_axis_mm,
        spacing_mm=row.row_spacing_mm,
        category_id=row.category_id,
        category=row.category,
        split=row.split,
        lesion_identity=row.tracking_uid,
        origin=row.verdict,
    )


def _is_fit(row: JudgedDetection, settings: HarvestSettings) -> bool:
    facts = ImageFacts(
        row.image_purpose, row.series_description, row.study_description, row.manufacturer, row.patient_id
    )
    return facts.unfit_because(settings) is None


def training_set_id(rows: Sequence[Truth]) -> str:
    """The hash of the members: the same rows, images, boxes, splits, categories and verdicts give the same id."""
    members = sorted(
        (
            row.lesion_id,
            row.split,
            row.category_id,
            *astuple(row.image),
            *astuple(row.box),
            row.long_axis_mm,
            row.doubtful,
            [astuple(box) for box in row.redrawn],
            *([] if row.origin == DRAWN else [row.origin]),
        )
        for row in rows
    )
    return hashlib.sha256(json.dumps(members).encode()).hexdigest()


def label_generation(session: Session) -> int | None:
    """The newest run of categorise."""
    return session.scalar(
        select(LabelGeneration.label_generation).order_by(LabelGeneration.label_generation.desc()).limit(1)
    )


def classes_of(rows: Sequence[Truth]) -> Classes:
    """One class for each category of the training split; without categories one class for all lesions."""
    names = {
        row.category_id: row.category
        for row in rows
        if row.split == "train" and row.category_id is not None and row.is_mark
    }
    if not names:
        return Classes((None,), ("lesion",))
    ids = tuple(sorted(names))
    return Classes(ids, tuple(names[category_id] or f"category {category_id}" for category_id in ids))
