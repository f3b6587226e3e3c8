"""Which lesion is which in the next study: rather none than the wrong one."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from db.geometry import BoxPx, PixelSpacing, Plane, PointMm, PointPx
from db.priors import PriorLesion, PriorStudy, centre_mm
from detector.follow import Alignment, FollowSettings, Seen, follow, same_lesions
from detector.overview import Overview

SETTINGS = FollowSettings()
IN_PLACE = Alignment((0.0, 0.0, 0.0), SETTINGS.same_frame_mm)
LAID_OVER = Alignment((12.0, -30.0, 400.0), SETTINGS.aligned_mm)
NOTHING_SEEN = Overview((0.0, 0.0, 0.0), np.zeros((3, 4, 5), np.uint8))


def seen(x: float, y: float, z: float, long_axis_mm: float = 12.0) -> Seen:
    return Seen(PointMm(x, y, z), long_axis_mm)


def prior(name: str, x: float, y: float, z: float, long_axis_mm: float = 12.0) -> PriorLesion:
    return PriorLesion(name, f"2.25.{name}", PointMm(x, y, z), long_axis_mm)


def study(*lesions: PriorLesion, day: int = 1, frame: str = "1.2.9") -> PriorStudy:
    return PriorStudy(date(2025, 3, day), frame, {}, lesions)


# --- two studies laid over each other -----------------------------------------------------------------------------


def test_each_lesion_is_the_one_at_its_place_whatever_their_order() -> None:
    priors = [prior("1", 0, 0, 0), prior("2", 40, 0, 0), prior("3", 0, 50, 10)]
    current = [seen(1, 51, 11), seen(-2, 1, 1), seen(41, 2, 0)]
    assert same_lesions(current, priors, IN_PLACE, SETTINGS) == [(0, 2), (1, 0), (2, 1)]


def test_the_shift_leads_from_the_earlier_study_to_this_one() -> None:
    assert same_lesions([seen(15, -28, 402)], [prior("1", 3, 2, 2)], LAID_OVER, SETTINGS) == [(0, 0)]
    assert same_lesions([seen(3, 2, 2)], [prior("1", 15, -28, 402)], LAID_OVER, SETTINGS) == []


@pytest.mark.parametrize(("long_axis_mm", "away_mm", "linked"), [(12, 6.9, True), (12, 7.1, False), (40, 13.9, True)])
def test_a_large_lesion_may_have_moved_farther_than_a_small_one(
    long_axis_mm: float, away_mm: float, linked: bool
) -> None:
    pairs = same_lesions([seen(0, 0, away_mm, long_axis_mm)], [prior("1", 0, 0, 0, long_axis_mm)], IN_PLACE, SETTINGS)
    assert pairs == ([(0, 0)] if linked else [])


def test_however_large_a_lesion_is_there_is_a_limit() -> None:
    far = seen(SETTINGS.most_mm + 0.1, 0, 0, 120)
    assert same_lesions([far], [prior("1", 0, 0, 0, 110)], IN_PLACE, SETTINGS) == []


def test_of_two_that_could_be_meant_none_is() -> None:
    pair = [prior("1", 0, 0, 0), prior("2", 9, 0, 0)]
    assert same_lesions([seen(4, 0, 0)], pair, IN_PLACE, SETTINGS) == [], "two earlier ones for one"
    both = [seen(0, 0, 0), seen(3, 0, 0)]
    assert same_lesions(both, [prior("1", 1, 0, 0)], IN_PLACE, SETTINGS) == [], "one earlier one for two"


def test_two_neighbours_that_both_stayed_are_told_apart() -> None:
    pairs = same_lesions(
        [seen(16, 1, 0), seen(1, 1, 0)], [prior("1", 0, 0, 0), prior("2", 15, 0, 0)], IN_PLACE, SETTINGS
    )
    assert pairs == [(0, 1), (1, 0)]


def test_of_two_neighbours_the_one_that_stayed_does_not_take_the_name_of_the_one_that_went() -> None:
    assert same_lesions([seen(15, 0, 0)], [prior("gone", 0, 0, 0)], LAID_OVER, SETTINGS) == []


@pytest.mark.parametrize("long_axis_mm", [5.0, 47.0])
def test_a_lesion_of_quite_another_size_is_another_lesion(long_axis_mm: float) -> None:
    assert same_lesions([seen(0, 0, 0, long_axis_mm)], [prior("1", 0, 0, 0, 15.1)], IN_PLACE, SETTINGS) == []


def test_nothing_on_either_side_gives_nothing() -> None:
    assert same_lesions([], [prior("1", 0, 0, 0)], IN_PLACE, SETTINGS) == []
    assert same_lesions([seen(0, 0, 0)], [], IN_PLACE, SETTINGS) == []


def test_a_lesions_middle_is_the_same_from_either_side_and_on_any_plane() -> None:
    """One place on an oblique stack with unequal spacing, and on the same stack read the other way round."""
    a, b = np.cos(0.3), np.sin(0.3)
    plane = Plane(PointMm(-90.5, 12.25, 7.0), (a, 0.0, b), (0.0, 1.0, 0.0), PixelSpacing(0.7, 1.3))
    middle = plane.to_mm(PointPx(31.0, 64.5))
    box = BoxPx(21, 60, 41, 69)
    turned = Plane(plane.to_mm(PointPx(0, 99)), (a, 0.0, b), (0.0, -1.0, 0.0), plane.spacing)
    turned_box = BoxPx(21, 99 - 69, 41, 99 - 60)
    for one, drawn in ((plane, box), (turned, turned_box)):
        key = one.position_mm
        assert np.allclose(_xyz(centre_mm(one, drawn, key - 5, key + 5)), _xyz(middle))
    up = centre_mm(plane, box, plane.position_mm, plane.position_mm + 8)
    down = centre_mm(turned, turned_box, turned.position_mm - 8, turned.position_mm)
    assert np.allclose(_xyz(up), _xyz(down)) and plane.to_px(up)[1] == pytest.approx(4.0)


def _xyz(place: PointMm) -> tuple[float, float, float]:
    return place.x, place.y, place.z


# --- a patient's studies ------------------------------------------------------------------------------------------


def linked(current: list[Seen], *priors: PriorStudy, carried: dict[int, str] | None = None) -> dict[int, str]:
    links = follow(current, "1.2.9", NOTHING_SEEN, priors, SETTINGS, carried or {})
    return {n: link.lesion.detection_id for n, link in links.items()}


def test_the_newest_study_that_has_the_lesion_counts() -> None:
    newest, older = study(prior("n", 1, 0, 0), day=20), study(prior("o", 0, 0, 0), prior("p", 0, 90, 0), day=2)
    found = follow([seen(0, 0, 0), seen(0, 90, 0)], "1.2.9", NOTHING_SEEN, [newest, older], SETTINGS, {})
    assert {n: (link.lesion.detection_id, link.study_date.day) for n, link in found.items()} == {
        0: ("n", 20),
        1: ("p", 2),
    }


def test_an_older_study_is_not_asked_for_a_lesion_that_a_newer_one_shows_elsewhere() -> None:
    old = prior("o", 0, 0, 0)
    moved_since = replace(prior("n", 60, 0, 0), tracking_uid=old.tracking_uid)
    renamed_since = replace(prior("m", 60, 0, 0), prior_detection_id="o")
    assert linked([seen(0, 0, 0)], study(moved_since, day=20), study(old)) == {}
    assert linked([seen(0, 0, 0)], study(renamed_since, day=20), study(old)) == {}


def test_a_study_that_cannot_be_laid_over_this_one_gives_no_link_and_hides_nothing() -> None:
    here, elsewhere = prior("o", 0, 0, 0), prior("n", 0, 0, 0)
    same_uid = replace(elsewhere, tracking_uid=here.tracking_uid)
    assert linked([seen(0, 0, 0)], study(same_uid, day=20, frame="1.2.8")) == {}
    assert linked([seen(0, 0, 0)], study(same_uid, day=20, frame="1.2.8"), study(here)) == {0: "o"}


def test_two_series_that_name_no_frame_have_none_in_common() -> None:
    nameless = study(prior("o", 0, 0, 0), frame="")
    assert follow([seen(0, 0, 0)], "", NOTHING_SEEN, [nameless], SETTINGS, {}) == {}


def test_a_lesion_that_has_the_uid_already_keeps_its_prior_and_nobody_else_gets_it() -> None:
    """Analysed again, with the lesion found a little to the side and another one in its old place."""
    before = study(prior("o", 0, 0, 0))
    current = [seen(0, 0, 0), seen(14, 0, 0)]
    assert linked(current, before, carried={1: "2.25.o"}) == {1: "o"}
    assert linked(current, before, carried={0: "2.25.77"}) == {0: "o"}, "a UID that no earlier study knows"
