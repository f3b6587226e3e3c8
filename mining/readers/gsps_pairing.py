"""Which text is about which lesion of an image. Pure.

PACS write a value only as a text: linked by a group or a compound graphic, in the same annotation, or just near.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from db.geometry import PixelSpacing, PointPx
from mining.readers.gsps_lesions import Graphic, Lesion, Nearby
from mining.readers.gsps_texts import Text

NEAR_PX = 64.0
"""A text of another annotation is about a drawing that is at most so far from where the text stands or points."""

SAME_LENGTH_SHARE = 0.02
ROUNDED_MM = 0.5
"""A text states a length if it differs by no more: whole millimetres are common."""

MAX_GROUP = 100
"""Lesions of one group among which a text looks for the nearest."""


def give_texts(lesions: Sequence[Lesion], texts: Sequence[Text], spacing: PixelSpacing | None) -> list[Text]:
    """Give each lesion its texts: linked ones, those of its annotation, those near. Returns those about none.

    Of several texts in an annotation, one that states what a single lesion measures is about that lesion; for all
    others nearness counts.
    """
    linked = _by_link(lesions)
    left = [text for text in texts if not _link(text, linked)]
    by_annotation: dict[int, list[Lesion]] = defaultdict(list)
    for lesion in lesions:
        for annotation in dict.fromkeys(graphic.annotation for graphic in lesion.graphics):
            by_annotation[annotation].append(lesion)
    waiting: dict[int, list[Text]] = defaultdict(list)
    for text in left:
        waiting[text.annotation].append(text)
    free: list[Text] = []
    for annotation, its in waiting.items():
        free += _within(by_annotation.get(annotation, []), its, spacing)
    bare = [lesion for lesion in lesions if not lesion.texts]
    return _share(bare, [text for text in free if text.measures or text.name], NEAR_PX)


def _by_link(lesions: Sequence[Lesion]) -> dict[Hashable, list[Lesion]]:
    found: dict[Hashable, list[Lesion]] = defaultdict(list)
    for lesion in lesions:
        for link in dict.fromkeys(link for graphic in lesion.graphics for link in _links(graphic)):
            found[link].append(lesion)
    return found


def _links(part: Graphic | Text) -> list[Hashable]:
    """What a text shares with its drawing: a Tracking UID, a graphic group, the compound graphic both stand for."""
    tracking = [("tracking", part.tracking_uid)] if part.tracking_uid else []
    group = [("group", part.group)] if part.group is not None else []
    compound = [("compound", part.annotation, part.compound)] if part.compound is not None else []
    return [*tracking, *compound, *group]


def _link(text: Text, linked: Mapping[Hashable, Sequence[Lesion]]) -> bool:
    """Whether the object itself says whose text it is; then the lesion has it, the nearest one of a group of them."""
    named: Sequence[Lesion] = next((linked[link] for link in _links(text) if link in linked), ())[:MAX_GROUP]
    if len(named) > 1 and text.at is not None:
        at = text.at
        named = [min(named, key=lambda lesion: min(end.distance_px(at) for end in lesion.ends))]
    for lesion in named[:1]:
        lesion.texts.append(text)
    return bool(named)


def _within(lesions: Sequence[Lesion], texts: Sequence[Text], spacing: PixelSpacing | None) -> list[Text]:
    """Give the texts of an annotation to its lesions; returns those that none takes."""
    measuring, others = [t for t in texts if t.measures], [t for t in texts if not t.measures]
    if len(lesions) == 1 and len(measuring) <= (2 if lesions[0].has_two_axes else 1):
        lesions[0].texts += texts
        return []
    has_values = bool(measuring)
    if spacing is not None:
        measuring = _agreeing(lesions, measuring, spacing)
    left = _share([lesion for lesion in lesions if not lesion.measured], measuring if has_values else texts)
    # A second length beside two axes is that of the other axis.
    wanting = [lesion for lesion in lesions if lesion.has_two_axes and sum(len(t.stated) for t in lesion.texts) == 1]
    left = _share(wanting, left, NEAR_PX)
    if has_values:
        left += _share(lesions, [text for text in others if text.name])
    return left


def _agreeing(lesions: Sequence[Lesion], texts: Sequence[Text], spacing: PixelSpacing) -> list[Text]:
    """Give a lesion the text that states its length, if no other text does and it states no other's; returns the rest.

    A screen full of lines has its texts where there was room.
    """
    stating = [text for text in texts if text.stated]
    drawn = np.array([lesion.long_mm(spacing) for lesion in lesions])[:, None]
    stated = np.array([max(text.stated) for text in stating])[None, :]
    agree = np.abs(drawn - stated) <= np.maximum(SAME_LENGTH_SHARE * drawn, ROUNDED_MM)  # (lesions, texts)
    agree &= (agree.sum(axis=0, keepdims=True) == 1) & (agree.sum(axis=1, keepdims=True) == 1)
    taken = set()
    for place, which in np.argwhere(agree).tolist():
        lesions[place].texts.append(stating[which])
        taken.add(stating[which].path)
    return [text for text in texts if text.path not in taken]


def _share(lesions: Sequence[Lesion], texts: Sequence[Text], within_px: float = float("inf")) -> list[Text]:
    given = _shared_out([lesion.ends for lesion in lesions], texts, within_px)
    for lesion, text in zip(lesions, given, strict=True):
        if text is not None:
            lesion.texts.append(text)
    taken = {text.path for text in given if text is not None}
    return [text for text in texts if text.path not in taken]


def parts_of_angles(lesions: Sequence[Lesion]) -> set[str]:
    """The paths of lines that meet a line which a text calls an angle, and that no text measures."""
    arms = Nearby([(end, lesion.graphics[0]) for lesion in lesions if lesion.is_no_lesion for end in lesion.ends])
    return {
        lesion.graphics[0].path
        for lesion in lesions
        if not lesion.measured and any(True for end in lesion.ends for _ in arms.around(end))
    }


def long_and_short(lesion: Lesion) -> list[float]:
    """The lengths in mm that its texts state, the longer first; of one line, one."""
    both = next((text.stated for text in lesion.texts if len(text.stated) == 2), None)
    stated = both or tuple(length for text in lesion.texts for length in text.stated)[:2]
    return sorted(stated, reverse=True)[: 2 if lesion.has_two_axes else 1]


def _shared_out(
    places: Sequence[Sequence[PointPx]], texts: Sequence[Text], within_px: float = float("inf")
) -> list[Text | None]:
    """The text of each drawing, of those given: nearest pairs first, each used once.

    places: of each drawing the points that its text may stand beside. Texts without a place go to drawings in the same
    order if there are as many of them.
    """
    if len(texts) == len(places) and all(text.at is None for text in texts):
        return list(texts)
    given: list[Text | None] = [None] * len(places)
    placed = [text for text in texts if text.at is not None]
    if not placed or not places:
        return given
    ends = np.array([(p.col, p.row) for points in places for p in points])  # (P, 2)
    starts = np.cumsum([0, *(len(points) for points in places[:-1])])
    at = np.array([(text.at.col, text.at.row) for text in placed if text.at is not None])  # (T, 2)
    distances = np.stack(
        [np.minimum.reduceat(np.hypot(ends[:, 0] - x, ends[:, 1] - y), starts) for x, y in at], axis=1
    )  # (drawings, T)
    free = set(range(len(placed)))
    for flat in np.argsort(distances, axis=None, kind="stable").tolist():
        drawing, text = divmod(flat, len(placed))
        if distances[drawing, text] > within_px or not free:
            break
        if given[drawing] is None and text in free:
            given[drawing] = placed[text]
            free.remove(text)
    return given
