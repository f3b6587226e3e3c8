"""What to call a group that no person has named: by where most of its lesions lie, or what most of them are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MAJORITY = 0.5
"""Part of the members with a stated place (or finding) that must share it."""
KNOWN = 0.3
"""Part of all members that must state one at all."""

Stated = tuple[str | None, str | None]
"""Code and meaning as a reader stated them; both None where nothing was stated."""


@dataclass(frozen=True, slots=True)
class GroupName:
    """`name` is empty where the members do not agree on anything; a code is None where they do not agree on it."""

    name: str
    site_code: str | None
    finding_code: str | None


def group_name(sites: Iterable[Stated], findings: Iterable[Stated]) -> GroupName:
    """The name of a group whose members have these sites and findings (one of each a member).

    The commonest site, in the commonest of its spellings; where there is none, the commonest finding.
    """
    site, finding = _majority(list(sites)), _majority(list(findings))
    return GroupName(name=site[1] or finding[1] or "", site_code=site[0], finding_code=finding[0])


def _majority(stated: list[Stated]) -> Stated:
    known = [pair for pair in stated if pair[0] or pair[1]]
    if not known or len(known) < KNOWN * len(stated):
        return None, None
    by_concept = Counter(code or meaning for code, meaning in known)
    concept, count = min(by_concept.items(), key=lambda item: (-item[1], str(item[0])))
    if count <= MAJORITY * len(known):
        return None, None
    spellings = Counter(meaning for code, meaning in known if (code or meaning) == concept and meaning)
    codes = {code for code, meaning in known if (code or meaning) == concept}
    meaning = min(spellings, key=lambda text: (-spellings[text], text)) if spellings else concept
    return codes.pop() if codes else None, meaning
