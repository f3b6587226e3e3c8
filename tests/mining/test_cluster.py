import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from mining.cluster import cluster

SEEDS = range(3)


def clouds(sizes: tuple[int, ...], spread: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Points around unit vectors, their true group, and a patient for every two of them."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    points = np.eye(len(sizes) + 2)[truth] + rng.normal(0, spread, (len(truth), len(sizes) + 2))
    return points, truth, [f"patient {number // 2}" for number in range(len(truth))]


def everyone(truth: np.ndarray) -> np.ndarray:
    return np.ones(len(truth), bool)


@pytest.mark.parametrize("seed", SEEDS)
def test_as_many_groups_are_found_as_there_are(seed: int) -> None:
    points, truth, patients = clouds((30, 20, 12, 18), seed=seed)
    found = cluster(points, everyone(truth), patients, (2, 8), seed=seed)
    assert found.k == 4
    assert adjusted_rand_score(truth, found.labels) == 1.0
    assert found.stability == pytest.approx(np.ones(4))
    assert set(found.agreement_by_k) == {2, 3, 4, 5, 6, 7, 8}


def test_the_same_seed_gives_the_same_groups() -> None:
    points, truth, patients = clouds((15, 15, 15), spread=0.5)
    one, two = (cluster(points, everyone(truth), patients, (2, 6), seed=5) for _ in range(2))
    assert np.array_equal(one.labels, two.labels)
    assert one.agreement_by_k == two.agreement_by_k


def test_a_group_that_comes_apart_is_less_stable_than_one_that_does_not() -> None:
    rng = np.random.default_rng(1)
    tight, shapeless = rng.normal([3, 0], 0.05, (30, 2)), rng.normal([-3, 0], 1.0, (60, 2))
    points = np.concatenate([tight, shapeless])
    found = cluster(points, np.ones(90, bool), [str(n) for n in range(90)], (4, 4))
    assert found.stability[found.labels[0]] > 0.95
    assert found.stability[np.unique(found.labels[30:])].min() < 0.9


def test_where_nothing_is_stable_the_most_stable_number_is_taken() -> None:
    points = np.random.default_rng(2).normal(size=(80, 6))
    found = cluster(points, np.ones(80, bool), [str(n) for n in range(80)], (2, 6), stable_at=0.99)
    best = max(found.agreement_by_k.values())
    assert best < 0.99
    assert found.agreement_by_k[found.k] >= best - 0.03


def test_lesions_that_are_not_fitted_join_the_nearest_group_and_shape_none() -> None:
    points, truth, patients = clouds((20, 20, 20))
    fit = np.arange(60) % 3 != 0
    moved = points.copy()
    moved[~fit] += 0.05
    one, two = (cluster(p, fit, patients, (3, 3)) for p in (points, moved))
    assert np.array_equal(one.centres, two.centres)
    assert adjusted_rand_score(truth, one.labels) == 1.0
    assert one.distances[~fit] == pytest.approx(np.linalg.norm(points[~fit] - one.centres[one.labels[~fit]], axis=1))


def test_fewer_lesions_than_groups_give_fewer_groups() -> None:
    points, truth, patients = clouds((1, 1, 1))
    found = cluster(points, everyone(truth), patients, (5, 12))
    assert found.k == 2
    assert len(found.labels) == 3


def test_few_lesions_are_put_into_few_groups_however_stable_more_would_be() -> None:
    points, truth, patients = clouds((5, 5, 5, 5, 5))
    assert cluster(points, everyone(truth), patients, (5, 12)).k == 3  # 25 lesions, 8 a group


def test_a_group_of_fewer_than_four_is_dissolved_into_the_nearest() -> None:
    points, truth, patients = clouds((30, 20, 3))
    points[-3:] = 0.5 * np.eye(5)[1] + 1.2 * np.eye(5)[2] + np.random.default_rng(0).normal(0, 0.02, (3, 5))
    found = cluster(points, everyone(truth), patients, (3, 3))
    assert (found.k, found.chosen_k) == (2, 3)
    assert sorted(np.bincount(found.labels)) == [23, 30]
    assert set(found.labels[-3:]) == set(found.labels[30:50])
    assert len(found.stability) == 2
    assert found.distances == pytest.approx(np.linalg.norm(points - found.centres[found.labels], axis=1))


def test_one_lesion_is_one_group() -> None:
    found = cluster(np.array([[1.0, 0.0]]), np.array([True]), ["a"], (5, 12))
    assert (found.k, found.labels.tolist(), found.distances.tolist()) == (1, [0], [0.0])


def test_equal_points_are_one_group() -> None:
    found = cluster(np.tile([[0.6, 0.8]], (12, 1)), np.ones(12, bool), ["a"] * 12, (2, 5))
    assert found.k == 1


def test_nothing_to_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to cluster"):
        cluster(np.zeros((3, 2)), np.zeros(3, bool), ["a", "b", "c"], (2, 3))
