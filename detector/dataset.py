"""Rows → what a model learns from and is judged on. Shell: it reads the database and, through the cache, the files.

What counts is every row of truth whose image is here; its split is the patient's, for ever. One lesion on one image is
one mark, however many readers drew it. A doubtful mark is neither learnt nor counted, but what it shows is no
background, and a finding there no mistake.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import ContentError, TrainingError
from db.files import FileStore
from db.geometry import DEEPLESION_MARGIN_PX, BoxPx, PointPx
from db.lesions import box_of
from db.measurement import ImageReference
from db.models import LabelGeneration, LesionRow
from db.studies import current_instances
from detector.cache import CachedScan, cached_scan
from detector.evaluate import KnownScan
from detector.marks import Mark, TrainingScan
from detector.prepare import InputSettings
from detector.targets import IGNORED
from mining.child import Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Truth:
    """One marked lesion. `patient` joins what belongs to one patient; it is never logged or stored."""

    lesion_id: str
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


@dataclass(frozen=True, slots=True)
class Classes:
    """The categories in the order of the network's labels, which count from 1. `names` are for people."""

    ids: tuple[int | None, ...]
    names: tuple[str, ...]

    def label(self, category_id: int | None) -> int:
        """A category that was not in the training set is learnt and reported as the first class."""
        return self.ids.index(category_id) + 1 if category_id in self.ids else 1


def truths(session: Session) -> list[Truth]:
    """All lesions that count, each once an image, and the doubtful marks beside them; in the order of their ids."""
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
    return beside_sure_ones(one_mark_a_lesion([_truth(row) for row in rows]))


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
            chosen.append(_median([row for row in left if _in_one_place(row.box, first)]))
            left = [row for row in left if not _in_one_place(row.box, first)]
    return sorted(chosen, key=lambda row: row.lesion_id)


def _in_one_place(a: BoxPx, b: BoxPx) -> bool:
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
    series = {row.series_instance_uid for row in rows if not row.doubtful}
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


def training_set_id(rows: Sequence[Truth]) -> str:
    """The hash of the members: the same rows, images, boxes, splits and categories give the same id."""
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
        if row.split == "train" and row.category_id is not None and not row.doubtful
    }
    if not names:
        return Classes((None,), ("lesion",))
    ids = tuple(sorted(names))
    return Classes(ids, tuple(names[category_id] or f"category {category_id}" for category_id in ids))


def load_scans(
    session: Session,
    rows: Sequence[Truth],
    files: FileStore,
    inputs: InputSettings,
    cache_dir: Path,
    progress: Progress,
) -> dict[str, CachedScan]:
    """The scans of the rows' series, by Series Instance UID.

    A series that is no regular stack, or of which a file is gone, is left out and logged.

    Raises TrainingError if none is left.
    """
    series = sorted({(row.study_instance_uid, row.series_instance_uid) for row in rows})
    scans: dict[str, CachedScan] = {}
    for number, (study_uid, series_uid) in enumerate(series, start=1):
        paths = [
            files.path(instance.file_name)
            for instance in current_instances(session, study_uid)
            if instance.series_instance_uid == series_uid
        ]
        try:
            scans[series_uid] = cached_scan(paths, inputs, cache_dir)
        except (ContentError, FileNotFoundError) as error:  # a lost file costs its series, not the run
            log.warning("left out series=%s: %s", series_uid, getattr(error, "strerror", None) or error)
        progress("prepare", number, len(series))
    if series and not scans:
        raise TrainingError("no series with a marked lesion can be read", series=len(series))
    return scans


def marked_scans(
    rows: Sequence[Truth], scans: dict[str, CachedScan], classes: Classes
) -> list[tuple[TrainingScan, CachedScan]]:
    """The series of the rows with their marks, in the order of their UIDs."""
    made = []
    for series_uid, members in _by_series(rows, scans).items():
        cached = scans[series_uid]
        marks = tuple(
            Mark(
                z,
                cached.scan.frame.to_network(row.box),
                IGNORED if row.doubtful else classes.label(row.category_id),
                row.long_axis_mm / 2,
                DEEPLESION_MARGIN_PX * cached.scan.frame.col_scale,
            )
            for row, z in members
        )
        made.append((TrainingScan(cached.scan, marks), cached))
    return made


def known_scans(rows: Sequence[Truth], scans: dict[str, CachedScan]) -> list[KnownScan]:
    """The series of the rows with what is marked in them, for evaluation; a series without a sure mark is left out."""
    made = []
    for series_uid, members in _by_series(rows, scans).items():
        cached = scans[series_uid]
        sure = [(row, z) for row, z in members if not row.doubtful]
        if not sure:
            continue
        made.append(
            KnownScan(
                patient=sure[0][0].patient,
                scan=cached.scan,
                spacing=cached.spacing,
                truths=tuple({z: row.box} for row, z in sure),
                counts=(True,) * len(sure),
                redrawn=tuple((place, {z: box}) for place, (row, z) in enumerate(sure) for box in row.redrawn),
                doubtful=tuple({z: row.box} for row, z in members if row.doubtful),
            )
        )
    return made


def _by_series(rows: Sequence[Truth], scans: dict[str, CachedScan]) -> dict[str, list[tuple[Truth, int]]]:
    """Each series' lesions and the slices they are on; a lesion whose image is not among the slices is left out."""
    by_series: dict[str, list[tuple[Truth, int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.series_instance_uid, row.lesion_id)):
        cached = scans.get(row.series_instance_uid)
        if cached is not None and row.image in cached.images:
            by_series[row.series_instance_uid].append((row, cached.images.index(row.image)))
    return dict(by_series)
