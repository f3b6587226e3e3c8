"""Free texts of a report that stand in for its numbers and comments: `TL1`, `target lesion 2 - 23 x 14 mm`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mining.content_tree import ContentItem
from mining.elements import text_of
from mining.readers.sr_concepts import field_of, role_of
from mining.stated_text import stated_in_text

_NAMES_A_LESION = re.compile(
    r"\b(?:n?tl|(?:non[ -]?)?target(?:\s+lesion)?|lesion|nodule|l[äa]sion)\s*[#-]?\s*\d+", re.IGNORECASE
)
_PLACEHOLDER = re.compile(r"\{\w*\}")
"""In a label that a viewer fills in when it shows it: `{length}`."""

MAX_TEXTS = 1_000
"""Children of one item that are looked through for texts about a lesion."""


@dataclass(frozen=True, slots=True)
class LesionText:
    """A text that is about one lesion, with the lengths in mm that it states; empty if there is none."""

    text: str = ""
    long_mm: float | None = None
    short_mm: float | None = None


NO_TEXT = LesionText()


class LesionTexts:
    """Answers for one document; the children of each item are looked through once."""

    def __init__(self) -> None:
        self._about: dict[str, list[ContentItem]] = {}

    def about(self, parts: Sequence[ContentItem], place: int = 0, of: int = 1) -> LesionText:
        """What free texts say of a lesion: one above its drawing, else one beside it.

        parts: the item that holds the lesion first, then its drawings and numbers and what stands between.
        place, of: which of how many lesions of that item it is; in an item of several, each has the text of its place
        if there are as many texts as lesions.
        """
        above = [item for item in parts[1:] if item.value_type == "TEXT"]
        near = _said([*above, *(text for item in parts[1:] for text in self._below(item))])
        if near.text:
            return near
        beside = self._below(parts[0])
        if of == 1:
            return _said(beside)
        return _said([beside[place]]) if len(beside) == of else NO_TEXT

    def _below(self, item: ContentItem) -> list[ContentItem]:
        """The texts right below an item that are about a lesion."""
        known = self._about.get(item.path)
        if known is None:
            free = [child for child in item.children if _is_free(child)][:MAX_TEXTS]
            known = self._about[item.path] = [text for text in free if _is_about_a_lesion(text)]
        return known


def without_placeholders(label: str) -> str:
    return _PLACEHOLDER.sub("", label).strip()


def _is_free(item: ContentItem) -> bool:
    """Whether a TEXT is prose about what it stands beside, and not an answer to a known question."""
    return item.value_type == "TEXT" and item.relationship != "HAS OBS CONTEXT" and field_of(item.concept) is None


def _is_about_a_lesion(item: ContentItem) -> bool:
    text = _text(item)
    return bool(stated_in_text(text)) or _NAMES_A_LESION.search(text) is not None


def _said(texts: Sequence[ContentItem]) -> LesionText:
    """The first text that states something; one that names the axis it states is joined by the text of the other."""
    named: dict[str, float] = {}
    for item in texts:
        role, stated = role_of(item.concept), stated_in_text(_text(item))
        if role in ("long", "short") and len(stated) == 1:
            named.setdefault(role, stated[0])
    if named:
        return LesionText(_text(texts[0]), named.get("long"), named.get("short"))
    first = next((item for item in texts if stated_in_text(_text(item))), texts[0] if texts else None)
    if first is None:
        return NO_TEXT
    lengths = sorted(stated_in_text(_text(first)), reverse=True)
    return LesionText(_text(first), *lengths[:2])


def _text(item: ContentItem) -> str:
    return " ".join(text_of(item.dataset, "TextValue").split())
