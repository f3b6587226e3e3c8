"""Truths and the scans they lie in → scans with marks, for training and for evaluation. Shell: it reads files."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from db.errors import ContentError, TrainingError
from db.files import FileStore
from db.geometry import DEEPLESION_MARGIN_PX
from db.studies import current_instances
from detector.cache import CachedScan, cached_scan
from detector.dataset import ACCEPTED, DRAWN, REJECTED, Classes, Truth, in_one_place
from detector.evaluate import KnownScan
from detector.marks import Found, Mark, TrainingScan
from detector.prepare import InputSettings
from detector.targets import IGNORED
from mining.child import Progress

log = logging.getLogger(__name__)


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
            if row.origin != REJECTED
        )
        rejected = tuple(
            Found(z, cached.scan.frame.to_network(row.box)) for row, z in members if row.origin == REJECTED
        )
        made.append((TrainingScan(cached.scan, marks, rejected=rejected), cached))
    return made


def known_scans(rows: Sequence[Truth], scans: dict[str, CachedScan]) -> list[KnownScan]:
    """The series of the rows with what is marked in them, for evaluation; a series without a sure mark is left out.

    What was accepted is a lesion like any other, or to find it would be a mistake; what was rejected is none.
    """
    made = []
    for series_uid, members in _by_series(rows, scans).items():
        cached = scans[series_uid]
        sure = [(row, z) for row, z in members if row.is_mark]
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
    """Each series' lesions and the slices they are on; a lesion whose image is not among the slices is left out.

    So is what was judged where another mark shows the same lesion: a reader's drawing goes before what was accepted,
    and any mark before what was rejected, for that may have been its box and not its place.
    """
    by_series: dict[str, list[tuple[Truth, int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.series_instance_uid, _RANK[row.origin], row.lesion_id)):
        cached = scans.get(row.series_instance_uid)
        if cached is None or row.image not in cached.images:
            continue
        z, before = cached.images.index(row.image), by_series[row.series_instance_uid]
        if row.origin == DRAWN or not any(_shows(other, at, row, z, cached) for other, at in before):
            before.append((row, z))
    return {series_uid: members for series_uid, members in by_series.items() if members}


_RANK = {DRAWN: 0, ACCEPTED: 1, REJECTED: 2}


def _shows(mark: Truth, z: int, row: Truth, at: int, cached: CachedScan) -> bool:
    """Whether a mark on slice z is of what was judged on another: in one place, and no farther off than they reach.

    A doubtful mark leaves what was accepted standing.
    """
    if mark.origin == REJECTED or (mark.doubtful and row.origin == ACCEPTED):
        return False
    positions = cached.scan.positions_mm
    reach_mm = max(mark.long_axis_mm, row.long_axis_mm) / 2
    near = abs(float(positions[z] - positions[at])) <= reach_mm
    return near and in_one_place(mark.box, row.box)
