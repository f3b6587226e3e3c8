"""A clustering → the groups that a generation keeps, each with a name of its own. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from db.categories import NewGroup, TruthLesion
from mining.cluster import Clustering
from mining.naming import Look, distinct_names, group_name, stems


def named_groups(
    lesions: Sequence[TruthLesion], groups: Clustering, typical_hu: npt.NDArray[np.float64]
) -> dict[int, NewGroup]:
    """label → group, for those that have members; the largest first, so that new categories are numbered by size.

    typical_hu: (N,), inside each lesion.
    """
    members = {label: np.flatnonzero(groups.labels == label) for label in range(groups.k)}
    labels = sorted((label for label, rows in members.items() if len(rows)), key=lambda one: -len(members[one]))
    looks = [_look(lesions, members[label], typical_hu) for label in labels]
    unnamed = [_group(lesions, groups, label, members[label]) for label in labels]
    begun = stems([group.stem for group in unnamed], looks)
    names = distinct_names(begun, looks)
    return {
        label: replace(group, stem=stem, name=name)
        for label, group, stem, name in zip(labels, unnamed, begun, names, strict=True)
    }


def _group(lesions: Sequence[TruthLesion], groups: Clustering, label: int, rows: npt.NDArray[np.int64]) -> NewGroup:
    own = [lesions[row] for row in rows]
    named = group_name(
        [(lesion.site_code, lesion.site) for lesion in own],
        [(lesion.finding_code, lesion.finding) for lesion in own],
    )
    return NewGroup(
        category_id=None,
        name="",
        stem=named.name,
        site_code=named.site_code,
        finding_code=named.finding_code,
        stability=float(groups.stability[label]),
        distances={lesions[row].lesion_id: float(groups.distances[row]) for row in rows},
    )


def _look(lesions: Sequence[TruthLesion], rows: npt.NDArray[np.int64], typical_hu: npt.NDArray[np.float64]) -> Look:
    long_mm = [lesions[row].long_axis.length_mm(lesions[row].spacing) for row in rows]
    return Look(hu=float(np.median(typical_hu[rows])), long_axis_mm=float(np.median(long_mm)))
