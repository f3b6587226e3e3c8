"""Which harvested rows are truth: no copies, nothing superseded, nothing that a machine drew. Pure.

A document that another one names as its predecessor shows no row at all, and one drawing in several documents is one
row with several sources; what is no truth for another reason stays visible with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference
from mining.drawing_grid import Cell, cell_of, cells_near, edges_of
from mining.same_lesion import one_lesion

SAME_POINT_PX = 0.05
"""Coordinates this close are one point: a viewer that saves a result again rounds it to 32-bit floats."""

SAME_SHORT_AXIS_PX = 0.5
"""A mask and its contour differ by less: the one is measured between pixels' edges, the other along its chords."""

BY_ALGORITHM = "drawn by an algorithm"
OWN_COPY = "copy of our own result"
SUPERSEDED = "superseded by a later document"

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Harvested:
    """One measurement as it is compared with others."""

    lesion_id: str
    source_sop_instance_uid: str
    image: ImageReference
    long_axis: Axis
    short_axis: Axis | None
    outline: BoxPx | None = None
    tracking_uid: str = ""
    reader: str = ""
    by_algorithm: str = ""
    unfit_because: str | None = None
    """Why the image is none to learn from (`mining.fitness`)."""
    content_at: datetime | None = None
    """Of its document."""
    translated: bool = False
    """Whether we wrote its document anew for viewers: then who saves its points again has drawn nothing."""

    @property
    def age(self) -> tuple[datetime, str, str]:
        """Sorts the oldest document first; one without a time counts as the oldest."""
        return (self.content_at or NEVER, self.source_sop_instance_uid, self.lesion_id)

    @property
    def box(self) -> BoxPx:
        """As `Measurement.box`."""
        if self.outline is not None:
            return BoxPx.around(self.outline.corners)
        return BoxPx.around(self.long_axis.points + (self.short_axis.points if self.short_axis else ()))


@dataclass(frozen=True, slots=True)
class OwnRegion:
    """One slice of a detection's mask, as a reader measures it; `longest`: no other slice is longer.

    outline: of its pixels' edges, as a contour has it; with_axes: and of the ends of its axes, as a mask has it.
    """

    image: ImageReference
    long_axis: Axis
    short_axis: Axis | None
    outline: BoxPx
    longest: bool = True

    @property
    def with_axes(self) -> BoxPx:
        ends = self.long_axis.points + (() if self.short_axis is None else self.short_axis.points)
        return BoxPx.around((*self.outline.corners, *ends), margin_px=0.0)


@dataclass(frozen=True, slots=True)
class OwnDetection:
    """One of our detections: box and axes on its key slice, and its mask on all that it reaches."""

    image: ImageReference
    box: BoxPx
    long_axis: Axis
    short_axis: Axis
    clipped: BoxPx | None = None
    """The box as our reports draw it: inside the image. None where the image is not here."""
    regions: tuple[OwnRegion, ...] = ()

    @property
    def boxes(self) -> tuple[BoxPx, ...]:
        """What may have been drawn as its box."""
        return (self.box,) if self.clipped is None else (self.box, self.clipped)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a row is not truth (None: it is), and what it shares with the other rows of one lesion.

    same_as: the lesion_id of the row that shows this drawing. replaced_by: the later document. Either hides the row.
    """

    excluded_because: str | None
    lesion_identity: str
    same_as: str | None = None
    replaced_by: str | None = None


def judge(
    rows: Sequence[Harvested], own: Iterable[OwnDetection], predecessors: Mapping[str, Sequence[str]]
) -> dict[str, Verdict]:
    """A verdict for each row, by lesion_id; the same for any order of the rows.

    rows: all that could be copies of each other: of one study, on the same images, or with the same tracking UIDs.
    predecessors: by document, the documents that it names as its predecessors.
    """
    replaced = superseded_documents(predecessors)
    by_age = sorted(rows, key=lambda row: row.age)
    of_translated = _copies_of_translated(by_age)
    by_age = [row for row in by_age if row.lesion_id not in of_translated]
    excluded = _by_machines(by_age, own)
    excluded.update({row.lesion_id: SUPERSEDED for row in rows if row.source_sop_instance_uid in replaced})
    excluded.update(_measured_again([row for row in by_age if row.lesion_id not in excluded]))
    originals = of_translated
    for reason in {None, *excluded.values()}:  # what is no truth is shown once, too, but hides no truth
        originals.update(
            _originals(
                [
                    row
                    for row in by_age
                    if excluded.get(row.lesion_id) == reason and row.source_sop_instance_uid not in replaced
                ]
            )
        )
    excluded = {copy: f"copy of {original}" for copy, original in originals.items()} | excluded
    standing = [row for row in by_age if row.lesion_id not in excluded]
    identities = _identities(standing)
    excluded.update({row.lesion_id: row.unfit_because for row in standing if row.unfit_because is not None})
    return {
        row.lesion_id: Verdict(
            excluded.get(row.lesion_id),
            identities.get(originals.get(row.lesion_id, row.lesion_id), row.tracking_uid or row.lesion_id),
            originals.get(row.lesion_id),
            replaced.get(row.source_sop_instance_uid),
        )
        for row in rows
    }


def _copies_of_translated(by_age: Sequence[Harvested]) -> dict[str, str]:
    """copy → original: what a person drew, we wrote anew for viewers, and somebody saved again as it was, whoever that
    is and whenever: viewers give it other UIDs, and other people's names.
    """
    translated: dict[ImageReference, list[Harvested]] = defaultdict(list)
    for row in by_age:
        if row.translated and not row.by_algorithm:
            translated[row.image].append(row)
    copies: dict[str, str] = {}
    for row in by_age:
        for original in () if row.translated else translated.get(row.image, ()):
            if same_drawing(row, original) or same_region(row, original):
                copies.setdefault(row.lesion_id, original.lesion_id)
    return copies


def _by_machines(by_age: Sequence[Harvested], own: Iterable[OwnDetection]) -> dict[str, str]:
    """Rows that a machine drew, whoever saved them: a viewer saves what another's algorithm drew as its user's."""
    detections: dict[ImageReference, list[OwnDetection]] = defaultdict(list)
    for detection in own:
        for image in {detection.image, *(region.image for region in detection.regions if region.longest)}:
            detections[image].append(detection)
    machines, excluded = _Drawn(), {}
    for row in by_age:
        if row.by_algorithm:
            machines.add(row, row.image)
            excluded[row.lesion_id] = BY_ALGORITHM
    for row in by_age:
        if row.by_algorithm:
            continue
        if any(is_copy_of_own(row, detection) for detection in detections[row.image]):
            excluded[row.lesion_id] = OWN_COPY
        elif any(not _before(row, drawn) for drawn in machines.same(row, row.image)):
            excluded[row.lesion_id] = BY_ALGORITHM
    return excluded


def _before(row: Harvested, other: Harvested) -> bool:
    """Whether its document is known to be the older one: then the machine took over what a person had drawn."""
    return row.content_at is not None and other.content_at is not None and row.content_at < other.content_at


def superseded_documents(predecessors: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """document → the one that names it as its predecessor (PS3.3 C.17.2.5), the last by UID if there are several.

    Of documents that name each other in a circle none is the later one: they stay, until one from outside follows.
    """
    named = {new: set(olds) - {new} for new, olds in predecessors.items()}
    named = {new: {old for old in olds if new not in named.get(old, ())} for new, olds in named.items()}
    followed = {old for olds in named.values() for old in olds}
    newest = [new for new in named if new not in followed]
    reached = set(newest)
    while newest:
        earlier = named.get(newest.pop(), set()) - reached
        reached |= earlier
        newest += earlier
    return {old: new for new in sorted(reached & named.keys()) for old in named[new]}


def _identities(standing: Sequence[Harvested]) -> dict[str, str]:
    """lesion_id → what all measurements of one lesion share: one of its tracking UIDs, else the oldest lesion_id.

    Of several the least one: another study of the same readers, whose documents came in another order, has the same.
    """
    by_id = {row.lesion_id: row for row in standing}
    groups = one_lesion([(row.lesion_id, row.image, row.box) for row in standing])
    lesions = [[by_id[member] for member in members] for members in groups]
    scattered = _scattered(standing)
    identities: dict[str, str] = {}
    for rows in lesions:
        uids = {row.tracking_uid for row in rows if row.tracking_uid and (row.tracking_uid, row.image) not in scattered}
        identity = min(uids, key=lambda uid: (len(uid), uid), default=rows[0].lesion_id)
        identities.update({row.lesion_id: identity for row in rows})
    return identities


def _scattered(standing: Sequence[Harvested]) -> set[tuple[str, ImageReference]]:
    """Tracking UIDs of marks apart from each other on one image: some viewers give all lesions of a document one."""
    first: dict[tuple[str, ImageReference], BoxPx] = {}
    scattered = set()
    for row in standing:
        if row.tracking_uid:
            key, box = (row.tracking_uid, row.image), row.box
            other = first.setdefault(key, box)
            if other is not box and not (_holds(box, other.centre) or _holds(other, box.centre)):
                scattered.add(key)
    return scattered


def _holds(box: BoxPx, point: PointPx) -> bool:
    return box.x1 <= point.col <= box.x2 and box.y1 <= point.row <= box.y2


def is_copy_of_own(row: Harvested, detection: OwnDetection) -> bool:
    """Whether all points of a row are those of one of our detections in one of our encodings, whatever its UIDs are.

    A region is a copy of our box, or of our mask where that is longest or on the key slice, by its extent and its axes:
    somebody who changed a mask has moved one of them. Without the mask its axes on the key slice tell.
    """
    outline, on_key_slice = row.outline, row.image == detection.image
    if outline is not None:
        if on_key_slice and any(same_box(outline, box) for box in detection.boxes):
            return True
        if detection.regions:
            here = [one for one in detection.regions if one.image == row.image and (one.longest or on_key_slice)]
            return any(_is_copy_of_mask(row, outline, region) for region in here)
    return on_key_slice and _same_axes(row, detection.long_axis, detection.short_axis)


def _is_copy_of_mask(row: Harvested, outline: BoxPx, region: OwnRegion) -> bool:
    """By its extent and its axes. Of a short axis the length tells: a contour has it between other points."""
    short_px = [0.0 if axis is None else axis.length_px for axis in (row.short_axis, region.short_axis)]
    return (
        any(same_box(outline, box) for box in (region.outline, region.with_axes))
        and same_axis(row.long_axis, region.long_axis)
        and abs(short_px[0] - short_px[1]) <= SAME_SHORT_AXIS_PX
    )


def _same_axes(row: Harvested, long_axis: Axis, short_axis: Axis | None) -> bool:
    """Whether the axes of a row are among these two, each another one."""
    ours = [long_axis] if short_axis is None else [long_axis, short_axis]
    drawn = [row.long_axis] if row.short_axis is None else [row.long_axis, row.short_axis]
    if len(drawn) > len(ours):
        return False
    return any(all(same_axis(a, b) for a, b in zip(drawn, order, strict=False)) for order in (ours, ours[::-1]))


def same_axis(a: Axis, b: Axis) -> bool:
    """Whether two lines are one, in either direction."""
    return any(
        a.a.distance_px(start) <= SAME_POINT_PX and a.b.distance_px(end) <= SAME_POINT_PX
        for start, end in (b.points, b.points[::-1])
    )


def same_box(a: BoxPx, b: BoxPx) -> bool:
    return all(p.distance_px(q) <= SAME_POINT_PX for p, q in zip(a.corners, b.corners, strict=True))


def same_region(a: Harvested, b: Harvested) -> bool:
    """Whether two rows are of one region: a mask, and a report that names it. Nobody outlines twice so exactly."""
    return a.outline is not None and b.outline is not None and same_box(a.outline, b.outline)


def same_drawing(a: Harvested, b: Harvested) -> bool:
    """Whether two rows have the same points on the same image."""
    if a.image != b.image or (a.short_axis is None) != (b.short_axis is None):
        return False
    if not same_axis(a.long_axis, b.long_axis):
        return False
    return a.short_axis is None or b.short_axis is None or same_axis(a.short_axis, b.short_axis)


class _Drawn:
    """Rows by what they drew, so that each is compared with its likes alone."""

    def __init__(self, regions: bool = False) -> None:
        """regions: of rows with an outline, which is the same, too."""
        self._regions = regions
        self._by_cell: dict[tuple[Hashable, Cell], list[Harvested]] = defaultdict(list)

    def _edges(self, row: Harvested) -> tuple[float, ...]:
        return edges_of(row.long_axis, row.outline if self._regions else row.short_axis)

    def add(self, row: Harvested, *alike: Hashable) -> None:
        """alike: what else makes equal points one drawing, each alone."""
        cell = cell_of(self._edges(row))
        for key in alike:
            self._by_cell[key, cell].append(row)

    def same(self, row: Harvested, *alike: Hashable) -> list[Harvested]:
        """Those with the same points that were added with one of `alike`."""
        if not self._by_cell:
            return []
        cells = cells_near(self._edges(row), SAME_POINT_PX)
        near = [other for cell in cells for key in alike for other in self._by_cell.get((key, cell), ())]
        return [o for o in near if same_drawing(row, o) and (not self._regions or same_region(row, o))]


def _measured_again(standing: Sequence[Harvested]) -> dict[str, str]:
    """Rows whose lesion the same reader measured otherwise in a later document, on the same image."""
    groups: dict[tuple[str, ImageReference, str], list[Harvested]] = defaultdict(list)
    for row in standing:
        if row.tracking_uid:
            groups[row.tracking_uid, row.image, row.reader].append(row)
    again: dict[str, str] = {}
    for group in groups.values():
        last, newest = group[-1].source_sop_instance_uid, _Drawn()
        earlier = [row for row in group if row.source_sop_instance_uid != last]
        if earlier:
            for row in group:
                if row.source_sop_instance_uid == last:
                    newest.add(row, last)
            again.update({row.lesion_id: SUPERSEDED for row in earlier if not newest.same(row, last)})
    return again


def _originals(standing: Sequence[Harvested]) -> dict[str, str]:
    """copy → original: the same points on the same image, of one lesion by UID, of one region or by one reader."""
    originals: dict[str, str] = {}
    drawn, regions = _Drawn(), _Drawn(regions=True)
    for row in standing:  # the oldest first
        alike: list[Hashable] = [(row.image, "reader", row.reader)]
        if row.tracking_uid:
            alike.append((row.image, "lesion", row.tracking_uid))
        same = drawn.same(row, *alike)
        if row.outline is not None:
            same += regions.same(row, row.image)
        if same:
            originals[row.lesion_id] = min(same, key=lambda other: other.age).lesion_id
            continue
        drawn.add(row, *alike)
        if row.outline is not None:
            regions.add(row, row.image)
    return originals
