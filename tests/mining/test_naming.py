import pytest

from mining.naming import GroupName, Look, Stated, distinct_names, group_name, stems

LIVER: Stated = ("10200004", "Liver")
LIVER_UPPER: Stated = ("10200004", "LIVER")
LUNG: Stated = ("39607008", "Lung")
MASS: Stated = ("4147007", "Mass")
NOTHING: Stated = (None, None)
SOFT, DENSE = Look(50, 15), Look(700, 20)


def test_a_group_is_called_by_the_commonest_site_in_its_commonest_spelling() -> None:
    named = group_name([LIVER, LIVER_UPPER, LIVER, LUNG], [MASS, MASS, NOTHING, NOTHING])
    assert named == GroupName("Liver", "10200004", "4147007")


def test_without_sites_the_finding_is_the_name() -> None:
    assert group_name([NOTHING] * 3, [MASS] * 3) == GroupName("Mass", None, "4147007")


def test_a_site_that_few_members_state_names_nothing() -> None:
    assert group_name([LIVER] + [NOTHING] * 9, [NOTHING] * 10) == GroupName("", None, None)


def test_a_tie_of_three_names_nothing() -> None:
    assert group_name([LIVER, LUNG, ("64033007", "Kidney")], [NOTHING] * 3) == GroupName("", None, None)


def test_a_site_without_code_counts_by_its_words() -> None:
    assert group_name([(None, "Spleen"), (None, "Spleen"), LUNG], [NOTHING] * 3) == GroupName("Spleen", None, None)


def test_no_members_have_no_name() -> None:
    assert group_name([], []) == GroupName("", None, None)


def test_two_sites_that_are_nearly_all_name_a_group_together() -> None:
    kidney: Stated = ("64033007", "Kidney")
    named = group_name([LIVER, LIVER, kidney, kidney, LUNG], [MASS] * 5)
    assert named == GroupName("Kidney or Liver", None, "4147007")


def test_a_name_that_only_one_group_has_stays_as_it_is() -> None:
    assert distinct_names(["Lung", "Bone"], [SOFT, DENSE]) == ["Lung", "Bone"]


def test_groups_of_one_name_are_told_apart_by_density_then_by_size_then_by_number() -> None:
    small = Look(40, 8)
    assert distinct_names(["Bone", "Bone"], [DENSE, SOFT]) == ["Bone, dense", "Bone, soft"]
    assert distinct_names(["Liver", "Bone", "Liver"], [SOFT, DENSE, small]) == [
        "Liver, mid-size",
        "Bone",
        "Liver, small",
    ]
    assert distinct_names(["Bone", "BONE", "Bone"], [SOFT, DENSE, SOFT]) == [
        "Bone, soft",
        "Bone, dense",
        "Bone, soft 2",
    ]


def test_numbers_follow_the_size_of_the_groups() -> None:
    assert distinct_names(["Node"] * 3, [SOFT] * 3) == ["Node", "Node 2", "Node 3"]


def test_a_group_of_which_nothing_is_stated_is_named_by_its_density() -> None:
    begun = stems(["", "Lung", ""], [SOFT, Look(-650, 12), DENSE])
    assert begun == ["Soft lesions", "Lung", "Dense lesions"]
    assert distinct_names(["Soft lesions", "Soft lesions"], [Look(60, 40), SOFT]) == [
        "Soft lesions, large",
        "Soft lesions, mid-size",
    ]


@pytest.mark.parametrize(
    ("hu", "word"),
    [
        (-650, "aerated"),
        (-90, "low-density"),
        (8, "fluid-like"),
        (25, "soft"),
        (99.9, "soft"),
        (140, "bright"),
        (600, "dense"),
    ],
)
def test_each_density_has_its_word(hu: float, word: str) -> None:
    assert Look(hu, 10).density == word


def test_no_groups_have_no_names() -> None:
    assert distinct_names([], []) == stems([], []) == []
