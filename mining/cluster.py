"""Points → groups: k-means, how many by stability, and how stable each one is. Pure; the seed is an argument.

k is not guessed by the silhouette, which on anatomy favours two or three groups: it is the largest number of groups
that come out the same again when a part of the patients is left out, and that leaves each group enough lesions to be
seen as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from mining.reduce import Points

Labels = npt.NDArray[np.int64]
"""(N,): the group of each lesion, 0 to k - 1."""

RESAMPLES = 8
SHARE = 0.8
"""Part of the patients in each resample."""
STARTS = 10
"""k-means is run from so many starts, and the tightest result is kept."""
NEARLY = 0.03
"""Two mean agreements nearer than this are taken for equal: it is about their own scatter over seeds."""
CLEARLY = 0.1
"""A number of groups that is so much less stable than another cuts a real group in two."""
LESIONS_PER_GROUP = 8
"""No more groups than leave each so many lesions on average: with few lesions many groups are stable by accident."""
SMALLEST_GROUP = 4
"""A smaller group is dissolved, and its lesions join the nearest other one; two groups are always left."""
POINTS_FOR_K = 5000
"""k is chosen on at most so many lesions: more make it slower and not better."""


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """labels (N,), distances (N,) to the own centre, centres (k, P), stability (k,) of each group, 0 to 1.

    agreement_by_k: for each number of groups tried, the mean ARI between resamples. chosen_k: the one that was taken;
    k is smaller where groups were dissolved.
    """

    labels: Labels
    distances: npt.NDArray[np.float64]
    centres: Points
    stability: npt.NDArray[np.float64]
    agreement_by_k: dict[int, float]
    chosen_k: int

    @property
    def k(self) -> int:
        return len(self.centres)


def cluster(
    points: Points,
    fit: npt.NDArray[np.bool_],
    patients: Sequence[str],
    k_range: tuple[int, int],
    stable_at: float = 0.8,
    seed: int = 0,
) -> Clustering:
    """Groups of N points.

    fit: (N,) which lesions may shape the groups; the others are put to the nearest centre. patients: N names; a
    resample takes or leaves all lesions of one. k_range: least and most groups, both included; fewer than
    LESIONS_PER_GROUP lesions a group give fewer groups, but two at least. stable_at: mean ARI that counts as stable.
    Raises ValueError if no lesion may be fitted or the range is empty.
    """
    if not fit.any() or not 1 <= k_range[0] <= k_range[1]:
        raise ValueError(f"nothing to cluster: {int(fit.sum())} lesions, k in {k_range}")
    shaping, owners = points[fit], np.asarray(patients)[fit]
    different = len(np.unique(shaping.round(9), axis=0))
    most = min(k_range[1], max(different - 1, 1), max(len(shaping) // LESIONS_PER_GROUP, 2))
    candidates = range(min(k_range[0], most), most + 1)
    chosen_on = np.random.default_rng(seed).permutation(len(shaping))[:POINTS_FOR_K]
    subsets = _subsets(owners[chosen_on], seed)
    runs = {k: _resampled(shaping[chosen_on], subsets, k, seed) for k in candidates}
    agreement = {k: _mean_agreement(labelled) for k, labelled in runs.items()}
    k = _choose(agreement, stable_at)
    model = KMeans(k, n_init=STARTS, random_state=seed).fit(shaping)
    centres = _without_small_groups(model.cluster_centers_, shaping)
    to_centres = cdist(points, centres)  # (N, k)
    labels = to_centres.argmin(axis=1)
    return Clustering(
        labels=labels,
        distances=to_centres.min(axis=1),
        centres=centres,
        stability=_stability(labels[fit][chosen_on], runs[k], len(centres)),
        agreement_by_k=agreement,
        chosen_k=k,
    )


def _without_small_groups(centres: Points, points: Points) -> Points:
    """The centres that are left when the smallest group is dissolved again and again, until all are large enough."""
    while len(centres) > 2:
        sizes = np.bincount(cdist(points, centres).argmin(axis=1), minlength=len(centres))
        if sizes.min() >= SMALLEST_GROUP:
            break
        centres = np.delete(centres, sizes.argmin(), axis=0)
    return centres


def _choose(agreement: dict[int, float], stable_at: float) -> int:
    """The largest stable k that does not fall clearly behind the best; where none is stable, the largest that is
    nearly as good as the best. k = 1 only if alone."""
    several = {k: mean for k, mean in agreement.items() if k > 1} or agreement
    best = max(several.values())
    needed = max(min(stable_at, best - NEARLY), best - CLEARLY)
    return max(k for k, mean in several.items() if mean >= needed)


def _subsets(owners: npt.NDArray[np.str_], seed: int) -> list[npt.NDArray[np.bool_]]:
    """Which points each resample holds: those of SHARE of the patients, (N,) each."""
    rng = np.random.default_rng(seed)
    patients = np.unique(owners)
    size = max(round(SHARE * len(patients)), 1)
    return [np.isin(owners, rng.choice(patients, size, replace=False)) for _ in range(RESAMPLES)]


def _resampled(points: Points, subsets: Sequence[npt.NDArray[np.bool_]], k: int, seed: int) -> list[Labels]:
    """All points labelled by the centres that each resample finds."""
    labelled = []
    for number, subset in enumerate(subsets):
        part = points[subset]
        model = KMeans(min(k, len(part)), n_init=3, random_state=seed + number).fit(part)
        labelled.append(model.predict(points).astype(np.int64))
    return labelled


def _mean_agreement(labelled: Sequence[Labels]) -> float:
    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labelled, 2)]))


def _stability(labels: Labels, labelled: Sequence[Labels], k: int) -> npt.NDArray[np.float64]:
    """For each group the mean, over the resamples, of its best Jaccard overlap with a group there (Hennig, 2007)."""
    best = np.zeros((len(labelled), k))
    for number, other in enumerate(labelled):
        common = np.zeros((k, int(other.max(initial=0)) + 1))
        np.add.at(common, (labels, other), 1.0)
        union = common.sum(axis=1, keepdims=True) + common.sum(axis=0, keepdims=True) - common
        best[number] = (common / np.maximum(union, 1.0)).max(axis=1)
    mean: npt.NDArray[np.float64] = best.mean(axis=0)
    return mean
