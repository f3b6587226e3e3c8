"""The features of lesions that were seen before: one file an extractor, in the file store. Shell.

It is a cache: without it, or with a broken one, everything is computed again and nothing else changes.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from db.categories import TruthLesion
from db.files import FileStore
from mining.hu_features import Blocks

log = logging.getLogger(__name__)

Vectors = tuple[npt.NDArray[np.float32], ...]
"""The features of one lesion: one vector a block."""


def lesion_key(lesion: TruthLesion) -> str:
    """Everything that the features of a lesion hang on beside the extractor: the pixels and the drawing."""
    drawn = [(point.col, point.row) for axis in (lesion.long_axis, lesion.short_axis) if axis for point in axis.points]
    spacing = (lesion.spacing.row_mm, lesion.spacing.col_mm)
    stated = json.dumps([lesion.file_name, lesion.image.frame_number, spacing, drawn])
    return sha256(stated.encode()).hexdigest()[:32]


def read_features(files: FileStore, extractor_key: str) -> dict[str, Vectors]:
    """lesion_key → vectors, as far as they were kept."""
    path = files.path(_name(extractor_key))
    if not path.exists():
        return {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:  # np.load leaves a broken file open
            blocks = [kept[f"block_{number}"] for number in range(len(kept.files) - 1)]
            return {str(key): tuple(block[row] for block in blocks) for row, key in enumerate(kept["keys"])}
    except (ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        log.warning("the feature cache %s is broken (%s) and is made anew", extractor_key, type(error).__name__)
        return {}


def write_features(files: FileStore, extractor_key: str, features: Mapping[str, Vectors]) -> None:
    """Keep these, instead of what was kept for the extractor before."""
    if not features:
        return
    blocks = stack(list(features.values()))
    named = {f"block_{number}": block for number, block in enumerate(blocks)}
    content = io.BytesIO()
    np.savez(content, keys=np.array(list(features)), **named)  # type: ignore[arg-type]
    files.write(_name(extractor_key), content.getvalue())


def stack(vectors: Sequence[Vectors]) -> Blocks:
    """The vectors of N >= 1 lesions as blocks, (N, width) each."""
    return tuple(np.stack(block).astype(np.float32) for block in zip(*vectors, strict=True))


def _name(extractor_key: str) -> str:
    return f"features/{extractor_key}.npz"
