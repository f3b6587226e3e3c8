"""Both extractors: shapes, the empty case, batches, and keys that never mix two feature spaces."""

from dataclasses import replace

import numpy as np
import pytest
from test_hu_features import patch

from mining import body, features
from mining.body import LITE0_PACKAGE
from mining.features import BATCH, HuExtractor, Lite0Extractor, best_extractor, extractor_key
from mining.hu_features import BINS, hu_blocks

PATCHES = [patch(inside_hu=-700 + 60 * number, ring_hu=-80 + 5 * number) for number in range(BATCH + 2)]


@pytest.fixture(scope="module")
def lite0() -> Lite0Extractor:
    pytest.importorskip(LITE0_PACKAGE, reason="needs the extra 'weights'")
    found = best_extractor()
    assert isinstance(found, Lite0Extractor)
    return found


def test_hounsfield_features_are_one_block_of_histograms_and_sizes() -> None:
    (block,) = HuExtractor().blocks(PATCHES)
    assert block.shape == (len(PATCHES), 2 * BINS + 3)
    assert block.dtype == np.float32
    assert np.array_equal(HuExtractor().inside((block,)), hu_blocks(PATCHES)[0])


def test_no_lesions_have_blocks_of_the_same_width() -> None:
    assert [block.shape for block in HuExtractor().blocks([])] == [(0, 2 * BINS + 3)]


def test_without_the_extra_the_hounsfield_extractor_is_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LITE0_PACKAGE", "a_package_that_is_not_installed")
    assert best_extractor() == HuExtractor()


@pytest.mark.slow
def test_the_body_gives_two_pooled_stages_beside_the_histograms(lite0: Lite0Extractor) -> None:
    blocks = lite0.blocks(PATCHES)
    assert [block.shape[1] for block in blocks] == [112, 320, BINS, BINS]
    assert {block.shape[0] for block in blocks} == {len(PATCHES)}
    assert np.array_equal(lite0.inside(blocks), hu_blocks(PATCHES)[0])
    assert [block.shape for block in lite0.blocks([])] == [(0, 112), (0, 320), (0, BINS), (0, BINS)]


@pytest.mark.slow
def test_a_lesions_features_do_not_hang_on_its_batch(lite0: Lite0Extractor) -> None:
    together, alone = lite0.blocks(PATCHES), lite0.blocks(PATCHES[-1:])
    for one, many in zip(alone, together, strict=True):
        assert many[-1] == pytest.approx(one[0], rel=1e-4, abs=1e-4)
    assert not np.allclose(together[0][0], together[0][-1])


def test_the_key_changes_with_everything_that_changes_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    known = HuExtractor()
    others = [
        replace(known, name="another"),
        replace(known, weights_sha256="ab"),
        replace(known, description=known.description | {"crop_mm": 64}),
    ]
    keys = {extractor_key(one) for one in (known, *others)}
    assert len(keys) == 4
    assert extractor_key(HuExtractor()) == extractor_key(known)
    monkeypatch.setattr(features, "PATCH_MM", 64.0)
    assert extractor_key(HuExtractor()) not in keys - {extractor_key(others[2])}
