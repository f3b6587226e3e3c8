"""Several contents under one SOP Instance UID: which one counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.contents import CONFLICT, CURRENT, SUPERSEDED


@dataclass(frozen=True, slots=True)
class Candidate:
    """One content of an instance. `new`: not yet compared. digest: equal for equal pixels or equal documents."""

    instance_pk: int
    state: str
    new: bool
    digest: str


def resolve(contents: Sequence[Candidate]) -> dict[int, str]:
    """The state of each content, given all contents of ONE instance in the order in which they arrived.

    Equal pixels: the newest header is current. Other pixels: what was current stays so, and a person chooses.
    """
    states = {content.instance_pk: content.state for content in contents}
    compared = [content for content in contents if content.state == CURRENT and not content.new]
    unread = [content for content in contents if content.state == CURRENT and content.new]
    current = next(iter(compared or unread), None)
    for content in contents:
        if not content.new or content.state == SUPERSEDED or content is current:
            continue
        if current is None or content.digest == current.digest:
            if current is not None:
                states[current.instance_pk] = SUPERSEDED
            states[content.instance_pk] = CURRENT
            current = content
        else:
            states[content.instance_pk] = CONFLICT
    return states
