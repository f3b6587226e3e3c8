from mining.naming import GroupName, Stated, group_name

LIVER: Stated = ("10200004", "Liver")
LIVER_UPPER: Stated = ("10200004", "LIVER")
LUNG: Stated = ("39607008", "Lung")
MASS: Stated = ("4147007", "Mass")
NOTHING: Stated = (None, None)


def test_a_group_is_called_by_the_commonest_site_in_its_commonest_spelling() -> None:
    named = group_name([LIVER, LIVER_UPPER, LIVER, LUNG], [MASS, MASS, NOTHING, NOTHING])
    assert named == GroupName("Liver", "10200004", "4147007")


def test_without_sites_the_finding_is_the_name() -> None:
    assert group_name([NOTHING] * 3, [MASS] * 3) == GroupName("Mass", None, "4147007")


def test_a_site_that_few_members_state_names_nothing() -> None:
    assert group_name([LIVER] + [NOTHING] * 9, [NOTHING] * 10) == GroupName("", None, None)


def test_a_tie_names_nothing() -> None:
    assert group_name([LIVER, LUNG], [NOTHING] * 2).name == ""


def test_a_site_without_code_counts_by_its_words() -> None:
    assert group_name([(None, "Spleen"), (None, "Spleen"), LUNG], [NOTHING] * 3) == GroupName("Spleen", None, None)


def test_no_members_have_no_name() -> None:
    assert group_name([], []) == GroupName("", None, None)
