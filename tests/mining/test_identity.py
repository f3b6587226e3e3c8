import pytest

from mining.identity import agreement, match_categories


def labelled(**groups: str) -> dict[str, int]:
    """{"g1": "abc"} → a, b and c are in 1."""
    return {lesion: int(group[1:]) for group, lesions in groups.items() for lesion in lesions}


def test_a_group_that_keeps_its_members_keeps_its_category() -> None:
    old = labelled(c7="abcd", c9="efgh")
    new = labelled(g0="efgh", g1="abcd")
    assert match_categories(old, new) == {0: 9, 1: 7}


def test_new_lesions_follow_the_group_that_they_came_to() -> None:
    old = labelled(c7="abcd", c9="ef")
    assert match_categories(old, labelled(g0="abcd" + "uvwxyz", g1="ef")) == {0: 7, 1: 9}


def test_a_split_category_goes_on_in_its_larger_part() -> None:
    assert match_categories(labelled(c7="abcdefgh"), labelled(g0="abc", g1="defgh")) == {1: 7}


def test_a_merged_group_goes_on_as_the_larger_category() -> None:
    assert match_categories(labelled(c7="abc", c9="defgh"), labelled(g0="abcdefgh")) == {0: 9}


def test_the_assignment_is_best_over_all_groups_and_not_greedy() -> None:
    old = labelled(c1="abcdef", c2="ghij")
    new = labelled(g0="abcghij", g1="def")
    assert match_categories(old, new) == {0: 2, 1: 1}


def test_a_group_of_scattered_members_is_a_new_category() -> None:
    old = labelled(c1="abcdef", c2="ghijkl", c3="mnopqr", c4="stuvwx")
    assert match_categories(old, labelled(g0="agms")) == {}


def test_without_a_generation_before_everything_is_new() -> None:
    assert match_categories({}, labelled(g0="ab")) == {}
    assert match_categories(labelled(c1="xy"), labelled(g0="ab")) == {}


def test_equal_groupings_agree_wholly_whatever_they_are_called() -> None:
    assert agreement([3, 3, 1, 1, 2], ["a", "a", "b", "b", "c"]) == pytest.approx(
        {"nmi": 1.0, "ami": 1.0, "ari": 1.0, "purity": 1.0}
    )


def test_a_case_worked_by_hand() -> None:
    """Groups {aab} and {bbb} of kinds aabbbb: purity (2 + 3) / 6; pairs alike in both 1 + 3, in one 2 + 2 ..."""
    figures = agreement([0, 0, 0, 1, 1, 1], ["a", "a", "b", "b", "b", "b"])
    assert figures["purity"] == pytest.approx(5 / 6)
    # ARI: sum of pairs in cells 1 + 0 + 3 = 4; groups 3 + 3 = 6; kinds 1 + 6 = 7; all pairs 15.
    assert figures["ari"] == pytest.approx((4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15))
    assert 0 < figures["ami"] < figures["nmi"] < 1


def test_one_group_for_all_agrees_by_chance_alone() -> None:
    figures = agreement([1] * 6, list("aabbcc"))
    assert figures == pytest.approx({"nmi": 0.0, "ami": 0.0, "ari": 0.0, "purity": 1 / 3}, abs=1e-9)


def test_no_lesions_agree_in_nothing() -> None:
    assert agreement([], []) == {"nmi": 0.0, "ami": 0.0, "ari": 0.0, "purity": 0.0}


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 labels"):
        agreement([1, 2], ["a"])
