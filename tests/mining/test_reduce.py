import numpy as np
import pytest

from mining.hu_features import Blocks
from mining.reduce import fit_reduction

RNG = np.random.default_rng(3)


def blocks(lesions: int = 40) -> Blocks:
    return RNG.normal(size=(lesions, 7)).astype(np.float32), RNG.normal(5.0, 30.0, (lesions, 3)).astype(np.float32)


def test_points_have_unit_length_and_the_wanted_size() -> None:
    data = blocks()
    points = fit_reduction(data, components=4).apply(data)
    assert points.shape == (40, 4)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.ones(40))


def test_unit_and_offset_of_a_column_change_nothing() -> None:
    wide, narrow = blocks()
    scaled = (wide * 1000 + 17, narrow * 0.001)
    expected = fit_reduction((wide, narrow), 4).apply((wide, narrow))
    assert fit_reduction(scaled, 4).apply(scaled) == pytest.approx(expected, abs=1e-3)


def test_blocks_weigh_the_same_whatever_their_width() -> None:
    """A block given three times over is one block; its neighbour loses nothing."""
    wide, narrow = blocks()
    tripled = (np.concatenate([wide, wide, wide], axis=1), narrow)
    one, three = fit_reduction((wide, narrow), 5).apply((wide, narrow)), fit_reduction(tripled, 5).apply(tripled)
    assert one @ one.T == pytest.approx(three @ three.T, abs=1e-5)


def test_a_column_without_variance_counts_for_nothing() -> None:
    wide, narrow = blocks()
    padded = (np.concatenate([wide, np.full((40, 2), 9.0, np.float32)], axis=1), narrow)
    reduction = fit_reduction(padded, 5)
    expected = fit_reduction((wide, narrow), 5).apply((wide, narrow))
    assert reduction.apply(padded) == pytest.approx(expected, abs=1e-5)
    other = (np.concatenate([wide, np.full((40, 2), -4.0, np.float32)], axis=1), narrow)
    assert reduction.apply(other) == pytest.approx(expected, abs=1e-5)


def test_lesions_that_were_not_fitted_do_not_move_the_others() -> None:
    data = blocks()
    fitted = fit_reduction(tuple(block[:30] for block in data), 4)
    assert fitted.apply(data)[:30] == pytest.approx(fitted.apply(tuple(block[:30] for block in data)))


def test_few_lesions_give_fewer_components() -> None:
    data = blocks(lesions=3)
    points = fit_reduction(data, components=16).apply(data)
    assert points.shape == (3, 2)
    assert np.isfinite(points).all()


def test_equal_lesions_give_zeros_and_no_nan() -> None:
    same = (np.ones((5, 4), np.float32),)
    assert fit_reduction(same, 3).apply(same).tolist() == [[0.0]] * 5


def test_components_are_not_whitened() -> None:
    """The first direction keeps its larger spread: whitening would make both equal."""
    first, rest = RNG.normal(size=(200, 1)), RNG.normal(size=(200, 5))
    data = (np.concatenate([first + 0.1 * RNG.normal(size=(200, 6)), rest], axis=1).astype(np.float32),)
    points = fit_reduction(data, 6).apply(data)
    spread = (points**2).mean(axis=0)
    assert spread[0] > 2 * spread[1]
