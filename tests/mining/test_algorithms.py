"""Machines are known by their names where a report does not say that it is one's."""

import pytest

from mining.algorithms import NAMES, algorithm_named


@pytest.mark.parametrize(
    ("writer", "reader", "named"),
    [
        ("Lunit INSIGHT CXR 3.1", "", "Lunit INSIGHT CXR 3.1"),
        ("Riverain Technologies ClearRead CT", "", "Riverain Technologies ClearRead CT"),
        ("OHIF Viewer 3.13", "Meier^Anna", ""),
        ("Lunit INSIGHT CXR 3.1", "Meier^Anna", ""),  # a person is named: an edit in the product's own viewer
        ("Some PACS", "Transpara^1.7", "Transpara 1.7"),
        ("Vunotech Workstation", "", ""),  # a part of a word is no name
        ("", "", ""),
    ],
)
def test_a_product_is_an_algorithm_unless_a_person_is_named(writer: str, reader: str, named: str) -> None:
    assert algorithm_named(writer, reader) == named


def test_a_site_adds_its_own_names() -> None:
    assert algorithm_named("House Net 2", "", ("house net",)) == "House Net 2"
    assert algorithm_named("House Network 2", "", ("house net",)) == ""


def test_the_table_is_in_lower_case_and_holds_each_name_once() -> None:
    assert [name for name in NAMES if name != name.casefold()] == []
    assert len(set(NAMES)) == len(NAMES)
