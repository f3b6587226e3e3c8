"""What a document says of the findings that we reported: accepted, modified, rejected, added. Pure.

Viewers give every save fresh UIDs, so the content carries the weight: a copy of a finding is one that was left as it
was, a drawing that overlaps it on its image is one that was changed. What is missing was rejected only where the
document says that it takes the place of ours (docs/answers.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from db.measurement import Measurement, Rejected
from mining.copies import Harvested, OwnDetection, is_copy_of_own
from mining.drawings import SAME_LESION_IOU
from mining.likeness import overlap, shift_px
from mining.same_lesion import OVERLAP, one_lesion

ACCEPTED, MODIFIED, REJECTED, ADDED = "accepted", "modified", "rejected", "added"

NOTHING_HIDDEN = frozenset(
    (
        "no_measurement", "no_coordinates", "not_a_length", "not_a_measurement", "an_angle", "anatomy_not_lesion",
        "axes_are_drawn", "smaller_slice", "short_axis_alone", "point_of_a_drawing", "zero_length",
        "temporal_coordinates",
    )
)  # fmt: skip
"""Why something in a document is no measurement, and yet nothing that may be a finding was overlooked. Of a document
with any other rejection nobody knows what it leaves out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One of our detections as it was reported; its tracking UIDs are those of the box and of the axes."""

    detection_id: str
    tracking_uid: str
    tracking_uid_axes: str
    shape: OwnDetection
    discarded_at: datetime | None = None
    """When a person took it out of the results that were made afterwards."""

    @property
    def uids(self) -> frozenset[str]:
        """By what a document may name it."""
        return frozenset((self.detection_id, self.tracking_uid, self.tracking_uid_axes))


@dataclass(frozen=True, slots=True)
class Reported:
    """One analysis: what it found, and the results that told of it, by SOP Instance UID: when each was made."""

    analysis_id: str
    finished_at: datetime
    findings: tuple[Finding, ...]
    results: Mapping[str, datetime] = field(default_factory=dict)
    series: frozenset[str] = frozenset()

    def shown_in(self, results: AbstractSet[str]) -> frozenset[str]:
        """The detections that stood in the newest of these results; in the newest of all, if none of these is one."""
        made_at = max((self.results[uid] for uid in results & self.results.keys() or self.results), default=None)
        return frozenset(
            one.detection_id
            for one in self.findings
            if made_at is None or one.discarded_at is None or one.discarded_at > made_at
        )


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says, as far as it may be an answer; it is none of our results.

    predecessors: all that it replaces, at one or several removes. stated: UID → (verdict, reader), in words. reader:
    who wrote it, where only the whole says so. is_whole: nothing in it was unreadable, so what is missing is missing.
    """

    sop_instance_uid: str
    series_instance_uid: str
    kind: str
    at: datetime
    drawings: tuple[Harvested, ...] = ()
    predecessors: frozenset[str] = frozenset()
    stated: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reader: str = ""
    is_whole: bool = True

    @property
    def author(self) -> str:
        return self.reader or next((one.reader for one in self.drawings if one.reader), "")


@dataclass(frozen=True, slots=True)
class Assessed:
    """One verdict; `lesion_id` is the reader's own drawing, `shift_px` how far its farthest point was moved."""

    verdict: str
    analysis_id: str
    detection_id: str | None
    lesion_id: str | None
    tracking_uid: str
    reader: str
    shift_px: float | None = None


def replaced_answers(documents: Sequence[Document]) -> set[str]:
    """Documents that a later one of the same reader names as predecessor: they do not count any more."""
    by_uid = {one.sop_instance_uid: one for one in documents}
    return {
        old
        for new in documents
        for old in new.predecessors
        if old in by_uid and old != new.sop_instance_uid and same_reader(by_uid[old].author, new.author)
        and new.sop_instance_uid not in by_uid[old].predecessors
    }  # fmt: skip


def same_reader(one: str, other: str) -> bool:
    """Whether two names may be one person's; who is not named may be anybody."""
    return not one or not other or one == other


def assess(document: Document, reported: Sequence[Reported]) -> list[Assessed]:
    """What a document says of our findings, a row for each; nothing if it is no answer to any of ours."""
    to = answered(document, reported)
    if to is None:
        return []
    drawn, own = _matched(document, to, reported)
    said = [_of_finding(document, to, finding, drawn.get(finding.detection_id, [])) for finding in to.findings]
    return [one for one in said if one is not None] + _added(document, to, own)


# --- which one it answers ---------------------------------------------------------------------------------------


def answered(document: Document, reported: Sequence[Reported]) -> Reported | None:
    """The analysis that a document answers: the one that it names, else the newest that it matches, else none."""
    newest_first = sorted(reported, key=lambda one: (one.finished_at, one.analysis_id), reverse=True)
    named = {*document.predecessors, *document.stated}
    for one in newest_first:
        if named & one.results.keys():
            return one
    in_our_series = [one for one in newest_first if document.series_instance_uid in one.series]
    for candidates in (in_our_series, newest_first):
        for fits in (_holds_a_copy, _names_a_finding):
            for one in candidates:
                if fits(document, one):
                    return one
    return in_our_series[0] if in_our_series else None


def is_linked(document: Document, to: Reported) -> bool:
    """Whether a document takes the place of a result: it names it as predecessor, or lies in its series."""
    return bool(document.predecessors & to.results.keys()) or document.series_instance_uid in to.series


def _holds_a_copy(document: Document, to: Reported) -> bool:
    return any(is_copy_of_own(one, finding.shape) for one in document.drawings for finding in to.findings)


def _names_a_finding(document: Document, to: Reported) -> bool:
    named = {*document.stated, *(one.tracking_uid for one in document.drawings)}
    return any(named & finding.uids for finding in to.findings)


# --- which drawing is which finding -----------------------------------------------------------------------------

Drawn = tuple[Harvested, bool]
"""A drawing of a finding, and whether it is a copy."""


def _matched(
    document: Document, to: Reported, reported: Sequence[Reported]
) -> tuple[dict[str, list[Drawn]], list[Harvested]]:
    """The drawings of each finding, by detection_id; and the reader's own, which match none.

    Copies first; then what has a finding's tracking UID; then what overlaps one on its image, each with the best.
    """
    drawn: dict[str, list[Drawn]] = {}
    left: list[Harvested] = []
    for row in document.drawings:
        copied = next((one for one in to.findings if is_copy_of_own(row, one.shape)), None)
        if copied is not None:
            drawn.setdefault(copied.detection_id, []).append((row, True))
        else:
            left.append(row)
    counts: dict[str, int] = {}
    for row in left:
        counts[row.tracking_uid] = counts.get(row.tracking_uid, 0) + 1
    kept = {(found, row.outline is None) for found, rows in drawn.items() for row, _ in rows}
    own = []
    for row in left:
        tracked = row.tracking_uid if counts[row.tracking_uid] <= 2 else ""
        found = _same_lesion(row, to.findings, tracked, kept)
        if found is not None:
            drawn.setdefault(found.detection_id, []).append((row, False))
        elif not row.by_algorithm and not _is_copy_of_any(row, reported):
            own.append(row)
    return drawn, own


def _same_lesion(
    row: Harvested, findings: Sequence[Finding], tracking_uid: str, kept: AbstractSet[tuple[str, bool]]
) -> Finding | None:
    """tracking_uid: empty where it is worth nothing, for some viewers give all lesions of a document one.

    kept: (finding, whether its axes) of what was left as it was. Beside that a like drawing is of the same lesion only
    if it covers it, for what was moved is no longer where it was: it is rather the next lesion.
    """
    named = [one for one in findings if tracking_uid and tracking_uid in one.uids]
    if len(named) == 1:
        return named[0]
    best, most = None, 0.0
    for one in findings:
        least = OVERLAP if (one.detection_id, row.outline is None) in kept else SAME_LESION_IOU
        here = overlap(row, one.shape)
        if here >= least and here > most:
            best, most = one, here
    return best


def _is_copy_of_any(row: Harvested, reported: Sequence[Reported]) -> bool:
    """Of another analysis of ours, or of what was below the operating point."""
    return any(is_copy_of_own(row, finding.shape) for one in reported for finding in one.findings)


# --- the verdicts -----------------------------------------------------------------------------------------------


def _of_finding(document: Document, to: Reported, finding: Finding, drawn: Sequence[Drawn]) -> Assessed | None:
    """Words go before drawings, and those about the finding before those about the whole result."""
    changed = [row for row, is_copy in drawn if not is_copy]
    is_shown = finding.detection_id in to.shown_in(document.predecessors)
    stated = _stated(document, to, finding, is_shown)
    if stated is not None:
        verdict, reader = stated
    elif changed:
        verdict, reader = MODIFIED, changed[0].reader
    elif drawn:
        verdict, reader = ACCEPTED, drawn[0][0].reader
    elif _tells_by_absence(document, to) and is_shown:
        verdict, reader = REJECTED, ""
    else:
        return None
    said = Assessed(
        verdict, to.analysis_id, finding.detection_id, None, finding.tracking_uid, reader or document.author
    )  # fmt: skip
    row = min(changed, key=lambda one: (one.outline is not None, one.lesion_id), default=None)
    if verdict != MODIFIED or row is None:
        return said
    return replace(said, lesion_id=row.lesion_id, shift_px=shift_px(row, finding.shape))


def _stated(document: Document, to: Reported, finding: Finding, is_shown: bool) -> tuple[str, str] | None:
    """A supplement is no word on what was found."""
    named = [*sorted(finding.uids), *(sorted(to.results) if is_shown else ())]
    said = (document.stated[uid] for uid in named if uid in document.stated)
    return next((one for one in said if one[0] != ADDED), None)


def _tells_by_absence(document: Document, to: Reported) -> bool:
    return document.kind == "SR" and document.is_whole and not document.stated and is_linked(document, to)


def _added(document: Document, to: Reported, own: Sequence[Harvested]) -> list[Assessed]:
    """The reader's own lesions: rectangle and axes of one are one, and the axes stand for it."""
    by_id = {row.lesion_id: row for row in own}
    rows = sorted(own, key=lambda row: (row.outline is not None, row.lesion_id))
    groups = one_lesion([(row.lesion_id, row.image, row.box) for row in rows])
    firsts = [by_id[members[0]] for members in groups]
    return [
        Assessed(ADDED, to.analysis_id, None, row.lesion_id, row.tracking_uid, row.reader or document.author)
        for row in firsts
    ]


# --- what was read ----------------------------------------------------------------------------------------------


def is_whole(rejected: Iterable[Rejected]) -> bool:
    """Whether a document holds no more findings than were read in it."""
    return all(one.reason_code in NOTHING_HIDDEN for one in rejected)


def moved_regions(
    measured: Sequence[Measurement], rejected: Sequence[Rejected], own: Sequence[OwnDetection]
) -> AbstractSet[str]:
    """Rejected items that are the reader's own after all: a box that was moved around axes that are copies of ours.

    Drawn axes go before the box around them; where they are ours, the box is all that the reader drew.
    """
    kept = [detection for detection in own if any(is_copy_of_own(_bare(one), detection) for one in measured)]
    return {
        one.source_item
        for one in rejected
        if one.drawn is not None
        and any(overlap(_bare(one.drawn), detection) >= SAME_LESION_IOU for detection in kept)
        and not any(is_copy_of_own(_bare(one.drawn), detection) for detection in own)
    }


def _bare(one: Measurement) -> Harvested:
    """Its points alone."""
    return Harvested(
        one.lesion_id, one.source.sop_instance_uid, one.image, one.long_axis, one.short_axis, one.outline,
        one.tracking_uid, one.reader, one.by_algorithm,
    )  # fmt: skip
