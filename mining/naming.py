"""What to call a group that no person has named: by where most of its lesions lie, or what most of them are. Pure.

Groups that would share a name are told apart by how dense and how large their lesions are, and only then by numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAJORITY = 0.5
"""Part of the members with a stated place (or finding) that must share it."""
TWO_SITES = 0.75
"""Part of the members with a stated place that the two commonest must share to make a name together."""
KNOWN = 0.2
"""Part of all members that must state one at all."""

DENSITIES = ((-300.0, "aerated"), (-20.0, "low-density"), (25.0, "fluid-like"), (100.0, "soft"), (250.0, "bright"))
"""Median HU below it -> its word; above the last it is dense."""
SIZES = ((10.0, "small"), (30.0, "mid-size"))
"""Long axis in mm below it -> its word; above the last it is large."""

Stated = tuple[str | None, str | None]
"""Code and meaning as a reader stated them; both None where nothing was stated."""


@dataclass(frozen=True, slots=True)
class GroupName:
    """`name` is empty where the members do not agree on anything; a code is None where they do not agree on it."""

    name: str
    site_code: str | None
    finding_code: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """Medians over the members of a group: Hounsfield units inside the lesion, and the long axis."""

    hu: float
    long_axis_mm: float

    @property
    def density(self) -> str:
        return next((word for below, word in DENSITIES if self.hu < below), "dense")

    @property
    def size(self) -> str:
        return next((word for below, word in SIZES if self.long_axis_mm < below), "large")


def stems(names: Sequence[str], looks: Sequence[Look]) -> list[str]:
    """What the name of each group begins with: its own, or its density where it has none."""
    return [name or f"{look.density} lesions".capitalize() for name, look in zip(names, looks, strict=True)]


def distinct_names(stems: Sequence[str], looks: Sequence[Look]) -> list[str]:
    """The groups' names, each once (upper and lower case are the same); the groups come largest first.

    `Bone` alone stays `Bone`; two of them are `Bone, dense` and `Bone, soft`; where density and size say nothing, the
    smaller is `Bone 2`.
    """
    named: dict[int, str] = {}
    for stem in {stem.lower(): stem for stem in reversed(stems)}.values():
        alike = [number for number, other in enumerate(stems) if other.lower() == stem.lower()]
        named |= _told_apart(stem, alike, [[look.density for look in looks], [look.size for look in looks]])
    return [named[number] for number in range(len(stems))]


def _told_apart(name: str, groups: list[int], words: Sequence[Sequence[str]]) -> dict[int, str]:
    """words: for each way of telling apart, the word of every group."""
    if len(groups) > 1 and words:
        by_word: dict[str, list[int]] = {}
        for group in groups:
            by_word.setdefault(words[0][group], []).append(group)
        if len(by_word) == 1:
            return _told_apart(name, groups, words[1:])
        parts = (_told_apart(f"{name}, {word}", part, words[1:]) for word, part in by_word.items())
        return {group: full for part in parts for group, full in part.items()}
    return {group: name if place == 1 else f"{name} {place}" for place, group in enumerate(groups, start=1)}


def group_name(sites: Iterable[Stated], findings: Iterable[Stated]) -> GroupName:
    """The name of a group whose members have these sites and findings (one of each a member).

    The commonest site, in the commonest of its spellings; where none has the majority, the two commonest, or the
    commonest finding.
    """
    places, things = _ranked(sites), _ranked(findings)
    site, finding = _majority(places), _majority(things)
    name = site[1] or _two(places) or finding[1] or ""
    return GroupName(name=name, site_code=site[0], finding_code=finding[0])


Ranked = list[tuple[Stated, float]]
"""Each concept in its commonest spelling with its share of the stated ones, the commonest first."""


def _ranked(stated: Iterable[Stated]) -> Ranked:
    """Empty where too few state anything."""
    everybody = list(stated)
    known = [pair for pair in everybody if pair[0] or pair[1]]
    if not known or len(known) < KNOWN * len(everybody):
        return []
    by_concept = Counter(code or meaning for code, meaning in known)
    ranked = sorted(by_concept.items(), key=lambda item: (-item[1], str(item[0])))
    return [(_spelt(concept, known), count / len(known)) for concept, count in ranked]


def _spelt(concept: str | None, known: list[Stated]) -> Stated:
    spellings = Counter(meaning for code, meaning in known if (code or meaning) == concept and meaning)
    code = next(code for code, meaning in known if (code or meaning) == concept)
    return code, min(spellings, key=lambda text: (-spellings[text], text)) if spellings else concept


def _majority(ranked: Ranked) -> Stated:
    return ranked[0][0] if ranked and ranked[0][1] > MAJORITY else (None, None)


def _two(ranked: Ranked) -> str:
    """`Kidney or Liver`, where the two together are nearly all and neither is the majority; else empty."""
    if len(ranked) < 2 or ranked[0][1] + ranked[1][1] < TWO_SITES:
        return ""
    return " or ".join(sorted(str(meaning) for (_, meaning), _ in ranked[:2]))
