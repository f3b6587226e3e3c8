"""Which new group is which old category, and how two labellings agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

KEEP_AT = 1 / 3
"""A group is an old category if they share at least this part of their union, among the lesions that both runs know."""


def match_categories(old: Mapping[str, int], new: Mapping[str, int], keep_at: float = KEEP_AT) -> dict[int, int]:
    """new group → old category, for the groups that go on being one; a group that is missing here is a new category.

    old: lesion_id → category_id of the run before. new: lesion_id → group of this run. The assignment is the one with
    the most lesions in common over all groups (Hungarian method); each category goes on in one group at most. Lesions
    that only one run knows say nothing.
    """
    both = sorted(old.keys() & new.keys())
    if not both:
        return {}
    categories, rows = np.unique([old[lesion] for lesion in both], return_inverse=True)
    groups, columns = np.unique([new[lesion] for lesion in both], return_inverse=True)
    common = np.zeros((len(categories), len(groups)))
    np.add.at(common, (rows, columns), 1.0)
    union = common.sum(axis=1, keepdims=True) + common.sum(axis=0, keepdims=True) - common
    pairs = zip(*linear_sum_assignment(-common), strict=True)
    return {
        int(groups[column]): int(categories[row])
        for row, column in pairs
        if common[row, column] / union[row, column] >= keep_at
    }


def agreement(labels: Sequence[object], kinds: Sequence[object]) -> dict[str, float]:
    """How well groups agree with kinds, N each: nmi, ami, ari (1 is equal, ami and ari 0 is chance) and purity.

    Purity is the share of lesions that are of their group's commonest kind; more groups raise it by themselves, so it
    never stands alone. All are 0 for no lesions. Symmetric but for purity.
    """
    if len(labels) != len(kinds):
        raise ValueError(f"{len(labels)} labels and {len(kinds)} kinds")
    if not labels:
        return {"nmi": 0.0, "ami": 0.0, "ari": 0.0, "purity": 0.0}
    a, b = [str(label) for label in labels], [str(kind) for kind in kinds]
    return {
        "nmi": float(normalized_mutual_info_score(b, a)),
        "ami": float(adjusted_mutual_info_score(b, a)),
        "ari": float(adjusted_rand_score(b, a)),
        "purity": float(contingency_matrix(b, a).max(axis=0).sum() / len(a)),
    }
