"""Truth lesions → features → groups → a new label generation, in one transaction. Shell.

Promise: either a whole generation is current afterwards, or nothing has changed. Lesions of the test split are put to
groups that they had no part in shaping.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import silhouette_score

from db import categories
from db.categories import NewGeneration, NewGroup, TruthLesion
from db.engine import Sessions, open_sessions, reading, utc_now
from db.errors import ContentError, RequestError
from db.files import FileStore
from db.local_files import LocalFiles
from mining.child import Progress, report, run
from mining.cluster import POINTS_FOR_K, Clustering, cluster
from mining.feature_cache import Vectors, lesion_key, read_features, stack, write_features
from mining.features import Extractor, best_extractor, extractor_key
from mining.hu_features import median_hu
from mining.identity import agreement, match_categories
from mining.named_groups import named_groups
from mining.patches import LesionPatch, lesion_patch
from mining.reduce import Points, fit_reduction
from mining.volume import load_image

log = logging.getLogger(__name__)

BATCH = 64
"""Patches in memory at once."""


@dataclass(frozen=True)
class CategoriseSettings:
    """How lesions are grouped."""

    k_min: int = 5
    """Least number of groups, as many as the paper's categories: two or three are always stable, and say nothing."""
    k_max: int = 12
    """Greatest number of groups; the largest stable number between the two is taken."""
    stable_at: float = 0.8
    """Mean adjusted Rand index between resamples at which a number of groups counts as stable."""
    components: int = 16
    """Numbers that the features are reduced to; with some thousand lesions 32 are as good."""
    min_lesions: int = categories.MIN_LESIONS
    """Fewer are not grouped: what comes out would be accident."""
    seed: int = 0
    """Of the resamples and the starts; the same lesions and seed give the same groups."""

    def __post_init__(self) -> None:
        if not 1 <= self.k_min <= self.k_max:
            raise ValueError(f"k_min and k_max must be 1 <= k_min <= k_max, got {self.k_min} and {self.k_max}")
        if not 0.0 < self.stable_at <= 1.0:
            raise ValueError(f"stable_at must be in (0, 1], got {self.stable_at}")
        if self.components < 1 or self.min_lesions < 2:
            raise ValueError(f"components must be >= 1 and min_lesions >= 2, got {self.components}, {self.min_lesions}")


def categorise(
    sessions: Sessions,
    files: FileStore,
    settings: CategoriseSettings,
    progress: Progress,
    extractor: Extractor | None = None,
    now: datetime | None = None,
) -> int:
    """Group all lesions that may be grouped, and give back the number of the new generation.

    Raises RequestError where there are fewer than `min_lesions`, before or after reading their images.
    """
    with reading(sessions) as session:
        found = categories.truth_lesions(session)
    _check_enough(len(found), len(found), settings)
    extractor = best_extractor() if extractor is None else extractor
    vectors = _features(found, files, extractor, progress)
    lesions = [lesion for lesion in found if lesion_key(lesion) in vectors]
    _check_enough(len(lesions), len(found), settings)
    progress("group", 0, 1, lesions=len(lesions))
    points, groups = _grouped(lesions, vectors, settings)
    figures = _figures(points, groups) | {"unreadable": len(found) - len(lesions)}
    typical_hu = median_hu(extractor.inside(stack([vectors[lesion_key(lesion)] for lesion in lesions])))
    named = named_groups(lesions, groups, typical_hu)
    number = _write(sessions, named, extractor, settings, figures, now or utc_now())
    progress("group", 1, 1, lesions=len(lesions), groups=groups.k)
    log.info("label generation %d: lesions=%d groups=%d extractor=%s", number, len(lesions), groups.k, extractor.name)
    return number


def _check_enough(usable: int, found: int, settings: CategoriseSettings) -> None:
    if usable < settings.min_lesions:
        raise RequestError(
            "there are too few lesions to group",
            usable=usable,
            found=found,
            needed=settings.min_lesions,
        )


def _features(
    lesions: Sequence[TruthLesion], files: FileStore, extractor: Extractor, progress: Progress
) -> dict[str, Vectors]:
    """lesion_key → vectors, for every lesion whose image can be read; from the cache where they stand there."""
    key = extractor_key(extractor)
    wanted = {lesion_key(lesion) for lesion in lesions}
    vectors = {known: kept for known, kept in read_features(files, key).items() if known in wanted}
    missing = [lesion for lesion in lesions if lesion_key(lesion) not in vectors]
    done = len(lesions) - len(missing)
    progress("features", done, len(lesions), extractor=extractor.name)
    batch: list[tuple[str, LesionPatch]] = []
    for lesion, patch in _patches(missing, files):
        done += 1
        if patch is not None:
            batch.append((lesion_key(lesion), patch))
        if len(batch) == BATCH:
            vectors |= _extract(batch, extractor)
            batch = []
            progress("features", done, len(lesions), extractor=extractor.name)
    vectors |= _extract(batch, extractor)
    progress("features", done, len(lesions), extractor=extractor.name)
    if missing:
        write_features(files, key, vectors)
    return vectors


def _patches(lesions: Sequence[TruthLesion], files: FileStore) -> Iterator[tuple[TruthLesion, LesionPatch | None]]:
    """The patch of each lesion, each image decoded once; None where the image cannot be read, which is logged."""

    def place(lesion: TruthLesion) -> tuple[str, int]:
        return lesion.file_name, lesion.image.frame_number

    for (file_name, frame_number), group in groupby(sorted(lesions, key=place), key=place):
        together = list(group)
        try:
            hu = load_image(files.path(file_name), frame_number)
        except (ContentError, FileNotFoundError) as error:  # retention may have taken the file
            log.warning("lesions=%d are left out: %s", len(together), error)
            yield from ((lesion, None) for lesion in together)
            continue
        for lesion in together:
            yield lesion, lesion_patch(hu, lesion.spacing, lesion.long_axis, lesion.short_axis)


def _extract(batch: Sequence[tuple[str, LesionPatch]], extractor: Extractor) -> dict[str, Vectors]:
    blocks = extractor.blocks([patch for _, patch in batch])
    return {key: tuple(block[row] for block in blocks) for row, (key, _) in enumerate(batch)}


def _grouped(
    lesions: Sequence[TruthLesion], vectors: dict[str, Vectors], settings: CategoriseSettings
) -> tuple[Points, Clustering]:
    blocks = stack([vectors[lesion_key(lesion)] for lesion in lesions])
    fit = np.array([lesion.split != "test" for lesion in lesions])
    if fit.sum() < 2:  # a set of test patients alone: nothing is learnt from it that could be judged on it later
        fit[:] = True
    points = fit_reduction(tuple(block[fit] for block in blocks), settings.components).apply(blocks)
    patients = [lesion.patient for lesion in lesions]
    groups = cluster(points, fit, patients, (settings.k_min, settings.k_max), settings.stable_at, settings.seed)
    return points, groups


def _figures(points: Points, groups: Clustering) -> dict[str, Any]:
    """What label_generation keeps of the run; the silhouette is None where one group is left."""
    silhouette = None
    if len(np.unique(groups.labels)) > 1:
        sample = min(POINTS_FOR_K, len(points))
        silhouette = float(silhouette_score(points, groups.labels, sample_size=sample, random_state=0))
    return {
        "k": groups.k,
        "agreement_by_k": {str(k): round(mean, 4) for k, mean in groups.agreement_by_k.items()},
        "stability": round(float(groups.agreement_by_k[groups.chosen_k]), 4),
        "silhouette": None if silhouette is None else round(silhouette, 4),
    }


def _write(
    sessions: Sessions,
    groups: dict[int, NewGroup],
    extractor: Extractor,
    settings: CategoriseSettings,
    figures: dict[str, Any],
    now: datetime,
) -> int:
    new = {lesion_id: label for label, group in groups.items() for lesion_id in group.distances}
    with sessions.begin() as session:
        before = categories.current_generation(session)
        old = {} if before is None else categories.members(session, before)
        both = sorted(old.keys() & new.keys())
        if both:
            with_before = agreement([new[lesion] for lesion in both], [old[lesion] for lesion in both])
            figures["agreement_with_generation_before"] = {name: round(v, 4) for name, v in with_before.items()}
        same_as = match_categories(old, new)
        generation = NewGeneration(
            extractor=extractor.name,
            weights_sha256=extractor.weights_sha256,
            settings=asdict(settings) | {"features": extractor.description},
            figures=figures,
            groups=[replace(group, category_id=same_as.get(label)) for label, group in groups.items()],
        )
        return categories.add_generation(session, generation, now)


def _work(order: dict[str, Any]) -> dict[str, Any]:
    settings = CategoriseSettings(**order.get("settings", {}))
    sessions = open_sessions(order["database_url"])
    generation = categorise(sessions, LocalFiles(Path(order["data_dir"])), settings, report)
    with reading(sessions) as session:
        listed = categories.list_categories(session, generation)
    return {
        "label_generation": generation,
        "lesions": sum(category.members for category in listed),
        "categories": [asdict(category) for category in listed],
    }


def main() -> None:
    """The child process: order on stdin, progress and outcome on stdout."""
    logging.basicConfig(level=logging.INFO)
    run(_work)


if __name__ == "__main__":
    main()
