"""One study's objects → measurement and rejection rows. Shell.

Promise: every object that could hold a measurement leaves rows or a reason, none of them stops the others, and the
same objects read again leave the same rows. Our own results are never read. What takes long, reading, holds up no
writer of the database: a short transaction afterwards writes what was read, if that is still how things are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from db.assessments import has_analyses
from db.documents import foreign_sources, images_as_read, own_results, sources_of_study
from db.engine import Sessions, one_writer, reading, utc_now
from db.files import FileStore
from db.harvested import (
    long_axis_of,
    outline_of,
    point_of,
    remove_sources,
    rows_of_source,
    save_source,
    short_axis_of,
)
from db.lesions import refresh
from db.lost import Stored, gone, note
from db.measurement import ImageReference
from db.studies import current_instance, current_instances, mark_harvested, revisions
from mining.assessing import Saved, assess_documents, hold_against_ours
from mining.copies import OwnRegion
from mining.lasting_ids import Known, lasting_ids
from mining.readers.by_class import KINDS, SourceReader, reader_for, readers_of
from mining.reading import Reading, adopt, own_result, read_object
from mining.settings import DEFAULT_SETTINGS, HarvestSettings
from mining.stored_images import StoredImages
from mining.stored_pixels import StoredPixels
from mining.verdicts import images_touched, rejudge

log = logging.getLogger(__name__)

AWAIT_IMAGES = ("no_plane", "off_plane", "display_units", "segment_not_here", "image_not_here")
"""Why drawings are rejected that the geometry of an image, or a segmentation, may mend when it arrives."""


@dataclass(frozen=True, slots=True)
class HarvestCounts:
    """What one study gave: rows (truth or not), rejections, and objects of our own that were left alone."""

    measurements: int = 0
    rejections: int = 0
    own: int = 0


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a reading hangs on: the revisions of the documents' studies, and the images that were asked for."""

    revisions: Mapping[str, int]
    asked: tuple[frozenset[str], frozenset[str]]
    images: frozenset[tuple[str, str, int, int]]

    def still_holds(self, session: Session) -> bool:
        """Whether all is as it was read; the documents' studies stay so until this transaction ends."""
        now = revisions(session, self.revisions, lock=True)
        return now == self.revisions and images_as_read(session, *self.asked) == self.images


@dataclass(frozen=True, slots=True)
class StudyReading:
    """What the objects of a study said, and those of others that this study's images are for."""

    study_instance_uid: str
    readings: tuple[Reading, ...]
    foreign: tuple[Reading, ...]
    left: frozenset[str]
    """Documents that were harvested before and do not count any more."""
    lost: tuple[Stored, ...]
    """Instances without their file."""
    basis: _Basis
    masks: Mapping[str, tuple[OwnRegion, ...]]
    """By detection_id: those of what we found in the series that were measured on."""


def harvest_study(
    sessions: Sessions, study_instance_uid: str, files: FileStore, settings: HarvestSettings = DEFAULT_SETTINGS
) -> HarvestCounts:
    """Read a study, write its rows anew and mark it as harvested in the revision that was read.

    What changes between reading and writing is read again.
    """
    while True:
        with reading(sessions) as session:
            read = read_study(session, study_instance_uid, files, settings)
        with sessions.begin() as session:
            one_writer(session)
            if read.basis.still_holds(session):
                return save_study(session, read, utc_now(), settings)
        log.info("reading again study=%s: it changed meanwhile", study_instance_uid)


def read_study(
    session: Session, study_instance_uid: str, files: FileStore, settings: HarvestSettings = DEFAULT_SETTINGS
) -> StudyReading:
    """Read every object of a study that could hold measurements; changes nothing. The session sees one moment.

    Objects of other studies that were measured on this study's images are read again too, for the images' geometry
    may have arrived only now. Of an object whose file is gone the rows stay.
    """
    stored = {instance.sop_instance_uid: instance for instance in current_instances(session, study_instance_uid)}
    images, pixels, by_class = StoredImages(session, files), StoredPixels(session, files, stored), readers_of(settings)
    lost: list[Stored] = [*gone(files, stored.values())]
    lost_uids = {each.sop_instance_uid for each in lost}
    readers = {
        uid: reader
        for uid, i in stored.items()
        if uid not in lost_uids and (reader := reader_for(i.sop_class_uid, by_class)) is not None
    }
    own, elsewhere = own_results(session, readers), foreign_sources(session, study_instance_uid, AWAIT_IMAGES)
    answerable = has_analyses(session, {study_instance_uid, *(study for _, study in elsewhere)})

    def read(uid: str, study: str, reader: SourceReader, file_name: str) -> Reading:
        path = files.path(file_name)
        return read_object(uid, study, reader, path, images, settings, pixels.hu, study in answerable)

    readings = [
        own_result(uid, study_instance_uid, reader)
        if uid in own
        else read(uid, study_instance_uid, reader, stored[uid].file_name)
        for uid, reader in readers.items()
    ]
    foreign = []
    for uid, study in elsewhere:
        instance = current_instance(session, uid)
        if instance is None or (reader := reader_for(instance.sop_class_uid, by_class)) is None:
            continue
        if missing := gone(files, [instance]):
            lost += missing
        else:
            foreign.append(read(uid, study, reader, instance.file_name))
    left = frozenset(sources_of_study(session, study_instance_uid, KINDS) - readers.keys() - lost_uids)
    masks = hold_against_ours(
        session, files, [*readings, *foreign], left, lambda said, items: adopt(said, items, images, pixels.hu, settings)
    )
    studies = {study_instance_uid, *(other.source.study_instance_uid for other in foreign)}
    return StudyReading(
        study_instance_uid,
        readings=tuple(readings),
        foreign=tuple(foreign),
        left=left,
        lost=tuple(lost),
        basis=_Basis(revisions(session, studies), images.asked, images_as_read(session, *images.asked)),
        masks=masks,
    )


def save_study(
    session: Session, read: StudyReading, now: datetime, settings: HarvestSettings = DEFAULT_SETTINGS
) -> HarvestCounts:
    """Write what was read, judge again what it touches, and mark the study; inside the caller's transaction."""
    study_instance_uid, readings = read.study_instance_uid, read.readings
    note(session, read.lost, now)
    documents = {each.source.sop_instance_uid for each in (*readings, *read.foreign)}
    touched = images_touched(session, documents | read.left | {each.sop_instance_uid for each in read.lost})
    remove_sources(session, read.left)
    saved: list[Saved] = []
    for each in (*readings, *read.foreign):
        ids = lasting_ids(_known(session, each.source.sop_instance_uid), [found for found, _ in each.measurements])
        saved.append((each, save_source(session, each.source, each.measurements, each.bounded, now, ids)))
    touched |= images_touched(session, documents)
    refresh(session, rejudge(session, touched, settings, read.masks))
    assess_documents(session, saved, read.left, read.masks, now)
    mark_harvested(session, study_instance_uid, read.basis.revisions[study_instance_uid])
    counts = HarvestCounts(
        measurements=sum(len(each.measurements) for each in readings),
        rejections=sum(len(each.rejected) for each in readings),
        own=sum(each.source.own for each in readings),
    )
    log.info(
        "harvested study=%s sources=%d measurements=%d rejections=%d own=%d",
        study_instance_uid, len(readings), counts.measurements, counts.rejections, counts.own,
    )  # fmt: skip
    return counts


def _known(session: Session, source_sop_instance_uid: str) -> list[Known]:
    return [
        Known(
            row.lesion_id,
            row.source_item,
            ImageReference(row.sop_instance_uid, row.frame_number),
            long_axis_of(row),
            short_axis_of(row),
            outline_of(row),
            point_of(row),
        )
        for row in rows_of_source(session, source_sop_instance_uid)
    ]
