"""Where a finding opens in the site's viewer."""

import pytest

from dicom_node.viewer_link import PLACEHOLDERS, Place, viewer_link, viewer_template

OHIF = "https://pacs.example/viewer?StudyInstanceUIDs={study}&initialSeriesInstanceUID={series}"
PLACE = Place("1.2.3", "1.2.3.4", "1.2.3.4.5", "PID 7/ä", "A&B=1")


def test_every_placeholder_is_filled_in() -> None:
    template = "viewer://open?" + "&".join(f"{name}={{{name}}}" for name in PLACEHOLDERS)
    assert viewer_link(template, PLACE) == (
        "viewer://open?study=1.2.3&series=1.2.3.4&instance=1.2.3.4.5&patient=PID%207%2F%C3%A4&accession=A%26B%3D1"
    )


def test_a_value_cannot_become_a_part_of_the_address() -> None:
    evil = Place("1.2.3", patient='{study}"><script>?x=1#/../')
    link = viewer_link("https://v.example/{patient}/{study}", evil)
    assert link == "https://v.example/%7Bstudy%7D%22%3E%3Cscript%3E%3Fx%3D1%23%2F..%2F/1.2.3"


def test_without_a_template_or_with_a_value_unknown_there_is_no_link() -> None:
    assert viewer_link("", PLACE) == ""
    assert viewer_link(OHIF, Place("1.2.3")) == ""
    assert viewer_link("https://v.example/{study}", Place("1.2.3")) == "https://v.example/1.2.3"
    assert viewer_link("https://v.example/worklist", Place("1.2.3")) == "https://v.example/worklist"


def test_a_brace_that_is_meant_is_written_twice() -> None:
    template = viewer_template("weasis://$dicom:get?{{{study}}}")
    assert viewer_link(template, PLACE) == "weasis://$dicom:get?{1.2.3}"


@pytest.mark.parametrize("template", ["", OHIF, "https://v.example/", "weasis://?{patient}{accession}"])
def test_a_usable_template_stays_as_it_is(template: str) -> None:
    assert viewer_template(template) == template


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("https://v.example/{uid}", r"\{uid\} cannot be filled in like this; there are: \{study\}, \{series\}, "),
        ("https://v.example/{study.__class__}", r"\{study.__class__\} cannot be filled in like this"),
        ("https://v.example/{}", r"\{\} cannot be filled in like this"),
        ("https://v.example/{0}", r"\{0\} cannot be filled in like this"),
        ("https://v.example/{study!r}", r"\{study\} cannot be filled in like this"),
        ("https://v.example/{study:>9}", r"\{study\} cannot be filled in like this"),
        ("https://v.example/{study", "a single brace"),
        ("https://v.example/study}", "a single brace"),
        ("javascript:alert({study})", "begins with https"),
        ("DATA:text/html,{study}", "begins with https"),
        ("pacs.example/{study}", "begins with https"),
        ("/viewer?{study}", "begins with https"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_what_is_allowed(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        viewer_template(template)
