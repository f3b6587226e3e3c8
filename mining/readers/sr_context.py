"""What stands around a drawing in a content tree: tracking, finding, site, comment, observer, algorithm. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from pydicom.dataset import Dataset

from db.codes import Code
from mining.content_tree import ContentItem
from mining.elements import code_of, items_of, moment, moment_of, number_of, text_of
from mining.readers.sr_concepts import (
    FREE_TEXT,
    GENERAL_ROLES,
    MEASUREMENT_GROUP,
    MILLIMETRES,
    SINGLE_IMAGE_FINDING,
    field_of,
    role_in_words,
    role_of,
)
from mining.region_kind import RegionKind, kind_of_region


class Surroundings:
    """Answers for one document; the children of each item are looked through once."""

    def __init__(self, root: ContentItem) -> None:
        self._root = root
        self._fields: dict[str, dict[str, ContentItem]] = {}
        self._offset = text_of(root.dataset, "TimezoneOffsetFromUTC")
        self.content_at = moment_of(root.dataset, "ContentDate", "ContentTime", self._offset)

    def fields(self, item: ContentItem) -> dict[str, ContentItem]:
        """The first child of an item that fills each of the known fields."""
        known = self._fields.get(item.path)
        if known is None:
            known = self._fields[item.path] = {}
            for child in item.children:
                field = field_of(child.concept)
                if field is not None:
                    known.setdefault(field, child)
        return known

    def is_lesion(self, item: ContentItem) -> bool:
        """Whether an item holds one lesion and no more: a group, a finding, or anything with a tracking identifier."""
        concept = item.concept
        named = concept is not None and concept.value in (MEASUREMENT_GROUP, SINGLE_IMAGE_FINDING)
        return named or self.is_tracked(item)

    def is_tracked(self, item: ContentItem) -> bool:
        """Whether an item has a tracking identifier of its own."""
        fields = self.fields(item)
        return "tracking_uid" in fields or "tracking_id" in fields

    def home_of(self, item: ContentItem) -> ContentItem:
        """The item that holds the whole lesion of a drawing: its group or finding, else the nearest container.

        The drawing itself, where it is tracked by itself: some writers put all drawings side by side in one container.
        The root is no group of one lesion, whatever it is called, if there are containers below it.
        """
        if any(child.value_type in ("TEXT", "UIDREF") for child in item.children) and self.is_tracked(item):
            return item
        container: ContentItem | None = None
        for ancestor in item.ancestors():
            if ancestor.parent is None:
                return container or ancestor
            if ancestor.value_type in ("CONTAINER", "CODE") and self.is_lesion(ancestor):
                return ancestor
            if container is None and ancestor.value_type == "CONTAINER":
                container = ancestor
        return item

    def kind_of(self, group: ContentItem, name: str = "") -> RegionKind:
        """What a group is about, by its Finding Category and Finding (TID 1501), and by the name that it was given."""
        return kind_of_region(self.code([group], "category"), self.code([group], "finding"), name)

    def nearest(self, chain: Iterable[ContentItem], field: str) -> ContentItem | None:
        for item in chain:
            found = self.fields(item).get(field)
            if found is not None:
                return found
        return None

    def text(self, chain: Iterable[ContentItem], field: str) -> str:
        found = self.nearest(chain, field)
        return "" if found is None else content_text(found)

    def code(self, chain: Iterable[ContentItem], field: str) -> Code | None:
        """A coded answer; one that was typed becomes a code without a value."""
        found = self.nearest(chain, field)
        if found is None:
            return None
        code = code_of(found.dataset, "ConceptCodeSequence")
        if code is not None and code.value.upper() in FREE_TEXT:
            return Code("", "", code.meaning)
        typed = "" if code is not None else content_text(found)
        return Code("", "", typed) if typed else code

    def observer(self, chain: Iterable[ContentItem]) -> tuple[str, str]:
        """Person, and device where no person is named beside it: the observer context of the nearest item that has one.

        Source: PS3.16 TID 1001 to 1004; an item inherits the context of those above it.
        """
        for item in chain:
            fields = self.fields(item)
            if "person" in fields:
                return content_text(fields["person"]), ""
            if "device" in fields or "device_uid" in fields:
                return "", content_text(fields.get("device") or fields["device_uid"]) or "unnamed device"
        return self._author(), ""

    def algorithm(self, chain: Iterable[ContentItem]) -> str:
        """Name and version of the algorithm (TID 4019), or empty."""
        for item in chain:
            fields = self.fields(item)
            if "algorithm" in fields:
                name = content_text(fields["algorithm"]) or "unnamed algorithm"
                version = fields.get("algorithm_version")
                return f"{name} {content_text(version)}".strip() if version is not None else name
        return ""

    def measured_at(self, chain: Iterable[ContentItem]) -> datetime | None:
        """The nearest Observation DateTime, else the document's own time."""
        for item in chain:
            observed = text_of(item.dataset, "ObservationDateTime")
            found = moment(observed, self._offset) if observed else None
            if found is not None:
                return found
        return self.content_at

    def _author(self) -> str:
        for sequence, keyword in (
            ("AuthorObserverSequence", "PersonName"),
            ("VerifyingObserverSequence", "VerifyingObserverName"),
        ):
            for item in items_of(self._root.dataset, sequence)[:1]:
                name = text_of(item, keyword)
                if name:
                    return name
        return ""


def content_text(item: ContentItem) -> str:
    """The text, name, UID or coded meaning that an item holds."""
    for keyword in ("TextValue", "PersonName", "UID"):
        text = text_of(item.dataset, keyword)
        if text:
            return text
    code = code_of(item.dataset, "ConceptCodeSequence")
    return "" if code is None else code.meaning or code.value


def role_of_number(item: ContentItem) -> str | None:
    """What a NUM says of its line: by its own concept, or, where that is general, by a code or a text below it."""
    modifiers = [
        role_in_words(text_of(child.dataset, "TextValue"))
        if child.value_type == "TEXT"
        else role_of(code_of(child.dataset, "ConceptCodeSequence"))
        for child in item.children
        if child.relationship == "HAS CONCEPT MOD" or child.value_type == "TEXT"
    ]
    named = [role for role in (role_of(item.concept), *modifiers) if role is not None]
    return next((role for role in named if role not in GENERAL_ROLES), named[0] if named else None)


def unit_of_number(item: ContentItem) -> str:
    """The unit of a NUM as a UCUM code; its name where the code says nothing, or is a writer's own."""
    unit = item.unit
    if unit is None:
        return ""
    own = unit.scheme != "UCUM" and unit.value not in MILLIMETRES and unit.meaning in MILLIMETRES
    return unit.meaning if own else unit.value or unit.meaning


def stated_mm(item: ContentItem) -> float | None:
    """The length that a NUM states, in mm; None if it holds no number or its unit is no length."""
    factor = MILLIMETRES.get(unit_of_number(item))
    if factor is None:
        return None
    for measured in items_of(item.dataset, "MeasuredValueSequence")[:1]:
        number = number_of(measured, "FloatingPointValue")
        if number is None:
            number = number_of(measured, "NumericValue")
        if number is None:
            number = _with_a_comma(measured)
        return None if number is None or number < 0 else number * factor
    return None


def _with_a_comma(measured: Dataset) -> float | None:
    """A Numeric Value that breaks DS by a decimal comma: `23,4`."""
    text = text_of(measured, "NumericValue")
    return float(text.replace(",", ".")) if _COMMA.fullmatch(text) else None


_COMMA = re.compile(r"[0-9]{1,6},[0-9]{1,9}")
