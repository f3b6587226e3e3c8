"""What documents of a study say of our results, as rows of `assessment`. Shell, in two halves, as the harvest has them.

Promise: the rows of a document are written anew in the transaction that writes its measurements, so a crash loses none
and the same documents give the same rows; what a person said on our page stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db import assessments
from db.documents import patient_documents
from db.files import FileStore
from db.measurement import Measurement
from db.outcomes import Analysis, DetectionRow, Result
from mining.answers import Assessed, Document, Finding, Reported, assess, is_whole, moved_regions, replaced_answers
from mining.copies import Harvested, OwnRegion
from mining.own_masks import mask_regions
from mining.reading import Reading
from mining.verdicts import images_touched, of_one_patient, own_detection, own_detections

Saved = tuple[Reading, Sequence[str]]
"""What one document said, and the lesion_id of each of its measurements."""

Masks = Mapping[str, tuple[OwnRegion, ...]]

Adopt = Callable[[Reading, Collection[str]], None]


# --- while reading ------------------------------------------------------------------------------------------------


def hold_against_ours(
    session: Session, files: FileStore, readings: Sequence[Reading], left: Collection[str], adopt: Adopt
) -> Masks:
    """Let what was read be judged beside what we reported on the same images; returns the masks of that.

    adopt: takes in what is a reader's own after all; boxes that were moved around axes of ours. Of verdicts in words
    only those about something of ours are kept.
    """
    images = {one.image.sop_instance_uid for each in readings for one, _ in each.measurements}
    documents = {each.source.sop_instance_uid for each in readings}
    masks = mask_regions(session, files, images | images_touched(session, documents | set(left)))
    if any(one.drawn is not None for each in readings for one in each.rejected):
        own = list(own_detections(session, images, masks).values())
        for each in readings if own else ():
            measured = [one for one, _ in each.measurements if isinstance(one, Measurement)]
            items = moved_regions(measured, each.rejected, own)
            if items:
                adopt(each, items)
    said = {uid for each in readings for uid, _, _ in each.source.stated_verdicts}
    ours = assessments.uids_of_ours(session, said) if said else set()
    for each in readings if said else ():
        stated = tuple(one for one in each.source.stated_verdicts if one[0] in ours)
        each.source = replace(each.source, stated_verdicts=stated)
    return masks


# --- while writing ------------------------------------------------------------------------------------------------


def assess_documents(
    session: Session, saved: Sequence[Saved], left: Collection[str], masks: Masks, now: datetime
) -> None:
    """Write what the documents say of our results, in place of what they said before.

    left: documents that do not count any more. After the verdicts about which row shows which drawing.
    """
    uids = {each.source.sop_instance_uid for each, _ in saved}
    assessments.forget_answers(session, uids | set(left))
    of_images = _studies_of_images(session, saved)
    studies = {each.source.study_instance_uid for each, _ in saved} | {study for _, study in of_images.items()}
    analyses = assessments.analyses_of(session, studies) if saved else []
    if not analyses:
        return
    reported = _reported(session, analyses, masks)
    documents = {one.sop_instance_uid: one for one in _documents(session, saved, now)}
    replaced = replaced_answers(list(documents.values()))
    rows: list[tuple[Document, Assessed]] = []
    for each, _ in saved:
        document = documents.get(each.source.sop_instance_uid)
        if document is None or document.sop_instance_uid in replaced:
            continue
        near = {each.source.study_instance_uid} | {
            of_images[one.image.sop_instance_uid]
            for one in document.drawings
            if one.image.sop_instance_uid in of_images
        }
        rows += [
            (document, one) for one in assess(document, [one for study in sorted(near) for one in reported[study]])
        ]
        assessments.forget_answers(session, document.predecessors - uids, document.author)
    shown = assessments.shown_as(session, {one.lesion_id for _, one in rows if one.lesion_id is not None})
    assessments.save_answers(session, [_row(document, one, shown) for document, one in rows])


def _studies_of_images(session: Session, saved: Sequence[Saved]) -> dict[str, str]:
    images = {one.image.sop_instance_uid for each, _ in saved for one, _ in each.measurements}
    return assessments.studies_of_images(session, images)


def _reported(session: Session, analyses: Sequence[Analysis], masks: Masks) -> dict[str, list[Reported]]:
    """By study."""
    ids = [one.analysis_id for one in analyses]
    found: dict[str, list[DetectionRow]] = defaultdict(list)
    told: dict[str, list[Result]] = defaultdict(list)
    for row in assessments.detections_of(session, ids):
        if row.reported:
            found[row.analysis_id].append(row)
    for result in assessments.results_of(session, ids):
        told[result.analysis_id].append(result)
    sizes = assessments.sizes_of(session, {row.sop_instance_uid for rows in found.values() for row in rows})
    reported: dict[str, list[Reported]] = defaultdict(list)
    for one in analyses:
        results = told[one.analysis_id]
        reported[one.study_instance_uid].append(
            Reported(
                analysis_id=one.analysis_id,
                finished_at=one.finished_at,
                findings=tuple(_finding(row, sizes, masks) for row in found[one.analysis_id]),
                results={result.result_sop_instance_uid: result.created_at for result in results},
                series=frozenset(result.series_instance_uid for result in results),
            )
        )
    return reported


def _finding(row: DetectionRow, sizes: Mapping[str, tuple[int, int]], masks: Masks) -> Finding:
    return Finding(
        detection_id=row.detection_id,
        tracking_uid=row.tracking_uid,
        tracking_uid_axes=row.tracking_uid_axes,
        shape=own_detection(row, sizes.get(row.sop_instance_uid), masks),
        discarded_at=row.discarded_at,
    )


def _documents(session: Session, saved: Sequence[Saved], now: datetime) -> list[Document]:
    """What was read as values; none of our results, which are no answers, whatever comes back of them."""
    own = {each.source.sop_instance_uid for each, _ in saved if each.source.own}
    uids = {each.source.sop_instance_uid for each, _ in saved} - own
    stored = assessments.where_and_when(session, uids)
    named = of_one_patient(patient_documents(session, uids))
    documents = []
    for each, lesion_ids in saved:
        source = each.source
        if source.own:
            continue
        series, received_at = stored.get(source.sop_instance_uid, ("", now))
        documents.append(
            Document(
                sop_instance_uid=source.sop_instance_uid,
                series_instance_uid=series,
                kind=source.kind,
                at=source.content_at or received_at,
                drawings=tuple(_drawings(each, lesion_ids)),
                predecessors=frozenset(_replaced_by(source.predecessors, named) - {source.sop_instance_uid}),
                stated={uid: (verdict, reader) for uid, verdict, reader in source.stated_verdicts},
                reader=source.reader,
                is_whole=is_whole(each.rejected),
            )
        )
    return documents


def _replaced_by(predecessors: Sequence[str], named: Mapping[str, Sequence[str]]) -> set[str]:
    """The documents that these are, name as predecessors, and so on."""
    reached: set[str] = set()
    waiting = list(predecessors)
    while waiting:
        uid = waiting.pop()
        if uid not in reached:
            reached.add(uid)
            waiting += named.get(uid, ())
    return reached


def _drawings(each: Reading, lesion_ids: Sequence[str]) -> list[Harvested]:
    return [
        Harvested(
            lesion_id=lesion_id,
            source_sop_instance_uid=each.source.sop_instance_uid,
            image=one.image,
            long_axis=one.long_axis,
            short_axis=one.short_axis,
            outline=one.outline,
            tracking_uid=one.tracking_uid,
            reader=one.reader,
            by_algorithm=one.by_algorithm,
        )
        for (one, _), lesion_id in zip(each.measurements, lesion_ids, strict=True)
        if isinstance(one, Measurement)
    ]


def _row(document: Document, said: Assessed, shown: Mapping[str, str]) -> dict[str, Any]:
    lesion_id = said.lesion_id
    return {
        "detection_id": said.detection_id,
        "analysis_id": said.analysis_id,
        "lesion_id": None if lesion_id is None else shown.get(lesion_id, lesion_id),
        "tracking_uid": said.tracking_uid,
        "verdict": said.verdict,
        "reader": said.reader,
        "assessed_at": document.at,
        "source_sop_instance_uid": document.sop_instance_uid,
        "shift_px": said.shift_px,
    }
