"""How well the categories agree with the hidden kinds of the phantoms: `python -m benchmarks.phantom_categories`.

Axes are those of the truth, pixels those of the key images. Lesions are drawn several times over, for the table to show
what the rule for the number of groups gives with few of them. AMI and ARI are 0 by chance and 1 at best; purity rises
by itself with the number of groups.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from db.geometry import PixelSpacing
from dicom_node.phantom.study import make_study
from mining.categorise import CategoriseSettings
from mining.cluster import cluster
from mining.features import HuExtractor, best_extractor
from mining.hu_features import Blocks
from mining.identity import agreement
from mining.patches import LesionPatch, lesion_patch
from mining.pixels import frame_hu
from mining.reduce import fit_reduction

SIZES = (25, 49, 75, 100)
"""Numbers of lesions that the rule is tried on, beside all of them."""
DRAWS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """A lesion that the simulated reader measured."""

    kind: str
    patient: str
    patch: LesionPatch


def marked_lesions(seed: int, index: int) -> list[Marked]:
    study = make_study(seed, index)
    images = {str(ds.SOPInstanceUID): ds for ds in study.images}
    found = []
    for lesion in study.lesions:
        if lesion.marked:
            ds = images[lesion.key_sop_instance_uid]
            row_mm, col_mm = (float(value) for value in ds.PixelSpacing)
            patch = lesion_patch(frame_hu(ds), PixelSpacing(row_mm, col_mm), lesion.long_axis, lesion.short_axis)
            found.append(Marked(lesion.kind, study.patient_id, patch))
    return found


def line(lesions: Sequence[Marked], blocks: Blocks, rows: Sequence[int]) -> dict[str, float]:
    settings = CategoriseSettings()
    part = tuple(block[list(rows)] for block in blocks)
    points = fit_reduction(part, settings.components).apply(part)
    chosen = [lesions[row] for row in rows]
    patients = [lesion.patient for lesion in chosen]
    groups = cluster(points, np.ones(len(rows), bool), patients, (settings.k_min, settings.k_max), settings.stable_at)
    figures = agreement(groups.labels.tolist(), [lesion.kind for lesion in chosen])
    return figures | {"groups": groups.k, "smallest": int(np.bincount(groups.labels).min())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as makers:
        studies = makers.map(partial(marked_lesions, given.seed), range(given.studies))
        lesions = [lesion for study in studies for lesion in study]
    kinds = len({lesion.kind for lesion in lesions})
    print(f"{len(lesions)} lesions of {kinds} kinds in {given.studies} studies")
    print(
        f"{'extractor':34} {'lesions':>7} {'groups':>6} {'smallest':>8} {'AMI':>5} {'NMI':>5} {'ARI':>5} {'purity':>6}"
    )
    for extractor in (best_extractor(), HuExtractor()):
        blocks = extractor.blocks([lesion.patch for lesion in lesions])
        for size in (*(size for size in SIZES if size < len(lesions)), len(lesions)):
            draws = range(DRAWS) if size < len(lesions) else range(1)
            chosen = [np.random.default_rng(draw).permutation(len(lesions))[:size].tolist() for draw in draws]
            lines = [line(lesions, blocks, sorted(rows)) for rows in chosen]
            mean = {name: float(np.mean([one[name] for one in lines])) for name in lines[0]}
            print(
                f"{extractor.name:34} {size:7} {mean['groups']:6.1f} {mean['smallest']:8.1f} {mean['ami']:5.2f} "
                f"{mean['nmi']:5.2f} {mean['ari']:5.2f} {mean['purity']:6.2f}"
            )


if __name__ == "__main__":
    main()
