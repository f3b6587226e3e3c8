"""Walk the content tree of any SR document, without recursion and without trusting it. Pure.

Promise: whatever the data set holds, the walk ends, within its limits, and says where it had to stop.

Paths are those of PS3.3 C.17.3.2.4 (Referenced Content Item Identifier), as dsrdump prints them: the root is `1`,
its second child `1.2`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from db.codes import Code
from mining.elements import code_of, items_of, numbers_of, text_of, value_of


@dataclass(frozen=True, slots=True)
class TreeLimits:
    max_depth: int = 100
    """Levels below the root; real reports have fewer than 20."""
    max_items: int = 200_000
    """Content items in one document; a report of 5,000 lesions has about 50,000."""


class ContentItem:
    """One node of the tree. Its data set stays as it is; what is asked often is kept."""

    __slots__ = (
        "_concept",
        "_unit",
        "children",
        "dataset",
        "parent",
        "path",
        "position",
        "relationship",
        "target",
        "value_type",
    )

    def __init__(self, dataset: Dataset, path: str, parent: ContentItem | None, position: int) -> None:
        self.dataset = dataset
        self.path = path
        self.parent = parent
        self.position = position
        """Place in document order, from 0."""
        self.children: list[ContentItem] = []
        self.relationship = text_of(dataset, "RelationshipType").upper()
        self.value_type = text_of(dataset, "ValueType").upper() or _guessed_value_type(dataset)
        self.target: ContentItem | None = None
        """The item that a by-reference relationship points to (PS3.3 C.17.3.2.4)."""
        self._concept: Code | bool | None = False
        self._unit: Code | bool | None = False

    @property
    def concept(self) -> Code | None:
        """Concept Name: what the item is about."""
        if isinstance(self._concept, bool):
            self._concept = code_of(self.dataset, "ConceptNameCodeSequence")
        return self._concept

    @property
    def unit(self) -> Code | None:
        """The unit of the first value of a NUM."""
        if isinstance(self._unit, bool):
            measured = items_of(self.dataset, "MeasuredValueSequence")[:1]
            self._unit = code_of(measured[0], "MeasurementUnitsCodeSequence") if measured else None
        return self._unit

    def ancestors(self) -> Iterator[ContentItem]:
        """The parent first, the root last."""
        item = self.parent
        while item is not None:
            yield item
            item = item.parent


@dataclass(frozen=True, slots=True)
class Cut:
    """A place where the walk could not go on: the path, a word for the reason, the reason."""

    path: str
    reason_code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ContentTree:
    root: ContentItem
    items: tuple[ContentItem, ...]
    """In document order, the root first."""
    cuts: tuple[Cut, ...]


DEFAULT_LIMITS = TreeLimits()


def read_tree(ds: Dataset, limits: TreeLimits = DEFAULT_LIMITS) -> ContentTree:
    """The content tree of a document. The data set itself is the root, with or without a concept or a template."""
    root = ContentItem(ds, "1", None, 0)
    items: list[ContentItem] = []
    cuts: list[Cut] = []
    waiting = [(root, 0)]
    while waiting:
        item, depth = waiting.pop()
        item.position = len(items)
        items.append(item)
        datasets = items_of(item.dataset, "ContentSequence")
        if not datasets and value_of(item.dataset, "ContentSequence") not in (None, []):
            cuts.append(Cut(item.path, "bad_content_sequence", "the content sequence is not a sequence of items"))
        if datasets and depth >= limits.max_depth:
            reason = f"content nested deeper than {limits.max_depth} levels is not read"
            cuts.append(Cut(item.path, "nested_too_deep", reason))
            continue
        if len(items) + len(waiting) + len(datasets) > limits.max_items:
            cuts.append(Cut(item.path, "too_many_items", f"a document of over {limits.max_items} items is not read on"))
            continue
        prefix = item.path + "."
        item.children = [ContentItem(child, f"{prefix}{n}", item, 0) for n, child in enumerate(datasets, start=1)]
        waiting.extend((child, depth + 1) for child in reversed(item.children))
    _resolve_references(items)
    return ContentTree(root, tuple(items), tuple(cuts))


def _resolve_references(items: list[ContentItem]) -> None:
    referring = [(item, numbers_of(item.dataset, "ReferencedContentItemIdentifier")) for item in items]
    pointing = [(item, numbers) for item, numbers in referring if numbers]
    if not pointing:
        return
    by_path = {item.path: item for item in items}
    for item, numbers in pointing:
        item.target = by_path.get(".".join(str(int(number)) for number in numbers))


def _guessed_value_type(ds: Dataset) -> str:
    """The value type of an item that states none, by what it holds."""
    if value_of(ds, "GraphicData") is not None:
        return "SCOORD3D" if value_of(ds, "ReferencedFrameOfReferenceUID") is not None else "SCOORD"
    if items_of(ds, "MeasuredValueSequence"):
        return "NUM"
    return ""
