"""Several contents under one SOP Instance UID: which one counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.contents import CONFLICT, CURRENT, SUPERSEDED


@dataclass(frozen=True, slots=True)
class Candidate:
    """One content of an instance. digest: equal for equal pixels or equal documents.

    `new`: it came, or came again, since it was last compared.
    """

    instance_pk: int
    state: str
    new: bool
    digest: str


def resolve(contents: Sequence[Candidate]) -> dict[int, str]:
    """The state of each content, given all contents of ONE instance in the order in which they last arrived.

    Equal pixels: the newest header is current. Other pixels: what was current stays so, and a person chooses; what a
    person has chosen against stays out, however often it comes.
    """
    states = {content.instance_pk: content.state for content in contents}
    current = _first_current(contents)
    if current is None:
        return states
    equal = [c for c in contents if c is current or (c.new and c.digest == current.digest)]
    for content in contents:
        if content is equal[-1]:
            states[content.instance_pk] = CURRENT
        elif content in equal:
            states[content.instance_pk] = SUPERSEDED
        elif content.new and content.state != SUPERSEDED:
            states[content.instance_pk] = CONFLICT
    return states


def _first_current(contents: Sequence[Candidate]) -> Candidate | None:
    """What the others are compared with: what has been current, else the first that came."""
    current = [c for c in contents if c.state == CURRENT]
    compared = [c for c in current if not c.new]
    return next(iter(compared or current or [c for c in contents if c.new]), None)
