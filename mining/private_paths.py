"""Where a private element stands, as a site writes it: `(0041,xx10) VENDOR/(0041,xx22)/(0008,1155)`. Pure.

A step is a tag; `xx` stands for the block that the private creator behind the tag has reserved in this very item
(PS3.5 7.8.1), and steps that follow without a creator of their own have the one before. All but the last are sequences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as ItemSequence
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from mining.elements import UNREADABLE

NOTATION = '"(gggg,eeee)", "(gggg,xxee) PRIVATE CREATOR", or several of them with / between'

MAX_STEPS = 8

_STEP = re.compile(r"\(([0-9a-fA-F]{4}),([0-9a-fA-F]{4}|[xX]{2}[0-9a-fA-F]{2})\)(.*)")


@dataclass(frozen=True, slots=True)
class Step:
    """One tag. creator: whose block; then `element` is its last byte. Empty: the tag as it stands."""

    group: int
    element: int
    creator: str = ""


Path = tuple[Step, ...]


def path_from(text: str) -> Path:
    """Raises ValueError for what is no path."""
    steps: list[Step] = []
    creator = ""
    for part in re.split(r"\s*/\s*(?=\()", text.strip()):
        found = _STEP.fullmatch(part)
        if found is None or found[3].strip()[:1] == "/" or found[3].strip()[-1:] == "/":
            raise ValueError(f"{text!r} is no path to an element; write {NOTATION}")
        group, element = int(found[1], 16), found[2].lower()
        creator = found[3].strip() or creator
        if not element.startswith("xx"):
            steps.append(Step(group, int(element, 16)))
            continue
        if group % 2 == 0:
            raise ValueError(f"{text!r}: a private group is odd, {found[1]} is not")
        if not creator:
            raise ValueError(f"{text!r}: which block xx is, says the private creator behind the tag")
        steps.append(Step(group, int(element[2:], 16), creator))
    if len(steps) > MAX_STEPS:
        raise ValueError(f"{text!r} is longer than {MAX_STEPS} steps")
    return tuple(steps)


def written(path: Path) -> str:
    """The notation again, each step with its own creator."""
    return "/".join(
        f"({step.group:04x},xx{step.element:02x}) {step.creator}"
        if step.creator
        else f"({step.group:04x},{step.element:04x})"
        for step in path
    )


def value_at(ds: Dataset, path: Path) -> object:
    """The value at the end of a path, through the first item of each sequence; None where it is absent or broken."""
    for step in path[:-1]:
        items = items_at(ds, step)
        if not items:
            return None
        ds = items[0]
    return _value(ds, path[-1])


def items_at(ds: Dataset, step: Step) -> Sequence[Dataset]:
    """The items of a sequence; empty where it is absent or no sequence."""
    value = _value(ds, step)
    if isinstance(value, bytes) and value[:4] == b"\xfe\xff\x00\xe0":  # UN with items in it (PS3.5 6.2.2, note 2)
        try:
            value = convert_SQ(value, True, True)
        except UNREADABLE:
            return ()
    return value if isinstance(value, ItemSequence) else ()


def _value(ds: Dataset, step: Step) -> object:
    tag = _tag(ds, step)
    if tag is None or tag not in ds:
        return None
    try:
        value: object = ds[tag].value
    except UNREADABLE:
        return None
    return None if value == "" or value == b"" else value


def _tag(ds: Dataset, step: Step) -> BaseTag | None:
    if not step.creator:
        return BaseTag(step.group << 16 | step.element)
    for block in range(0x10, 0x100):
        reserved = BaseTag(step.group << 16 | block)
        if reserved not in ds:
            continue
        try:
            creator = ds[reserved].value
        except UNREADABLE:
            continue
        name = creator.decode("latin-1") if isinstance(creator, bytes) else str(creator)
        if name.strip(" \0") == step.creator:
            return BaseTag(step.group << 16 | block << 8 | step.element)
    return None
